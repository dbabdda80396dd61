#!/bin/bash
# docs/openapi.json and gateway/routes.c say the same; docs/http-api.md, docs/sql-api.md and
# docs/events.md name every route, door and frame and no other.
exec /usr/bin/python3 "$(dirname "$0")/openapi.py"
