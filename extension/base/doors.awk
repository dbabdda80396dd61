# Makes the SQL declarations of doors from the code:  awk -f doors.awk FILE.c...
#
# KN_DOOR(name, body, roles, flags, "comment") in C is the one declaration of a door.  All doors have the same
# signature and are owned by a role without log-in, which is kintaraa_dispatch where the flags say so.  What cannot be
# read ends the build with its place.

function fail(why) {
	print "doors.awk: " FILENAME ":" FNR ": " why | "cat >&2"
	failed = 1
	exit 1
}

# The texts between quotes joined, as SQL.
function comment_of(text,    joined, part) {
	while (match(text, /"([^"\\]|\\.)*"/)) {
		part = substr(text, RSTART + 1, RLENGTH - 2)
		gsub(/\\"/, "\"", part)
		joined = joined part
		text = substr(text, RSTART + RLENGTH)
	}
	gsub(/'/, "''", joined)
	return joined
}

function declare(text,    at, parts, name, owner, comment) {
	at = index(text, "\"")
	if (at == 0)
		fail("a door says what it is for")
	comment = comment_of(substr(text, at))
	split(substr(text, 1, at - 1), parts, /[(,]/)
	name = parts[2]
	owner = parts[5] ~ /KN_DOOR_DISPATCH/ ? "kintaraa_dispatch" : "kintaraa_door"
	if (name !~ /^[a-z_]+$/ || name in seen)
		fail("no name, or one that another door has: " name)
	seen[name] = 1
	print "-- API: public"
	print "CREATE FUNCTION kintaraa_api." name "("
	print "    token text, path text[], query jsonb, input jsonb, context jsonb, OUT outcome text, OUT body json)"
	print "    RETURNS record LANGUAGE C VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
	print "    AS 'MODULE_PATHNAME', 'kn_door_" name "';"
	print "COMMENT ON FUNCTION kintaraa_api." name " IS"
	print "    '" comment "';"
	print "ALTER FUNCTION kintaraa_api." name " OWNER TO " owner ";"
	print ""
}

/^KN_DOOR\(/ { inside = 1; text = "" }
inside { text = text $0 }
inside && /\);$/ { declare(text); inside = 0 }

END {
	if (!failed && inside)
		fail("a door does not end")
	exit failed
}
