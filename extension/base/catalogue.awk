# What sql/ declares, read at build time:  awk -v what=upgrade|table|definitions -f catalogue.awk FILE...
#
# upgrade      the script that brings an installed extension to what these files say, whatever version it was: what is
#              gone or has another signature is dropped, everything else is replaced where it stands, so that policies
#              and triggers keep their functions and a function keeps the rights that a DBA gave
# table        a C table with the fingerprint of every function, which kintaraa.health() holds the catalogue against
# definitions  a C table of migrations/definitions: policies, triggers, views and row security as statements
#
# A statement that these files may not contain ends the build with its place.  Nothing here is written by hand per
# version: the files are the one source, and test/fault/test_old_data.py holds an upgraded database against a fresh one.

function fail(why) {
	print "catalogue.awk: " why | "cat >&2"
	failed = 1
	exit 1
}

function trim(text) {
	gsub(/^[ \n]+|[ \n]+$/, "", text)
	return text
}

# Without comments and with single blanks.
function plain(text) {
	gsub(/--[^\n]*/, "", text)
	gsub(/[ \t\n]+/, " ", text)
	return trim(text)
}

# Types as the catalogue writes them.
function typed(text,    short, at, found, before, after) {
	for (short in long)
		while (match(text, "(^|[^A-Za-z0-9_])" short " *(,|\\[|\\)|$)")) {
			found = substr(text, RSTART, RLENGTH)
			at = index(found, short)
			before = substr(text, 1, RSTART + at - 2)
			after = substr(text, RSTART + at - 1 + length(short))
			text = before long[short] after
		}
	return text
}

function quoted(text) {
	gsub(/\\/, "\\\\", text)
	gsub(/"/, "\\\"", text)
	return "\"" text "\""
}

# The arguments without their defaults, split at commas outside of parentheses.
function arguments(text,    i, letter, depth, part, joined) {
	text = text ","
	for (i = 1; i <= length(text); i++) {
		letter = substr(text, i, 1)
		depth += (letter == "(") - (letter == ")")
		if (letter != "," || depth > 0) {
			part = part letter
			continue
		}
		sub(/ DEFAULT .*/, "", part)
		part = typed(trim(part))
		if (part != "")
			joined = joined (joined == "" ? "" : ", ") part
		part = ""
	}
	return joined
}

# The place of the parenthesis that closes the first one.
function closing(text,    i, letter, depth) {
	for (i = index(text, "("); i <= length(text); i++) {
		letter = substr(text, i, 1)
		depth += (letter == "(") - (letter == ")")
		if (depth == 0)
			return i
	}
	return 0
}

function has(text, word) {
	return index(" " text " ", " " word " ") > 0
}

# name=value of each SET clause
function settings(text,    joined, name, value) {
	text = " " text
	while (match(text, / SET [a-z_]+ = /)) {
		name = substr(text, RSTART + 5, RLENGTH - 8)
		text = substr(text, RSTART + RLENGTH)
		value = match(text, / SET [a-z_]+ = /) ? substr(text, 1, RSTART - 1) : text
		value = trim(value)
		gsub(/^'+|'+$/, "", value)
		joined = joined (joined == "" ? "" : ",") name "=" (value == "" ? "\"\"" : value)
	}
	return joined
}

