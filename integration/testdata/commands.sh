# What people type where evaluation data lives. TestCommands runs it step by step
# in a directory of the local disk and in a mount, and compares after each step.
#
# A step starts with "#: NUMBER TITLE" and is a bash script of its own. It runs in
# the directory that holds the projects. $IN is a directory of files from
# elsewhere, $OUT one for files that leave, $PY a Python with pandas.

#: 1 everything there is
ls -lR

#: 2 one directory, with hidden files, sorted by time
ls -Atr1 p/datasets | wc -l; ls -Al p

#: 3 read a table
cat p/datasets/qa.csv

#: 4 read several tables
cat p/datasets/*.csv p/experiments/*.csv | wc

#: 5 parts of tables
head -n 3 p/datasets/big.csv; tail -n 2 p/datasets/big.csv; tail -c 20 p/datasets/big.csv

#: 6 sizes
wc -lwc p/*/*.csv; du -b p/datasets/big.csv; stat -c '%n %s %a %F %h' p/datasets/*.csv

#: 7 search
grep -rn 'Paris' p; grep -c . p/datasets/big.csv; grep -l answer p/datasets/*

#: 8 search for nothing
grep nowhere p/datasets/qa.csv

#: 9 checksums
sha256sum p/datasets/*.csv; cmp p/datasets/qa.csv "$IN/qa.csv"

#: 10 cut, sort, uniq, paste, join
cut -d, -f1 p/datasets/big.csv | sort -n | uniq -c | tail -n 3; paste -d'|' p/datasets/qa.csv p/datasets/qa.csv | head -n 2

#: 11 awk
awk -F, 'NR > 1 { sum += $3 } END { print NR, sum }' p/datasets/big.csv

#: 12 csv module reads
"$PY" - <<'PY'
import csv
with open("p/datasets/qa.csv", newline="") as file:
    print(list(csv.reader(file)))
PY

#: 13 pandas reads
"$PY" -c 'import pandas; t = pandas.read_csv("p/datasets/big.csv"); print(t.shape, t.score.sum(), list(t.columns))'

#: 14 sed in place
sed -i 's/Paris/Paris (France)/' p/datasets/qa.csv; cat p/datasets/qa.csv

#: 15 append a row
echo 'Which colour has the sky?,blue,3' >> p/datasets/qa.csv; wc -l < p/datasets/qa.csv

#: 16 append several times through one descriptor
{ echo 'one,1,1'; /bin/echo 'two,2,2'; echo 'three,3,3'; } >> p/datasets/qa.csv

#: 17 tee appends
printf 'four,4,4\n' | tee -a p/datasets/qa.csv

#: 18 a new table by redirection
printf 'q,a\nx,1\ny,2\n' > p/datasets/new.csv; cat p/datasets/new.csv

#: 19 an existing table by redirection
head -n 40 p/datasets/big.csv > "$OUT/head.csv"; cat "$OUT/head.csv" > p/datasets/new.csv

#: 20 a new table from two programs
(head -n 1 p/datasets/big.csv; tail -n +30 p/datasets/big.csv) > p/datasets/tail.csv; wc p/datasets/tail.csv

#: 21 csv module writes
"$PY" - <<'PY'
import csv
with open("p/datasets/qa.csv", newline="") as file:
    rows = list(csv.reader(file))
rows[1][2] = "a, b\nand \"c\""
with open("p/datasets/qa.csv", "w", newline="") as file:
    csv.writer(file).writerows(rows)
PY
cat p/datasets/qa.csv

#: 22 pandas writes
"$PY" - <<'PY'
import pandas
t = pandas.read_csv("p/datasets/big.csv")
t.loc[t.id == 7, "answer"] = "pandas"
t.to_csv("p/datasets/big.csv", index=False)
t.head(5).to_csv("p/experiments/run1.csv", index=False)
t.tail(3).to_csv("p/experiments/run1.csv", index=False, header=False, mode="a")
PY
grep -n pandas p/datasets/big.csv; cat p/experiments/run1.csv

#: 23 a temporary file renamed onto the table
awk -F, 'BEGIN { OFS = FS } $1 == 8 { $2 = "awk" } 1' p/datasets/big.csv > p/datasets/big.csv.tmp && mv p/datasets/big.csv.tmp p/datasets/big.csv; ls p/datasets

#: 24 sed with a backup
sed -i.bak 's/pandas/Pandas/' p/datasets/big.csv; diff p/datasets/big.csv.bak p/datasets/big.csv

#: 25 perl in place
perl -pi -e 's/^9,[^,]*/9,perl/' p/datasets/big.csv; sed -n 10p p/datasets/big.csv

