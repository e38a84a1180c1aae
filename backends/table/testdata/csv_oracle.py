"""Answers what Python's csv module makes of a text, or of rows.

stdin: cases, each a letter (r: read, m: write with minimal quotes, a: write with
all quotes), the length of what follows (4 bytes, big endian), and that many
bytes: a text for r, a JSON list of rows for the others. stdout: one line of JSON
for each case: a list of rows for r, a text for the others. Every byte is one
character (latin-1), so that bytes which are no UTF-8 survive too.
"""
import csv
import io
import json
import re
import struct
import sys

csv.field_size_limit(sys.maxsize)
LONE_CR = "\ue000"  # stands for a CR that ends no record


class Lines:
    """Iterates over the lines of a text and remembers the last one."""

    def __init__(self, text):
        self.lines = io.StringIO(text, newline="")
        self.last = ""

    def __iter__(self):
        return self

    def __next__(self):
        self.last = next(self.lines)
        return self.last


def read(text):
    text = text.removeprefix("\xef\xbb\xbf")
    lines = Lines(text)
    if next(csv.reader(lines), None) is None:
        return []
    if not lines.last.endswith("\r"):
        # The one rule of ours: here a lone CR is an ordinary character, but for
        # one at the very end, which may be half of a CRLF.
        text = re.sub(r"\r(?!\n|\Z)", LONE_CR, text)
    header, *records = csv.reader(io.StringIO(text, newline=""))
    rows = [header] + [record for record in records if record]  # as DictReader
    return [[cell.replace(LONE_CR, "\r") for cell in row] for row in rows]


def write(rows, quoting):
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting).writerows(rows)
    return out.getvalue()


def main():
    stdin = sys.stdin.buffer
    while op := stdin.read(1):
        (length,) = struct.unpack(">I", stdin.read(4))
        data = stdin.read(length)
        if op == b"r":
            answer = read(data.decode("latin-1"))
        else:
            answer = write(json.loads(data), {b"m": csv.QUOTE_MINIMAL, b"a": csv.QUOTE_ALL}[op])
        print(json.dumps(answer), flush=True)


main()
