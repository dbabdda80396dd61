#!/bin/bash
# The settings of both programs and docs/configuration.md are the same list.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

in_extension() {
	grep -hA2 -E 'DefineCustom[A-Za-z]+Variable\(|^[[:space:]]*\{?"kintaraa\.' $(ours 'extension/*.c') |
		grep -oE '"kintaraa\.[a-z_]+"' | tr -d '"' | sort -u
}
in_gateway() { grep -ohE '"KINTARAA_[A-Z0-9_]+"' $(ours 'gateway/*.c') | tr -d '"' | sort -u; }
in_docs() { grep -oE "$1" docs/configuration.md | sort -u; }

result "every setting of the extension is in docs/configuration.md" \
	"$(comm -23 <(in_extension) <(in_docs '\bkintaraa\.[a-z_]+'))"
result "every setting of the gateway is in docs/configuration.md" \
	"$(comm -23 <(in_gateway) <(in_docs '\bKINTARAA_[A-Z0-9_]+'))"
result "docs/configuration.md names no other setting of the gateway" \
	"$(comm -13 <(in_gateway) <(in_docs '\bKINTARAA_[A-Z0-9_]+'))"
result "there are settings at all" "$([ -n "$(in_extension)" ] && [ -n "$(in_gateway)" ] || echo none)"
finish