#: 26 copy in
cp "$IN/more.csv" p/datasets/more.csv; cmp "$IN/more.csv" p/datasets/more.csv

#: 27 copy in over a table
cp "$IN/more2.csv" p/datasets/more.csv; tail -n 1 p/datasets/more.csv

#: 28 copy in with times and mode
cp -p "$IN/dated.csv" p/experiments/dated.csv; stat -c '%s %a %Y' p/experiments/dated.csv

#: 29 copy within
cp p/datasets/more.csv p/datasets/copy.csv; cp p/datasets/more.csv p/experiments/; ls p/*

#: 30 copy out
cp p/datasets/qa.csv "$OUT/"; cp -a p/experiments/dated.csv "$OUT/"; stat -c '%n %s %a' "$OUT"/*; stat -c %Y "$OUT/dated.csv"

#: 31 copy a directory out
cp -r p "$OUT/p"; cp -a p "$OUT/p2"; diff -r p "$OUT/p" && diff -r p "$OUT/p2"

#: 32 copy a project in
cp -r "$IN/project" q; ls -l q q/datasets

#: 33 copy a project with its times
cp -a "$IN/project" q2; stat -c '%n %s %a %Y' q2/*/*.csv

#: 34 rename a table
mv p/datasets/copy.csv p/datasets/renamed.csv; ls p/datasets; cat p/datasets/renamed.csv

#: 35 a table renamed onto another
cp p/datasets/renamed.csv p/datasets/once.csv; mv p/datasets/once.csv p/datasets/renamed.csv; ls p/datasets

#: 36 rename without overwriting
mv -n p/datasets/renamed.csv p/datasets/qa.csv; ls p/datasets

#: 37 remove a table
rm p/datasets/tail.csv; ls p/datasets; cat p/datasets/tail.csv

#: 38 remove what is not there
rm p/datasets/tail.csv; rm -f p/datasets/tail.csv

#: 39 directories
mkdir p/notes; mkdir -p p/notes/a/b p/datasets/.cache; rmdir p/notes/a/b; ls -la p/notes

#: 40 directories that can't be made or removed
mkdir p/notes; rmdir p/notes; mkdir p/no/where; rmdir p/none; rm p/notes

#: 41 scratch files
echo 'a note' > p/notes/readme.txt; echo 'more' >> p/notes/readme.txt; touch p/notes/empty p/datasets/.hidden; cat p/notes/readme.txt

#: 42 hard links
ln p/notes/readme.txt p/notes/linked.txt; stat -c '%h %s' p/notes/readme.txt; ln p/notes/readme.txt p/notes/linked.txt; rm p/notes/linked.txt; stat -c %h p/notes/readme.txt

#: 43 symbolic links
ln -s ../datasets/qa.csv p/notes/latest; readlink p/notes/latest; head -n 1 p/notes/latest; ln -s gone p/notes/dangling; cat p/notes/dangling

#: 44 times
touch -d '2020-02-03 04:05:06' p/datasets/qa.csv p/notes/readme.txt; stat -c %Y p/datasets/qa.csv p/notes/readme.txt

#: 45 touch of a table that is there
touch p/datasets/more.csv; touch -c p/datasets/none.csv; ls p/datasets

#: 46 modes
chmod 600 p/datasets/qa.csv; chmod a+x,g-r p/notes/readme.txt; chmod 750 p/notes; stat -c %a p/datasets/qa.csv p/notes/readme.txt p/notes

#: 47 owner
chown "$(id -u):$(id -g)" p/datasets/qa.csv p/notes/readme.txt; stat -c '%u %g' p/datasets/qa.csv

#: 48 cut off rows at the end
truncate -s "$(head -n 30 p/datasets/new.csv | wc -c)" p/datasets/new.csv; wc -l p/datasets/new.csv

#: 49 sizes of scratch files
truncate -s 100 p/notes/readme.txt; truncate -s +5 p/notes/empty; wc -c p/notes/readme.txt p/notes/empty; xxd p/notes/empty

#: 50 dd writes in place
printf 'id' | dd of=p/datasets/new.csv conv=notrunc status=none; head -n 1 p/datasets/new.csv

#: 51 dd with blocks
dd if=p/datasets/big.csv of=p/notes/big.copy bs=1000 status=none; dd if=p/datasets/big.csv of=p/datasets/dd.csv bs=64 conv=fsync status=none; cmp p/datasets/big.csv p/datasets/dd.csv

