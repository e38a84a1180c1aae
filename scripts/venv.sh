#!/usr/bin/env bash
# Makes a Python environment in the directory $1 with what the tests start
# (scripts/requirements.txt). Does nothing while that file is unchanged.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:?usage: venv.sh DIRECTORY}
want=$(cat "$here/requirements.txt")
[ "$(cat "$venv/requirements.txt" 2>/dev/null)" != "$want" ] || exit 0

echo "venv: making $venv with $(grep -v '^#' "$here/requirements.txt" | tr '\n' ' ')" >&2
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check --prefer-binary -r "$here/requirements.txt"
cp "$here/requirements.txt" "$venv/requirements.txt" # last: an interrupted run is repeated
