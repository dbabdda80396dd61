"""Holds the descriptions of our interfaces against the code; prints TAP.

Sources of truth: gateway/routes.c (routes, lanes, tokens), KN_DOOR(...) in extension/ (doors, roles), sql/*.sql
(doors and functions), the frame literals of gateway/ and extension/sync/.
"""
import glob
import json
import os
import re
import sys

import jsonschema

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
os.chdir(ROOT)

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
ROLES = {"SURVIVOR": "survivor", "PROVIDER": "provider", "DISPATCHER": "dispatcher", "ADMIN": "admin",
         "ANALYST": "analyst"}

# The parts of OpenAPI 3.1 that we use, closed: a misspelt word is an error.  x- words may be anywhere.
TEXT = {"type": "string", "minLength": 1}
REF = {"type": "object", "properties": {"$ref": {"type": "string", "pattern": "^#/components/"}},
       "required": ["$ref"], "additionalProperties": False}


def closed(properties, required=()):
    return {"type": "object", "properties": properties, "required": list(required),
            "patternProperties": {"^x-": True}, "additionalProperties": False}


def named(pattern, value, least=1):
    return {"type": "object", "patternProperties": {pattern: value}, "additionalProperties": False,
            "minProperties": least}


CONTENT = named("^[a-z]+/[a-z0-9.+-]+$", closed({"schema": {"type": "object"}, "example": True}, ["schema"]))
RESPONSE = closed({"description": TEXT, "content": CONTENT}, ["description"])
PARAMETER = closed({"name": TEXT, "in": {"enum": ["query", "header", "path"]}, "required": {"type": "boolean"},
                    "description": TEXT, "schema": {"type": "object"}}, ["name", "in", "description", "schema"])
SECURITY = {"type": "array", "items": {"type": "object", "additionalProperties": {"type": "array", "maxItems": 0}}}
OPERATION = closed({
    "operationId": {"type": "string", "pattern": "^[a-z_]+$"}, "tags": {"type": "array", "items": TEXT, "minItems": 1},
    "summary": {"type": "string", "pattern": "[^.]$"}, "description": TEXT, "security": SECURITY,
    "parameters": {"type": "array", "items": {"anyOf": [REF, PARAMETER]}, "minItems": 1},
    "requestBody": closed({"required": {"type": "boolean"}, "content": CONTENT}, ["required", "content"]),
    "responses": named("^([1-5][0-9][0-9]|default)$", {"anyOf": [REF, RESPONSE]}),
    "x-lane": {"enum": ["sos", "normal", "hash", "file", "report"]},
    "x-roles": {"type": "array", "items": {"enum": sorted(ROLES.values())}, "uniqueItems": True, "minItems": 1}},
    ["operationId", "tags", "summary", "responses", "x-lane"])
DOCUMENT = closed({
    "openapi": {"const": "3.1.0"},
    "info": closed({"title": TEXT, "version": TEXT, "summary": TEXT, "description": TEXT}, ["title", "version"]),
    "servers": {"type": "array", "items": closed({"url": TEXT}, ["url"])},
    "security": SECURITY,
    "tags": {"type": "array", "items": closed({"name": TEXT, "description": TEXT}, ["name"])},
    "paths": named("^/", closed({method: OPERATION for method in METHODS})),
    "components": closed({
        "securitySchemes": named("^[a-z]+$", closed({"type": {"const": "http"}, "scheme": {"const": "bearer"},
                                                     "bearerFormat": TEXT}, ["type", "scheme"])),
        "parameters": named("^[A-Za-z]+$", PARAMETER), "responses": named("^[A-Za-z]+$", RESPONSE),
        "schemas": named("^[A-Za-z]+$", {"type": "object"})})},
    ["openapi", "info", "paths", "components"])