#: 52 dd skips and seeks
dd if=p/datasets/big.csv bs=1 skip=10 count=20 status=none | xxd; dd if=/dev/zero of=p/notes/sparse bs=1 seek=5000 count=1 status=none; stat -c %s p/notes/sparse

#: 53 find
find p -type f -name '*.csv' | sort; find . -maxdepth 1 -type d | sort

#: 54 find newer
find p -type f -newer p/datasets/new.csv | sort; find p -newermt 2020-01-01 ! -newermt 2020-03-01 | sort

#: 55 find and do
find p/datasets -name 'm*.csv' -exec wc -l {} +; find p -empty -type f | sort; find p -size +100k | sort

#: 56 file types and space
df --output=source . | wc -l; stat -f -c %l p >/dev/null; [ "$(df --output=avail . | tail -n 1)" -gt 0 ]; file -b p/datasets/qa.csv p/notes p/notes/latest

#: 57 an archive is made
tar -C p -cf "$OUT/p.tar" --sort=name --mtime=@0 datasets notes && tar -tf "$OUT/p.tar"

#: 58 an archive is unpacked, over what is there and beside it
tar -C p -xf "$OUT/p.tar"; mkdir p/unpacked && tar -C p/unpacked -xpf "$OUT/p.tar" && ls -lR p/unpacked

#: 59 zip
(cd p && zip -qr "$OUT/p.zip" experiments) && unzip -qo "$OUT/p.zip" -d p && unzip -l "$OUT/p.zip" | awk '{ print $1, $4 }' | tail -n +4 | sort; rm "$OUT/p.zip"
find p/experiments -type f | sort | while read -r f; do touch "$f"; done # zip keeps whole seconds only: their order would be chance

#: 60 sort into itself
(head -n 1 p/datasets/renamed.csv; tail -n +2 p/datasets/renamed.csv | sort -r) > p/notes/sorted && sort -o p/notes/sorted p/notes/sorted; cat p/notes/sorted

#: 61 patch
cp p/datasets/more.csv p/notes/other && echo 'z,26,0' >> p/notes/other; diff -u p/datasets/more.csv p/notes/other | sed 's/^\(---\|+++\).*/\1 x/' > p/notes/more.diff; patch -s p/datasets/more.csv < p/notes/more.diff; tail -n 1 p/datasets/more.csv

#: 62 split and join again
split -l 50 p/datasets/big.csv p/notes/part.; cat p/notes/part.* | cmp - p/datasets/big.csv; rm p/notes/part.*

#: 63 install
install -m 640 p/datasets/qa.csv p/notes/installed; stat -c '%a %s' p/notes/installed

#: 64 rsync copies in, then only what changed
rsync -rt "$IN/project/datasets/" p/datasets/; rsync -rti "$IN/project/datasets/" p/datasets/; sed 's/beta/gamma/' "$IN/project/datasets/one.csv" > "$OUT/one.csv"; rsync -c "$OUT/one.csv" p/datasets/one.csv; cat p/datasets/one.csv

#: 65 rsync copies out
rsync -a p/ "$OUT/p3/"; diff -r p "$OUT/p3" && rsync -anic p/ "$OUT/p3/"

#: 66 git init, add, commit
cd p && git init -q && git add datasets experiments && git commit -qm first && git status --short && git log --format=%s && git ls-files

#: 67 git diff
cd p && sed -i 's/beta/delta/' datasets/one.csv && git diff --stat && git diff && git commit -qam second

#: 68 git goes back and forth
cd p && git checkout -q HEAD~1 && cat datasets/one.csv && git checkout -q master && cat datasets/one.csv

#: 69 git stash
cd p && echo 'stashed,5,5' >> datasets/one.csv && git stash -q && cat datasets/one.csv && git stash pop -q && cat datasets/one.csv && git status --short

#: 70 git gc and clone
cd p && git gc -q && git fsck && git clone -q . "$OUT/clone" && git -C "$OUT/clone" log --format=%H && diff -r datasets "$OUT/clone/datasets"; rm -rf "$OUT/clone"

#: 71 open, read and write in place
"$PY" - <<'PY'
with open("p/datasets/more.csv", "r+b") as file:
    data = file.read()
    file.seek(data.index(b"z,26"))
    file.write(b"y,25")
    print(file.tell())
PY
tail -n 1 p/datasets/more.csv

#: 72 memory mapped
"$PY" - <<'PY'
import mmap
with open("p/datasets/more.csv", "r+b") as file, mmap.mmap(file.fileno(), 0) as m:
    at = m.find(b"y,25")
    m[at:at + 4] = b"x,24"
    m.flush()
