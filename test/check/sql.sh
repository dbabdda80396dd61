#!/bin/bash
# What the SQL says of itself, as text and as the catalogue knows it, and that released migrations stay.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

result "sql/ creates and never replaces" "$(grep -niE 'OR +REPLACE' sql/*.sql || true)"

# A statement from CREATE FUNCTION to the semicolon that ends its declaration, one a line.
declarations() {
	/usr/bin/python3 - sql/*.sql <(awk -f extension/base/doors.awk extension/*/*.c) <<-'TEXT'
		import re, sys
		for path in sys.argv[1:]:
		    text = re.sub(r"--[^\n]*", "", open(path, encoding="utf-8").read())
		    text = re.sub(r"(\$[a-z_]*\$).*?\1", "'body'", text, flags=re.S)
		    for found in re.finditer(r"CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\b[^;]*;", text, re.I):
		        print(path + ": " + " ".join(found.group().split()))
	TEXT
}
result "every function says its volatility" \
	"$(declarations | grep -viE '\b(IMMUTABLE|STABLE|VOLATILE)\b' | cut -c1-120 || true)"
result "every function says whether it is parallel safe" \
	"$(declarations | grep -viE '\bPARALLEL (SAFE|RESTRICTED|UNSAFE)\b' | cut -c1-120 || true)"

changed() {
	local sum file
	while read -r sum file; do
		case $sum in '' | '#'*) continue ;; esac
		[ "$(sha256sum "$file" 2>/dev/null | cut -d' ' -f1)" = "$sum" ] || echo "$file"
	done <test/check/frozen
}
result "released migrations have not changed" "$(changed)"

# A database keeps the version that it has until the number is another one.
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" extension/kintaraa.control)
code=$({ cat sql/*.sql && awk -f extension/base/doors.awk extension/*/*.c; } | sha256sum | cut -d' ' -f1)
result "code that differs from what was released has a version of its own" "$(
	while read -r released hash; do
		[ "$released" != "$version" ] || [ "$hash" = "$code" ] || echo "sql/ is not what was released as $released"
	done < <(grep -v '^#' extension/released)
)"

result "migrations are numbered without a gap" "$(
	expected=0
	for file in migrations/[0-9]*.sql; do
		expected=$((expected + 1))
		number=$(basename "$file" | cut -c1-4)
		[ "$((10#$number))" -eq "$expected" ] || echo "$file is not number $expected"
	done
)"

locks() {
	# the first eighteen were released before this rule
	/usr/bin/python3 test/check/locks.py $(printf '%s\n' migrations/[0-9]*.sql | tail -n +19)
}
result "no migration keeps writers waiting without a reason" "$(locks)"

# What is found, what may stand, and one line for each rule.
heavy=$(mktemp)
cat >"$heavy" <<-'TEXT'
	CREATE INDEX a ON kintaraa.incident (id);
	ALTER TABLE kintaraa.incident ALTER COLUMN id TYPE text;
	ALTER TABLE kintaraa.incident ADD COLUMN a uuid DEFAULT pg_catalog.gen_random_uuid();
	ALTER TABLE kintaraa.incident ADD a integer GENERATED ALWAYS AS (1) STORED;
	ALTER TABLE kintaraa.incident ADD CONSTRAINT a CHECK (true);
	ALTER TABLE kintaraa.incident ADD COLUMN a uuid REFERENCES kintaraa.account;
	ALTER TABLE kintaraa.incident ALTER id SET NOT NULL;
	ALTER DOMAIN kintaraa.need_state ADD CONSTRAINT a CHECK (true);
	ALTER TABLE kintaraa.incident DISABLE TRIGGER ALL;
	-- a comment; -- locks are no reason
	UPDATE kintaraa.incident SET id = id;
	WITH a AS (SELECT) DELETE FROM kintaraa.incident;
	LOCK TABLE kintaraa.incident;
	DO $$ DECLARE a integer; BEGIN UPDATE kintaraa.incident SET id = id; END $$;
	-- locks: it is short
	UPDATE kintaraa.incident SET id = id;
	CREATE TABLE kintaraa.a (id uuid NOT NULL REFERENCES kintaraa.incident);
	CREATE INDEX a ON kintaraa.a (id);
	ALTER TABLE kintaraa.incident ADD COLUMN a timestamptz NOT NULL DEFAULT pg_catalog.now(), ADD b text;
	ALTER TABLE kintaraa.incident ADD CONSTRAINT a CHECK (true) NOT VALID;
TEXT
result "each rule about locks finds what breaks it, and nothing else" "$(
	found=$(/usr/bin/python3 test/check/locks.py "$heavy" | sed 's/: [^:]*$//')
	[ "$(wc -l <<<"$found")" -eq 13 ] && [ "$(sort -u <<<"$found" | wc -l)" -eq 12 ] || echo "$found"
)"
rm "$heavy"

catalogue=$(/usr/bin/python3 test/check/catalogue.py)
for rule in search_path public definitions; do
	case $rule in
		search_path) name="every function has its search_path pinned" ;;
		public) name="nobody in general may execute a function of ours" ;;
		definitions) name="migrations/definitions is what the migrations make; test/check/catalogue.py write" ;;
	esac
	result "$name" "$(sed -n "s/^$rule //p" <<<"$catalogue")"
done
finish
