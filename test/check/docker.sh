#!/bin/bash
# The images hold no logic: every step that builds or installs is a verb of the Makefile.
# shellcheck source=lib.bash
. "$(dirname "$0")/lib.bash"

steps() { grep -HnE '^(RUN|CMD|ENTRYPOINT|FROM) ' docker/*.Dockerfile; }

# Make itself comes first; everything after it is a verb.
verb=":RUN (make [a-z-]+( SET=[a-z]+)?|apt-get update && apt-get install -y --no-install-recommends make)\$"
result "every RUN calls make" "$(steps | grep ':RUN ' | grep -vE "$verb" || true)"
result "every image starts from a pinned Debian or PostgreSQL" \
	"$(steps | grep ':FROM ' | grep -vE ':FROM (debian:12|postgres:15-bookworm|[a-z]+)( AS [a-z]+)?$' || true)"
result "every copied file exists" "$(
	grep -HE '^COPY ' docker/*.Dockerfile | cut -d: -f2- | grep -v -- '--from=' | while read -r _ from _; do
		[ -e "$from" ] || echo "$from"
	done
)"
result "compose.yaml is YAML and names our files" "$(/usr/bin/python3 - <<-'TEXT'
	import os, yaml
	with open("docker/compose.yaml") as file:
	    services = yaml.safe_load(file)["services"]
	for name, service in services.items():
	    build = service["build"]
	    path = os.path.join("docker", build["context"], build["dockerfile"])
	    if not os.path.exists(path):
	        print(name, path)
	    for volume in service.get("volumes", []):
	        source = volume.split(":")[0]
	        if source.startswith(".") and not os.path.exists(os.path.join("docker", source)):
	            print(name, source)
TEXT
)"
if docker compose version >/dev/null 2>&1; then
	result "docker compose accepts compose.yaml" \
		"$(POSTGRES_PASSWORD=x KINTARAA_GATEWAY_PASSWORD=x docker compose -f docker/compose.yaml config -q \
			2>&1 || true)"
fi
finish
