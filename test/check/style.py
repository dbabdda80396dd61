"""Counts lines, columns and functions; called by style.sh with the files to look at."""
import os
import re
import sys

COLUMNS_OF_C, COLUMNS, FUNCTION, FILE = 100, 120, 80, 800
DATA = re.compile(r"^/\* (sources|libs):|^\t\{\".*\},$|[\"'][^\"' ]{48,}[\"']")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def is_c(path):
    return path.endswith((".c", ".h"))


def long_lines(path, text):
    """What is meant to be read as a table may be wide: columns of SQL, what clang-format leaves alone,
    lists of sources, rows of vectors and their digits."""
    table = False
    limit = COLUMNS_OF_C if is_c(path) else COLUMNS
    for number, line in enumerate(text.split("\n"), 1):
        if "clang-format off" in line or line.startswith("CREATE TABLE"):
            table = True
        elif "clang-format on" in line or line.startswith(")"):
            table = False
        elif not table and len(line.expandtabs(4)) > limit and not DATA.search(line):
            yield "%s:%d has %d columns" % (path, number, len(line.expandtabs(4)))


def blanks(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield "%s:%d ends with a blank" % (path, number)
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield "%s does not end with one line end" % path
    if "\r" in text:
        yield "%s has carriage returns" % path


def tabs(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if path.endswith((".sql", ".py")) and "\t" in line:
            yield "%s:%d has a tab" % (path, number)
        elif is_c(path) and re.match(r"\t* {4}", line):
            yield "%s:%d is indented with blanks" % (path, number)


def long_functions(path, text):
    """A function begins with { and ends with } in the first column.  A flat switch says so."""
    if not is_c(path):
        return
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines):
        if line == "{" and number and lines[number - 1].rstrip().endswith(")"):
            start = number
        elif line == "}" and start is not None:
            body = lines[start:number + 1]
            if len(body) > FUNCTION and not any("flat switch" in text for text in body):
                yield "%s:%d has a function of %d lines" % (path, start, len(body))
            start = None


def long_files(path, text):
    count = text.count("\n")
    if count > FILE:
        yield "%s has %d lines" % (path, count)


def no_header(path, text):
    """extension/ and gateway/ open each file with its name and one sentence."""
    if is_c(path) and path.startswith(("extension/", "gateway/")):
        start = "/*-------------------------------------------------------------------------\n *\n * %s\n *\t  "
        if not text.startswith(start % os.path.basename(path)):
            yield path


def commented_out(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"\b(TODO|FIXME|HACK)\b", line) and "SKIP" not in line:
            yield "%s:%d leaves something undone" % (path, number)


RULES = [
    ("lines have at most %d columns, in C %d" % (COLUMNS, COLUMNS_OF_C), long_lines),
    ("no blanks at line ends, one line end at the end", blanks),
    ("C is indented with tabs, SQL and Python with blanks", tabs),
    ("functions have at most %d lines" % FUNCTION, long_functions),
    ("files have at most %d lines" % FILE, long_files),
    ("C files open with their name and a sentence", no_header),
    ("nothing is left to do later", commented_out),
]


def main():
    texts = {path: read(path) for path in sys.argv[1:]}
    failed = 0
    for number, (name, rule) in enumerate(RULES, 1):
        places = [place for path, text in texts.items() for place in rule(path, text)]
        print("%sok %d - %s" % ("not " if places else "", number, name))
        for place in places[:50]:
            print("# " + place)
        failed += bool(places)
    print("1..%d" % len(RULES))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
