#!/usr/bin/env bash
# Installs the Debian packages named as arguments that are missing, as root or
# with sudo. Does nothing, and needs no rights, when all of them are there.
set -euo pipefail

installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# provided says whether a package's program is there, however it came: on a
# machine without dpkg, or with its own build.
provided() {
  case $1 in
    fuse3) command -v fusermount3 ;;
    python3-venv) python3 -c 'import ensurepip, venv' ;;
    *) command -v "$1" ;;
  esac >/dev/null 2>&1
}

missing=()
for package in "$@"; do
  provided "$package" || installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "deps: please install: ${missing[*]} (this system has no apt-get)" >&2
  exit 1
fi
root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "deps: please run as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi

echo "deps: installing ${missing[*]} with apt-get" >&2
"${root[@]}" apt-get update -q >&2
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
