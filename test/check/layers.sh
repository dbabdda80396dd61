#!/bin/bash
# Includes point one way: a room of the extension includes itself and the rooms written before it, and each
# foreign library of the gateway is included by the few files that stand for it.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

rooms=(base keys trail identity access cases sync keep worker)

place_of() {
	local index
	for index in "${!rooms[@]}"; do
		[ "${rooms[index]}" != "$1" ] || echo "$index"
	done
}

upward_includes() {
	local file line room other mine theirs
	grep -HoE '^#include "[^"]+"' $(ours 'extension/*/*.[ch]') | while IFS=: read -r file line; do
		room=$(cut -d/ -f2 <<<"$file")
		other=$(sed -E 's|.*"([^"]+)"|\1|' <<<"$line")
		# The server has a folder access/ as well.
		[ ! -f "/usr/include/postgresql/15/server/$other" ] || continue
		mine=$(place_of "$room")
		theirs=$(place_of "${other%%/*}")
		if [ -z "$mine" ]; then
			echo "$file lies in a room that is not in the list"
		elif [ "$other" = "${other#*/}" ] || [ -z "$theirs" ]; then
			[ ! -f "extension/$room/$other" ] ||
				echo "$file includes \"$other\" without its room"
		elif [ "$theirs" -gt "$mine" ]; then
			echo "$file includes $other, which stands above it"
		fi
	done
}
result "rooms include only rooms written before them" "$(upward_includes)"

result "no header of ours hides one of the server" "$(
	for file in $(ours 'extension/*/*.h'); do
		[ ! -f "/usr/include/postgresql/15/server/${file#extension/}" ] || echo "$file"
	done
)"

result "no statement names the table of the barred but those made of the one text" \
	"$(grep -nE 'kintaraa\.barred\b' $(ours 'extension/*.[ch]') | grep -v '^extension/access/' || true)"

# Library, then the files of the gateway that may include it.
allowed() {
	cat <<-'TEXT'
		libpq-fe.h   db.c db_*.c db.h db_link.h listen.c
		wslay/       ws.c ws_*.c ws_socket.h
		jwt.h        keys.c token.c
		jansson      jansson_prelude.h problem.c keys.c token.c listen.c watch.c ws_command.c
		openssl/     keys.c token.c tls.c stream.c ws_handshake.c main.c
		zlib.h       inflate.c
		argon2.h
		postgres.h
	TEXT
}

foreign_includes() {
	local header files file name pattern found
	while read -r header files; do
		for file in $(ours 'gateway/*.[ch]'); do
			grep -qE "^#include [<\"]$header" "$file" || continue
			name=$(basename "$file")
			found=
			for pattern in $files; do
				# shellcheck disable=SC2053
				[[ $name == $pattern ]] && found=yes
			done
			[ -n "$found" ] || echo "$file includes $header"
		done
	done < <(allowed)
}
result "each library of the gateway has its few files" "$(foreign_includes)"

pure=(http_parse http_head http_body url utf8 json_check json_mend json_text routes config address)
result "parsers and tables of the gateway stand on the C library alone" "$(
	for name in "${pure[@]}"; do
		grep -nE '^#include <(event2|openssl|jansson|jwt|wslay|libpq|zlib)' "gateway/$name".[ch] /dev/null || true
	done 2>/dev/null
)"

result "the gateway includes nothing of the extension" \
	"$(grep -nE '^#include ".*(extension/|\.\./)' $(ours 'gateway/*.[ch]') || true)"

result "the extension speaks of no transport" \
	"$(grep -nE '\bHTTP|\bhttp[_ ]' $(ours 'extension/*.[ch]' 'sql/*.sql') /dev/null || true)"

finish