# One statement, from its CREATE on: fills signature[n], print_of[n], source[n].
function declare(text,    head, rest, tag, body, end, name, result, language, kind) {
	if (!match(text, /[ \n]AS[ \n]+('MODULE_PATHNAME', '|\$[A-Za-z0-9_]*\$)/))
		fail("a function without AS: " substr(text, 1, 60))
	head = plain(substr(text, 1, RSTART - 1))
	tag = substr(text, RSTART, RLENGTH)
	body = substr(text, RSTART + RLENGTH)
	sub(/^[ \n]AS[ \n]+/, "", tag)
	end = index(body, tag ~ /^\$/ ? tag : "'")
	kind = head ~ /^CREATE PROCEDURE / ? "p" : "f"
	sub(/^CREATE [A-Z]+ /, "", head)
	name = substr(head, 1, index(head, "(") - 1)
	rest = substr(head, closing(head) + 1)
	if (end == 0 || name !~ /^[a-z_0-9]+\.[a-z_0-9]+$/ || !match(rest, / LANGUAGE [A-Za-z]+/))
		fail("not understood: " substr(text, 1, 60))
	if (name in declared)
		fail("a function is overloaded: " name)
	declared[name] = 1
	result = trim(substr(rest, 1, RSTART - 1))
	sub(/^RETURNS */, "", result)
	sub(/TABLE \(/, "TABLE(", result)
	language = tolower(substr(rest, RSTART + 10, RLENGTH - 10))
	rest = trim(substr(rest, RSTART + RLENGTH))
	n++
	signature[n] = name "(" arguments(substr(head, index(head, "(") + 1, closing(head) - index(head, "(") - 1)) ") " \
		typed(result)
	print_of[n] = kind "|" language "|" \
		(has(rest, "IMMUTABLE") ? "i" : has(rest, "STABLE") ? "s" : "v") "|" \
		(has(rest, "STRICT") ? "strict" : "") "|" (has(rest, "SECURITY DEFINER") ? "definer" : "") "|" \
		(has(rest, "PARALLEL SAFE") ? "s" : has(rest, "PARALLEL RESTRICTED") ? "r" : "u") "|" \
		settings(rest) "|" owner[name] "|"
	source[n] = substr(body, 1, end - 1)
}

function read_functions(    i, count, part, text, statement) {
	text = whole
	while (match(text, /\nALTER (FUNCTION|PROCEDURE) [^;]*OWNER TO [a-z_]+;/)) {
		statement = plain(substr(text, RSTART, RLENGTH - 1))
		text = substr(text, RSTART + RLENGTH)
		split(statement, part, /[ (]/)
		sub(/.* OWNER TO /, "", statement)
		owner[part[3]] = statement
	}
	text = whole
	while (match(text, /\nCREATE (FUNCTION|PROCEDURE) /)) {
		text = substr(text, RSTART + 1)
		declare(text)
		text = substr(text, 8)
	}
}

function write_upgrade(    i, count, line) {
	print "\\echo Use \"ALTER EXTENSION kintaraa UPDATE\" to load this file. \\quit"
	print "SET LOCAL search_path TO pg_catalog, pg_temp;\nDO $upgrade$\nDECLARE\n    old record;\nBEGIN"
	print "    FOR old IN SELECT p.oid::pg_catalog.regprocedure AS name"
	print "                 FROM pg_catalog.pg_proc AS p"
	print "                 JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass"
	print "                  AND d.objid = p.oid AND d.deptype = 'e'"
	print "                 JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'kintaraa'"
	print "                WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND NOT ("
	print "                      pg_catalog.format('%s(%s) %s', p.oid::pg_catalog.regproc, pg_catalog.regexp_replace("
	print "                      pg_catalog.pg_get_function_arguments(p.oid), ' DEFAULT [^,]*|\\mIN ', '', 'g'),"
	print "                      pg_catalog.pg_get_function_result(p.oid)) = ANY (ARRAY["
	for (i = 1; i <= n; i++) {
		line = signature[i]
		gsub(/'/, "''", line)
		print "        '" line "'" (i < n ? "," : "]))")
	}
	print "    LOOP\n        EXECUTE pg_catalog.format('DROP ROUTINE %s', old.name);\n    END LOOP;\nEND\n$upgrade$;\n"
	for (i = 1; i <= lines; i++) {
		line = text_of[i]
		if (line ~ /^\\echo/)
			continue
		sub(/^CREATE FUNCTION /, "CREATE OR REPLACE FUNCTION ", line)
		sub(/^CREATE PROCEDURE /, "CREATE OR REPLACE PROCEDURE ", line)
		sub(/^CREATE SCHEMA /, "CREATE SCHEMA IF NOT EXISTS ", line)
		if (line ~ /^CREATE / && line !~ /^CREATE (OR REPLACE|SCHEMA IF NOT EXISTS) /)
			fail("an upgrade does not know what to do with: " line)
		print line
	}
}

# The hash of a body is written by its program, as the last of three literals.
function write_table(    i, hash) {
	hash = "sha256sum | sed 's/ .*/\"},/; s/^/\\t \"/'"
	print "/* Generated by catalogue.awk. */\n#include \"base/function_table.h\"\n"
	print "const KnFunction kn_functions[] = {"
	for (i = 1; i <= n; i++) {
		print "\t{" quoted(signature[i]) ",\n\t " quoted(print_of[i])
		fflush()
		printf "%s", source[i] | hash
		close(hash)
	}
	print "};\nconst int kn_function_count = " n ";"
}

function write_definitions(    i, part, count) {
	print "/* Generated by catalogue.awk. */\n#include \"base/definition_table.h\"\n"
	print "const KnDefinition kn_definitions[] = {"
	for (i = 1; i <= lines; i++) {
		if (text_of[i] ~ /^#/)
			continue
		if (split(text_of[i], part, "\t") != 3)
			fail("not three columns: " text_of[i])
		print "\t{" quoted(part[1]) ", " quoted(part[2]) ", " quoted(part[3]) "},"
		count++
	}
	print "\t{0, 0, 0},\n};\nconst int kn_definition_count = " (count + 0) ";"
}

BEGIN {
	long["timestamptz"] = "timestamp with time zone"
	long["bool"] = "boolean"
	long["int"] = long["int4"] = "integer"
	long["int8"] = "bigint"
	long["float8"] = "double precision"
}

{
	text_of[++lines] = $0
	whole = whole "\n" $0
}

END {
	if (failed)
		exit 1
	if (what == "definitions") {
		write_definitions()
		exit 0
	}
	read_functions()
	if (what == "upgrade")
		write_upgrade()
	else
		write_table()
}
