#!/usr/bin/python3
"""What sql/ declares, read at build time:  catalogue.py upgrade|table|definitions FILE...

upgrade   the script that brings an installed extension to what these files say, whatever version it was: what is
          gone or has another signature is dropped, everything else is replaced where it stands, so that policies
          and triggers keep their functions and a function keeps the rights that a DBA gave
table     a C table with the fingerprint of every function, which kintaraa.health() holds the catalogue against
definitions   a C table of migrations/definitions: policies, triggers, views and row security as statements

A statement that these files may not contain ends the build with its place.  Nothing here is written by hand per
version: the files are the one source, and test/fault/test_old_data.py holds an upgraded database against a fresh one.
"""
import hashlib
import re
import sys

FUNCTION = re.compile(
    r"^CREATE (?P<kind>FUNCTION|PROCEDURE) (?P<name>\w+\.\w+)\((?P<arguments>.*?)\)(?:\s+RETURNS (?P<result>.*?))?"
    r"\s+LANGUAGE (?P<language>\w+)(?P<rest>.*?)\bAS\s+(?:'MODULE_PATHNAME', '(?P<symbol>\w+)'|(?P<quote>\$\w*\$)"
    r"(?P<body>.*?)(?P=quote))\s*;", re.M | re.S | re.I)
OWNER = re.compile(r"^ALTER (?:FUNCTION|PROCEDURE) (\w+\.\w+)(?:\([^;]*?\))? OWNER TO (\w+);", re.M)
REPLACED = (
    (re.compile(r"^CREATE (FUNCTION|PROCEDURE) ", re.M), r"CREATE OR REPLACE \1 "),
    (re.compile(r"^CREATE SCHEMA ", re.M), "CREATE SCHEMA IF NOT EXISTS "),
)
KNOWN = re.compile(r"^CREATE (OR REPLACE|SCHEMA IF NOT EXISTS)\b")
TYPES = {"timestamptz": "timestamp with time zone", "bool": "boolean", "int": "integer", "int4": "integer",
         "int8": "bigint", "float8": "double precision"}
# The same text as the generator's, from the catalogue.
SIGNATURE = ("pg_catalog.format('%s(%s) %s', p.oid::pg_catalog.regproc, pg_catalog.regexp_replace("
             "pg_catalog.pg_get_function_arguments(p.oid), ' DEFAULT [^,]*|\\mIN ', '', 'g'), "
             "pg_catalog.pg_get_function_result(p.oid))")


def plain(text):
    """Without comments and with single blanks; types as the catalogue writes them."""
    text = " ".join(re.sub(r"--[^\n]*", "", text).split())
    for short, long in TYPES.items():
        text = re.sub(r"\b%s\b(?= *(,|\[|\)|$))" % short, long, text)
    return text


def split(text):
    """At commas outside of parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part for part in parts if part.strip()]


class Function:
    def __init__(self, found, owners):
        arguments = [plain(re.sub(r"\sDEFAULT\s.*", "", part, flags=re.S))
                     for part in split(re.sub(r"--[^\n]*", "", found["arguments"]))]
        self.name = found["name"]
        result = plain(found["result"] or "").replace("TABLE (", "TABLE(")
        self.signature = "%s(%s) %s" % (self.name, ", ".join(arguments), result)
        rest = " %s " % plain(found["rest"])
        settings = re.findall(r" SET (\w+) = (.*?)(?= SET \w+ =| *$)", rest.rstrip())
        source = found["symbol"] or found["body"]
        self.print = "|".join((
            found["kind"][0].lower(), found["language"].lower(),
            {"IMMUTABLE": "i", "STABLE": "s"}.get((re.search(r" (IMMUTABLE|STABLE) ", rest) or [0, ""])[1], "v"),
            "strict" if " STRICT " in rest else "", "definer" if " SECURITY DEFINER " in rest else "",
            {"SAFE": "s", "RESTRICTED": "r"}.get((re.search(r" PARALLEL (\w+) ", rest) or [0, ""])[1], "u"),
            ",".join("%s=%s" % (name, value.strip("'") or '""') for name, value in settings), owners.get(self.name, ""),
            hashlib.sha256(source.encode()).hexdigest()))


def functions_of(texts):
    owners = {name: owner for text in texts for name, owner in OWNER.findall(text)}
    functions = [Function(found, owners) for text in texts for found in FUNCTION.finditer(text)]
    declared = sum(len(re.findall(r"^CREATE (?:FUNCTION|PROCEDURE) ", text, re.M)) for text in texts)
    if declared != len(functions):
        sys.exit("catalogue.py: %d functions are declared and %d are understood" % (declared, len(functions)))
    if len({function.name for function in functions}) != len(functions):
        sys.exit("catalogue.py: a function is overloaded")
    return functions


def write_upgrade(texts):
    signatures = ",\n".join("        '%s'" % f.signature.replace("'", "''") for f in functions_of(texts))
    print('\\echo Use "ALTER EXTENSION kintaraa UPDATE" to load this file. \\quit')
    print("""SET LOCAL search_path TO pg_catalog, pg_temp;
DO $upgrade$
DECLARE
    old record;
BEGIN
    FOR old IN SELECT p.oid::pg_catalog.regprocedure AS name
                 FROM pg_catalog.pg_proc AS p
                 JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.objid = p.oid AND d.deptype = 'e'
                 JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'kintaraa'
                WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND NOT (
                      %s = ANY (ARRAY[
%s]))
    LOOP
        EXECUTE pg_catalog.format('DROP ROUTINE %%s', old.name);
    END LOOP;
END
$upgrade$;
""" % (SIGNATURE, signatures))
    for text in texts:
        text = re.sub(r"^\\echo.*\n", "", text)
        for pattern, replacement in REPLACED:
            text = pattern.sub(replacement, text)
        for line in text.splitlines():
            if line.startswith("CREATE ") and not KNOWN.match(line):
                sys.exit("catalogue.py: an upgrade does not know what to do with: %s" % line)
        print(text, end="")


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def write_table(texts):
    print('/* Generated by catalogue.py. */\n#include "base/function_table.h"\n')
    print("const KnFunction kn_functions[] = {")
    functions = functions_of(texts)
    for function in functions:
        print("\t{%s,\n\t %s}," % (quote(function.signature), quote(function.print)))
    print("};\nconst int kn_function_count = %d;" % len(functions))


def write_definitions(texts):
    print('/* Generated by catalogue.py. */\n#include "base/definition_table.h"\n')
    print("const KnDefinition kn_definitions[] = {")
    lines = [line.split("\t") for text in texts for line in text.splitlines() if not line.startswith("#")]
    for kind, name, statement in lines:
        print("\t{%s}," % ", ".join(quote(part) for part in (kind, name, statement)))
    print("\t{0, 0, 0},\n};\nconst int kn_definition_count = %d;" % len(lines))


def main():
    command, *paths = sys.argv[1:]
    texts = []
    for path in paths:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    {"upgrade": write_upgrade, "table": write_table, "definitions": write_definitions}[command](texts)


if __name__ == "__main__":
    main()
