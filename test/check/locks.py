"""Prints statements of migrations that keep writers waiting for as long as a table is large: locks.py FILE…

A line "-- locks: why this is short enough" above such a statement lets it stand.  A table that the same file makes is
nobody's yet.  kintaraa.migrate() waits one second for a lock; this is about how long it holds one.
"""
import re
import sys

TABLE = r"(?:ONLY\s+)?kintaraa\.(\w+)"
ALTER = r"ALTER TABLE " + TABLE
# what; the statement, its table first where it has one
RULES = (
    ("an index that is not built CONCURRENTLY",
     r"CREATE (?:UNIQUE )?INDEX(?! CONCURRENTLY).*? ON " + TABLE),
    ("a type of a column, which writes the table anew",
     ALTER + r".*? ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE "),
    ("a default that is computed for each row",
     ALTER + r".*? ADD (?:COLUMN )?.* DEFAULT (?![\w.]*now\(\))[\w.]*\("),
    ("a stored column, which writes the table anew",
     ALTER + r".*? GENERATED ALWAYS AS \(.*\) STORED"),
    ("a constraint that reads the table; NOT VALID, then VALIDATE",
     ALTER + r"(?!.* NOT VALID).*? ADD (?:CONSTRAINT|CHECK|FOREIGN|PRIMARY|UNIQUE|EXCLUDE)"),
    ("a reference that reads the table; NOT VALID, then VALIDATE",
     ALTER + r".*? ADD (?:COLUMN ).* REFERENCES "),
    ("NOT NULL, which reads the table",
     ALTER + r".*? SET NOT NULL"),
    ("a constraint of a domain, which reads every table with it",
     r"ALTER DOMAIN \S+ ADD CONSTRAINT(?!.* NOT VALID)"),
    ("a trigger switched off or on, which keeps writers out until the migration ends",
     ALTER + r".*? (?:DISABLE|ENABLE)(?: \w+)? TRIGGER"),
    ("rows changed in one transaction",
     r"(?:WITH .*?)?UPDATE " + TABLE),
    ("rows deleted in one transaction",
     r"(?:WITH .*?)?DELETE FROM " + TABLE),
    ("a table locked, emptied or written anew",
     r"(?:LOCK|TRUNCATE|CLUSTER|VACUUM|REINDEX|REFRESH)\b.*"),
)
# a statement from its first word to its semicolon, the comments that stand before it, bodies left out
STATEMENT = re.compile(r"((?:\s*--[^\n]*\n)*)\s*([^;]+);")
BODY = re.compile(r"(\$\w*\$)(.*?)\1", re.S)
# fields of a setting or a word list: a handful of rows
SMALL = {"setting", "epoch", "status_rule", "service"}


def statements(text):
    for comments, statement in STATEMENT.findall(text):
        yield comments, " ".join(re.sub(r"--[^\n]*", " ", statement).split())


def breaches(text):
    made = set(re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?kintaraa\.(\w+)", text))
    bodies = [found.group(2) for found in BODY.finditer(text)]
    # what stands in a DO block is run as well
    for part in [BODY.sub("'body'", text), *bodies]:
        for comments, statement in statements(part):
            if "-- locks: " in comments:
                continue
            for what, rule in RULES:
                found = re.match(rule, re.sub(r"^(?:DECLARE .* )?BEGIN ", "", statement), re.I)
                if found and (not found.groups() or found.group(1) not in made | SMALL):
                    yield what, statement


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for what, statement in breaches(file.read()):
                print("%s: %s: %s" % (path, what, statement[:90]))