# What our schemas are written in; JSON Schema itself would let a misspelt keyword pass.
KEYWORDS = {"type", "description", "format", "enum", "const", "properties", "required", "items", "additionalProperties",
            "anyOf", "allOf", "$ref", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern",
            "default"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def without_comments(text):
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def routes():
    """Of gateway/routes.c: (method, path) -> (door, lane, needs a token)."""
    row = re.compile(r'\{(\w+),\s*"([^"]+)",\s*(?:"(\w+)"|NULL),\s*(\w+),\s*(TOKEN|OPEN),\s*(ROUTE_\w+)\}')
    return {(m[1].lower(), m[2]): (m[3], m[4].lower(), m[5] == "TOKEN")
            for m in row.finditer(without_comments(read("gateway/routes.c")))}


def door_roles():
    """Of the KN_DOOR lines: door -> set of roles, empty for an open one."""
    found = {}
    for path in glob.glob("extension/*/*.c"):
        for m in re.finditer(r"^KN_DOOR\((\w+),\s*\w+,\s*([^\";]*?),\s*([^,\";]*),\s*\"", read(path), re.M | re.S):
            words = re.findall(r"KN_ROLE_(\w+)", m[2])
            found[m[1]] = (set(ROLES.values()) if "ANY" in words else
                           set() if "NONE" in words else {ROLES[word] for word in words})
    return found


def operations(document):
    return {(method, path): operation for path, item in document["paths"].items()
            for method, operation in item.items() if method in METHODS}


def difference(left, right, text):
    return [text % " ".join(map(str, item)) if isinstance(item, tuple) else text % item
            for item in sorted(left - right, key=str)]


def check_structure(document):
    validator = jsonschema.Draft202012Validator(DOCUMENT)
    return ["%s: %s" % ("/".join(map(str, error.absolute_path)), error.message.splitlines()[0][:200])
            for error in validator.iter_errors(document)]


def check_routes(document):
    ours, theirs = set(routes()), set(operations(document))
    return (difference(ours, theirs, "%s is not described") + difference(theirs, ours, "%s is no route") +
            ([] if ours else ["no route was found"]))


def check_operations(document):
    """Names, lanes, tokens and roles of each operation are those of the code."""
    bad, roles, seen = [], door_roles(), set()
    for key, operation in operations(document).items():
        door, lane, token = routes().get(key, (None, None, None))
        name = " ".join(key)
        if operation["operationId"] in seen:
            bad.append("%s: operationId is taken" % name)
        seen.add(operation["operationId"])
        if door and operation["operationId"] != door:
            bad.append("%s: operationId is not %s" % (name, door))
        if lane and operation["x-lane"] != lane:
            bad.append("%s: x-lane is not %s" % (name, lane))
        security = operation.get("security", document["security"])
        if token is not None and token != (security != [] and {} not in security):
            bad.append("%s: %s a token" % (name, "needs" if token else "needs no"))
        if door in roles and roles[door] != set(operation.get("x-roles", [])):
            bad.append("%s: x-roles is not %s" % (name, " ".join(sorted(roles[door])) or "absent"))
    return bad


def schemas_of(node, place=""):
    """Every schema of the document with its place."""
    if isinstance(node, dict):
        for key, value in node.items():
            here = "%s/%s" % (place, key)
            if key == "schema":
                yield here, value
            elif key == "schemas":
                for name, schema in value.items():
                    yield "%s/%s" % (here, name), schema
            else:
                yield from schemas_of(value, here)
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from schemas_of(value, "%s/%d" % (place, at))


def parts_of(schema, place):
    """A schema and the schemas in it."""
    yield place, schema
    for name, part in schema.get("properties", {}).items():
        yield from parts_of(part, "%s/%s" % (place, name))
    for keyword in ("anyOf", "allOf"):
        for part in schema.get(keyword, []):
            yield from parts_of(part, place)
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield from parts_of(schema[keyword], place + "/" + keyword)


def check_schemas(document):
    bad = []
    for place, schema in schemas_of(document):
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            bad.append("%s: %s" % (place, error.message))
            continue
        for where, part in parts_of(schema, place):
            bad += ["%s: unknown keyword %s" % (where, word) for word in part if word not in KEYWORDS]
            bad += ["%s: requires %s, which it does not describe" % (where, name)
                    for name in part.get("required", []) if name not in part.get("properties", {})]
    return bad


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def check_references(document):
    used = set(references(document))
    known = {"#/components/%s/%s" % (kind, name) for kind, things in document["components"].items()
             if kind != "securitySchemes" for name in things}
    return difference(used, known, "%s is not there") + difference(known, used, "%s is not used")


def check_parameters(document):
    """Each {segment} of a path is a required parameter, and no other is."""
    bad = []
    for (method, path), operation in operations(document).items():
        given = [document["components"]["parameters"][parameter["$ref"].split("/")[-1]]
                 if "$ref" in parameter else parameter for parameter in operation.get("parameters", [])]
        names = {parameter["name"] for parameter in given if parameter["in"] == "path" and parameter.get("required")}
        if names != set(re.findall(r"\{(\w+)\}", path)):
            bad.append("%s %s" % (method, path))
    return bad


def check_http_page(document):
    page = set(re.findall(r"^### `?([A-Z]+) (/\S*?)`?$", read("docs/http-api.md"), re.M))
    ours = {(method.upper(), path) for method, path in routes()}
    return difference(ours, page, "%s has no heading") + difference(page, ours, "%s is no route")


def sql_functions():
    """(schema, name) -> the comment lines above it, of every function and procedure of sql/*.sql, and of the doors."""
    found = {("kintaraa_api", name): "" for name in door_roles()}
    for path in sorted(glob.glob("sql/*.sql")):
        for m in re.finditer(r"((?:^--[^\n]*\n)*)^CREATE (?:FUNCTION|PROCEDURE) (kintaraa\w*)\.(\w+)\s*\(",
                             read(path), re.M):
            found[(m[2], m[3])] = m[1]
    return found


def check_declarations(_):
    """No function is declared twice with the same parameters, which CREATE EXTENSION would refuse."""
    seen, bad = {}, []
    for path in sorted(glob.glob("sql/*.sql")):
        for m in re.finditer(r"^CREATE (?:FUNCTION|PROCEDURE) (kintaraa\w*\.\w+)\s*\(([^;]*?)\)\s*(?:RETURNS|LANGUAGE)",
                             read(path), re.M):
            key = (m[1], re.sub(r"--[^\n]*|\s+|DEFAULT [^,]*", "", m[2]))
            if key in seen:
                bad.append("%s: in %s and %s" % (m[1], seen[key], path))
            seen[key] = path
    return bad


def check_gateway_codes(_):
    """Codes of the gateway: gateway/problem.c and docs/errors.md."""
    ours = set(re.findall(r'"(GW\d{3})"', read("gateway/problem.c")))
    page = set(re.findall(r"^\| (GW\d{3}) ", read("docs/errors.md"), re.M))
    return difference(ours, page, "%s is not in the page") + difference(page, ours, "%s is in no code")


def check_sql_page(_):
    """Headings of docs/sql-api.md: every door, and every function that says API: public."""
    functions = sql_functions()
    ours = {"%s.%s" % key for key, comment in functions.items()
            if key[0] == "kintaraa_api" or "API: public" in comment}
    page = set(re.findall(r"^### `?(kintaraa\w*\.\w+)", read("docs/sql-api.md"), re.M))
    return (difference(ours, page, "%s has no heading") + difference(page, ours, "%s is no public function") +
            ([] if ours else ["no function was found"]))


def check_doors(_):
    """Every door of a route is declared."""
    wanted = {door for door, _, _ in routes().values() if door}
    return difference(wanted, set(door_roles()), "%s is not in extension/")


def frame_types():
    """The words that stand as "type" in frames: what the gateway reads and writes, what the feed writes."""
    found = set()
    for path in glob.glob("gateway/ws*.c") + glob.glob("extension/sync/*.c"):
        for line in read(path).splitlines():
            if re.search(r'"type"\s*,|strcmp\(type,|kn_news_frame\(|\\"type\\"', line):
                found |= set(re.findall(r'"([a-z]+(?:\.[a-z]+)+|hello|ping|pong|error)"', line))
                found |= set(re.findall(r'\\"type\\":\s*\\"([a-z.]+)\\"', line))
    return found


def check_events_page(_):
    ours = frame_types()
    page = set(re.findall(r"^### `([a-z.]+)`", read("docs/events.md"), re.M))
    return (difference(ours, page, "%s has no heading") + difference(page, ours, "%s is in no code") +
            ([] if ours else ["no frame was found"]))


def check_sync_page(document):
    """Tables and members of a pull: extension/sync/wire.c, docs/sync.md and the description."""
    rows = re.findall(r'^\t\{"(\w+)",\s*"(\w+)",\s*"(\w+)"\},', read("extension/sync/wire.c"), re.M)
    members, tables = {row[1] for row in rows}, {row[2] for row in rows}
    page, schemas = read("docs/sync.md"), document["components"]["schemas"]
    return (["%s is not in docs/sync.md" % name for name in sorted(members | tables)
             if '"%s"' % name not in page and "`%s`" % name not in page] +
            difference(members, set(schemas["Updates"]["properties"]), "%s is not in Updates") +
            difference(tables, set(schemas["Pull"]["properties"]["changes"]["properties"]), "%s is not in Pull") +
            ([] if rows else ["no table was found"]))


CHECKS = (
    ("docs/openapi.json has the form of OpenAPI 3.1", check_structure),
    ("docs/openapi.json describes every route and no other", check_routes),
    ("names, lanes, tokens and roles are those of the code", check_operations),
    ("every schema is valid JSON Schema of known words", check_schemas),
    ("every reference leads somewhere and every component is used", check_references),
    ("every variable segment is a parameter", check_parameters),
    ("docs/http-api.md has a heading for every route and no other", check_http_page),
    ("every door of a route is in SQL and in C", check_doors),
    ("no function is declared twice", check_declarations),
    ("docs/errors.md lists the gateway's codes and no other", check_gateway_codes),
    ("docs/sql-api.md has a heading for every public function and no other", check_sql_page),
    ("docs/sync.md names every table", check_sync_page),
    ("docs/events.md has a heading for every frame and no other", check_events_page),
)


def main():
    document = json.loads(read("docs/openapi.json"))
    failed = 0
    for number, (name, check) in enumerate(CHECKS, 1):
        try:
            places = check(document)
        except (KeyError, OSError, TypeError) as error:
            places = ["%s: %s" % (type(error).__name__, error)]
        failed += bool(places)
        print("%s %d - %s" % ("not ok" if places else "ok", number, name))
        for place in places[:50]:
            print("# %s" % place)
    print("1..%d" % len(CHECKS))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
