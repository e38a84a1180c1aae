#!/usr/bin/env bash
# Runs every fuzz target of the module for $1 (default 60s), one after another.
set -euo pipefail
time=${1:-60s}
found=0
for package in $(go list ./...); do
  targets=$(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
  for target in $targets; do
    found=1
    echo "fuzz: $target in $package for $time"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package"
  done
done
[ $found = 1 ] || { echo "fuzz: there is no fuzz target" >&2; exit 1; }