PY
tail -n 1 p/datasets/more.csv

#: 73 written, replaced and removed while open
"$PY" - <<'PY'
import os
old = open("p/datasets/one.csv")
with open("p/datasets/.one.tmp", "w") as file:
    file.write("name,n,m\nreplaced,1,1\n")
    file.flush()
    os.fsync(file.fileno())
os.replace("p/datasets/.one.tmp", "p/datasets/one.csv")
print(repr(old.read()), repr(open("p/datasets/one.csv").read()))
scratch = open("p/notes/gone", "w+")
os.unlink("p/notes/gone")
scratch.write("still here")
scratch.seek(0)
print(scratch.read(), os.fstat(scratch.fileno()).st_size, os.path.exists("p/notes/gone"))
PY

#: 74 errors have their number
"$PY" - <<'PY'
import os
def number(call, *args):
    try:
        call(*args)
    except OSError as error:
        print(call.__name__, args[0], error.errno)
    else:
        print(call.__name__, args[0], "ok")
number(os.open, "p/datasets/none.csv", os.O_RDONLY)
number(os.open, "p/datasets/none/x.csv", os.O_RDONLY)
number(os.open, "p/datasets/qa.csv", os.O_CREAT | os.O_EXCL)
number(os.open, "p/datasets", os.O_WRONLY)
number(os.open, "p/datasets/qa.csv/x", os.O_RDONLY)
number(os.mkdir, "p/datasets/qa.csv")
number(os.rmdir, "p/datasets/qa.csv")
number(os.rmdir, "p/notes")
number(os.unlink, "p/notes")
number(os.unlink, "p/none")
number(os.rename, "p/none", "p/none2")
number(os.rename, "p/notes", "p/notes/inside")
number(os.rename, "p/notes", "p/datasets/qa.csv")
number(os.rename, "p/notes/readme.txt", "p/notes/a")
number(os.link, "p/none", "p/none2")
number(os.symlink, "x", "p/notes/latest")
number(os.readlink, "p/datasets/qa.csv")
number(os.truncate, "p/none", 0)
number(os.truncate, "p/notes", 0)
number(os.chmod, "p/none", 0o600)
number(os.listdir, "p/datasets/qa.csv")
number(os.stat, "p/" + "x" * 300)
number(os.mkdir, "p/notes/" + "y" * 256)
number(os.utime, "p/none")
PY

#: 75 locks
flock p/datasets/qa.csv echo locked; flock -n p/datasets/qa.csv flock -n p/datasets/qa.csv echo never

#: 76 sqlite beside the tables
sqlite3 p/notes/x.db '.mode csv' '.import p/datasets/more.csv more' 'update more set n = 7 where name = "x"' '.headers on' '.once p/datasets/more.csv' 'select * from more'; cat p/datasets/more.csv

#: 77 unusual names of scratch files
touch 'p/notes/with space' p/notes/-dash 'p/notes/new
line' p/notes/ümlaut "p/notes/$(printf 'x%.0s' {1..255})"; ls -b p/notes

#: 78 a table with a name of many letters
cp p/datasets/more.csv 'p/datasets/Größe & Maß, 2.csv'; wc -l p/datasets/G*.csv

#: 79 rename directories of scratch files
mv p/notes p/remarks; ls -R p/remarks; mv p/remarks/a p/remarks/b; mv p/remarks p/notes

#: 80 remove trees
rm -r p/unpacked; rm -rf p/notes/b p/none; ls p

#: 81 heads and tails that meet
tail -n +2 p/datasets/more.csv >> p/datasets/new.csv && tac p/datasets/new.csv | head -n 2

#: 82 many small appends
for i in $(seq 100); do echo "r$i,$i,0" >> p/datasets/more.csv; done; wc -l p/datasets/more.csv

#: 83 appends of several processes at once
for i in 1 2 3 4; do (for j in $(seq 25); do echo "s$i,$j,0" >> p/experiments/par.txt; done) & done; wait; sort p/experiments/par.txt | sha256sum; sort -o p/experiments/par.txt p/experiments/par.txt

#: 84 a longer table
"$PY" -c 'print("id,text"); [print(f"{i},{chr(97 + i % 26) * 80}") for i in range(20000)]' > p/datasets/long.csv; sha256sum p/datasets/long.csv

#: 85 one cell of it
sed -i 's/^12345,.*/12345,edited/' p/datasets/long.csv; sha256sum p/datasets/long.csv

#: 86 everything there is now
ls -lR . | sha256sum; find . -path ./p/.git -prune -o -printf '%p %y %m\n' | sort
