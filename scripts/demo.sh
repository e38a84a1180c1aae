#!/usr/bin/env bash
# Shows what ragasfs does, on a sample project in a temporary directory: mounts
# it, edits a table with three ordinary programs, unmounts, and looks at what the
# store has. Fails unless that is what was edited.
set -euo pipefail
cd "$(dirname "$0")/.."

bash scripts/deps.sh fuse3 python3

work=$(mktemp -d)
root=$work/ragas_data mnt=$work/mnt
ragasfs() { "$PWD/bin/ragasfs" "$@"; }
say() { printf '\n== %s\n' "$*"; }
cleanup() {
  if grep -qs " $mnt fuse.ragasfs " /proc/mounts; then ragasfs unmount --lazy "$mnt" || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

say "build"
go build -trimpath -o bin/ ./cmd/ragasfs

say "a project of Ragas: a directory of CSV files"
mkdir -p "$root/support/datasets" "$root/support/experiments" "$mnt"
cat > "$root/support/datasets/qa.csv" <<'CSV'
question,expected,grade
What is the capital of France?,Paris,good
"Is ""yes"" an answer?","yes, it is",unsure
How many legs has a spider?,6,wrong
CSV

say "mount"
ragasfs mount local/csv "$mnt" -o "root_dir=$root" --state-dir "$work/state"
(cd "$mnt" && find . | sort)

say "read a table"
table=$mnt/support/datasets/qa.csv
cat "$table"

say "edit it with sed, the shell and Python"
sed -i 's/legs has a spider?,6,wrong/legs has a spider?,8,good/' "$table"
echo 'Which colour has the sky?,blue,good' >> "$table"
python3 - "$table" <<'PY'
import csv, sys
with open(sys.argv[1], newline="") as file:
    rows = list(csv.reader(file))
rows[2][2] = "good"
with open(sys.argv[1], "w", newline="") as file:
    csv.writer(file, lineterminator="\n").writerows(rows)
PY
ragasfs diff "$table"

say "unmount: sends what is pending"
ragasfs unmount "$mnt"

say "the rows in the store"
cat "$root/support/datasets/qa.csv"

# What Python's csv module reads there must be what was edited.
python3 - "$root/support/datasets/qa.csv" <<'PY'
import csv, sys
want = [
    ["question", "expected", "grade"],
    ["What is the capital of France?", "Paris", "good"],
    ['Is "yes" an answer?', "yes, it is", "good"],
    ["How many legs has a spider?", "8", "good"],
    ["Which colour has the sky?", "blue", "good"],
]
with open(sys.argv[1], newline="") as file:
    got = list(csv.reader(file))
if got != want:
    sys.exit(f"demo: the store has {got}, edited was {want}")
PY
say "demo: every edit is in the store"
