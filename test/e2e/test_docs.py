"""What docs/ says is what happens: answers have the shapes of openapi.json, the tutorial's commands work."""
import json
import os
import re
import subprocess
import sys
import tempfile
import uuid

import jsonschema

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, ROOT, run_tests, wait_until  # noqa: E402

KISUMU = {"latitude": -0.1172, "longitude": 34.7617}
PASSWORD = "words that nobody else uses"
# Answered by something else than JSON, or by a connection that is no HTTP any more.
UNSHAPED = {("get", "/ws"), ("get", "/"), ("get", "/metrics")}


def resolve(document, schema):
    """The schema with references followed and objects closed, so that what is not described is an error."""
    schema = dict(schema)
    while "$ref" in schema:
        target = schema.pop("$ref").split("/")[-1]
        schema = {**document["components"]["schemas"][target], **schema}
    if "allOf" in schema:
        parts = [resolve(document, part) for part in schema.pop("allOf")]
        merged = {}
        for part in parts:
            properties = {**merged.get("properties", {}), **part.get("properties", {})}
            required = merged.get("required", []) + part.get("required", [])
            merged.update(part)
            if properties:
                merged.update(properties=properties, required=required)
        schema = {**merged, **schema}
    if "properties" in schema:
        schema["properties"] = {name: resolve(document, part) for name, part in schema["properties"].items()}
        schema.setdefault("additionalProperties", False)
    if "anyOf" in schema:
        schema["anyOf"] = [resolve(document, part) for part in schema["anyOf"]]
    if isinstance(schema.get("items"), dict):
        schema["items"] = resolve(document, schema["items"])
    return schema


class Described:
    """An Api that holds each answer against the description."""

    def __init__(self, api):
        self.api = api
        self.document = json.load(open(os.path.join(ROOT, "docs", "openapi.json"), encoding="utf-8"))
        self.seen = set()

    def operation(self, method, path):
        for pattern, item in self.document["paths"].items():
            if method in item and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path):
                return pattern, item[method]
        raise AssertionError("%s %s is not described" % (method, path))

    def schema(self, responses, status):
        answer = responses.get(str(status), responses.get("default"))
        if "$ref" in answer:
            answer = self.document["components"]["responses"][answer["$ref"].split("/")[-1]]
        content = answer.get("content", {})
        return next(iter(content.values()))["schema"] if content else None

    def call(self, method, path, body=None, token=None, expect=(200,), headers=None):
        pattern, operation = self.operation(method, path.split("?")[0])
        answer = self.api.request(method.upper(), path, body, token=token or "", headers=headers)
        assert answer.status in expect, (method, path, answer.status, answer.body)
        schema = self.schema(operation["responses"], answer.status)
        if schema is None:
            assert not answer.body, (method, path, answer.body)
        else:
            closed = resolve(self.document, schema)
            if answer.status >= 400:
                closed["additionalProperties"] = True
            jsonschema.Draft202012Validator(closed).validate(answer.body)
        if answer.status < 300:
            self.seen.add((method, pattern))
        return answer.body


class Cast:
    """One account of each kind, and the file in which make run keeps such accounts."""

    def __init__(self, cluster, on):
        self.on = on
        self.accounts = []
        code = cluster.value("SELECT kintaraa.invite('admin')")
        self.admin, _ = self.join("admin", code)
        self.dispatcher, _ = self.join("dispatcher", self.invite({"role": "dispatcher"})["code"])
        self.helper, self.team = self.staff("counseling", "Counselling team, Kisumu (demo)")
        self.other, self.second_team = self.staff("counseling", "Another counselling team")
        self.survivor, _ = self.join("survivor")
        cluster.psql("SELECT kintaraa.dispatch_refresh()")

    def join(self, role, code=None, provider_type=None):
        email = "%s-%s@example.org" % (role, uuid.uuid4().hex[:8])
        body = {"email": email, "password": PASSWORD, "firstName": "Demo"}
        if code:
            body.update(role=role, invitation=code)
        made = self.on.call("post", "/api/auth/register", body, expect=(201,))
        self.accounts.append({"email": email, "password": PASSWORD, "role": role, "providerType": provider_type})
        return made["tokens"]["access"], made["user"]["providerId"]

    def invite(self, body):
        return self.on.call("post", "/api/admin/invitations", body, self.admin, (201,))

    def staff(self, provider_type, name):
        team = {"name": name, "providerType": provider_type, "capacity": 20, "languages": ["en"], **KISUMU}
        code = self.invite({"role": "provider", "provider": team})["code"]
        return self.join("provider", code, provider_type)


def report(cast, **more):
    body = {"id": str(uuid.uuid4()), "type": "emotional", "urgencyLevel": "urgent", "isAnonymous": False,
            "supportServices": ["counseling"], "location": {"coordinates": KISUMU, "source": "gps"}, **more}
    return on.call("post", "/api/incidents", body, cast.survivor, (201,)), body


def offer_to(token, incident):
    items = on.call("get", "/api/assignments?status=pending", token=token)["items"]
    return next((item for item in items if item["incidentId"] == incident), None)


def uuid_of(body):
    return cluster.value("SELECT id::text FROM kintaraa.incident WHERE client_key = "
                         "kintaraa.client_key(owner_id, 'incident', %s)", [body["id"]])


def test_accounts_and_sessions_answer_as_described():
    email = "pair-%s@example.org" % uuid.uuid4().hex[:8]
    body = {"email": email, "password": PASSWORD}
    on.call("post", "/api/auth/register", body, expect=(201,))
    on.call("post", "/api/auth/register", body, expect=(200,))
    tokens = on.call("post", "/api/auth/login", body)["tokens"]
    on.call("post", "/api/auth/login", {**body, "password": "wrong words"}, expect=(400,))
    tokens = on.call("post", "/api/auth/refresh", {"refresh": tokens["refresh"]})["tokens"]
    token = tokens["access"]
    on.call("get", "/api/me", token=token)
    on.call("patch", "/api/me", {"firstName": "Amina", "language": "sw"}, token)
    on.call("patch", "/api/me", {"role": "admin"}, token, (403,))
    on.call("post", "/api/me/password", {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"}, token, (204,))
    sessions = on.call("get", "/api/me/sessions", token=token)["items"]
    on.call("delete", "/api/me/sessions/" + sessions[0]["id"], token=token, expect=(204,))
    on.call("post", "/api/auth/logout", {"refresh": tokens["refresh"]}, expect=(204,))
    on.call("get", "/api/me", token=token, expect=(401,))


def test_her_own_records_answer_as_described():
    records = {"safety_plan": {"codeWords": ["umbrella"], "reviewDate": "2027-01-01"},
               "emergency_contact": {"name": "Otieno", "isPrimary": True}, "preference": {"shareLocation": False},
               "mood_entry": {"mood": "sad", "intensity": 4}, "journal_entry": {"content": "words", "tags": ["a"]}}
    for noun, body in records.items():
        path = "/api/me/records/%s/mine" % noun
        made = on.call("put", path, body, cast.survivor, (201,))
        on.call("put", path, body, cast.survivor, (200,))
        on.call("get", path, token=cast.survivor)
        on.call("get", "/api/me/records/%s" % noun, token=cast.survivor)
        for name, value in body.items():
            assert made[name] == value, made
    on.call("put", "/api/me/records/journal_entry/mine", {"content": "others"}, cast.survivor, (409,),
            headers={"X-Device-Id": "another-phone"})
    on.call("get", "/api/me/records/journal_entry/mine", token=cast.helper, expect=(404,))
    on.call("delete", path, token=cast.survivor, expect=(204,))
    on.call("put", path, {"content": "late"}, cast.survivor, (410,))
    on.call("get", "/api/me/records/secrets", token=cast.survivor, expect=(404,))


def test_pulls_answer_as_described():
    report(cast)
    for token in (cast.survivor, cast.helper, cast.dispatcher):
        first = on.call("get", "/api/incidents/updates", token=token)
        assert first["incidents"] or first["assignments"], first
        on.call("get", "/api/incidents/updates?since=%d" % first["cursor"], token=token)
        on.call("get", "/api/sync/pull?last_pulled_at=null", token=token)
        on.call("get", "/api/sync/pull?last_pulled_at=%d&tombstones=hard" % first["cursor"], token=token)
    on.call("get", "/api/incidents/updates?since=yesterday", token=cast.survivor, expect=(422,))


def test_pushes_answer_as_described():
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    records = [{"table": "incidents", "id": first, "data": {"type": "physical", "supportServices": ["counseling"]}},
               {"table": "moodEntries", "id": "today", "data": {"mood": "happy"}},
               {"table": "secrets", "id": "x", "data": {}}]
    batch = {"device": "phone-1", "seq": 1, "records": records}
    results = on.call("post", "/api/sync/batch", batch, cast.survivor)["results"]
    assert [result["status"] for result in results] == ["applied", "applied", "invalid"], results
    results = on.call("post", "/api/sync/batch", {**batch, "seq": 2}, cast.survivor)["results"]
    assert results[0]["replayed"], results
    assert on.call("post", "/api/sync/batch", batch, cast.survivor)["superseded"]
    other = {"table": "incidents", "id": first, "data": {"type": "sexual"}}
    results = on.call("post", "/api/sync/batch", {"records": [other]}, cast.survivor)["results"]
    assert results[0]["status"] == "conflict" and results[0]["archiveId"], results
    on.call("post", "/api/sync/batch", {"mode": "atomic", "records": [other]}, cast.survivor, (409,))
    changes = {"incidents": {"created": [{"id": second, "type": "physical"}], "updated": [], "deleted": []}}
    on.call("post", "/api/sync/push?last_pulled_at=null", changes, cast.survivor)
    clash = {"incidents": {"updated": [{"id": first, "type": "online"}]}}
    on.call("post", "/api/sync/push", clash, cast.survivor, (409,))
    assert on.call("get", "/api/sync/archive", token=cast.survivor)["items"]
    assert on.call("get", "/api/sync/digest", token=cast.survivor)["nouns"]["incident"]["count"] >= 2
    on.call("get", "/api/sync/manifest?noun=incident", token=cast.survivor)
    note = {"table": "notes", "id": "n1", "data": {"incidentId": str(uuid.uuid4()), "text": "words"}}
    results = on.call("post", "/api/sync/batch", {"records": [note]}, cast.helper)["results"]
    assert results[0]["status"] == "parked", results
    assert on.call("get", "/api/sync/archive?reason=scope", token=cast.admin)["items"]


def test_reports_answer_as_described_to_each_reader():
    made, body = report(cast, surprise=1, description="words")
    assert made["ignored"] == [{"pointer": "/surprise", "code": "unknown_field"}], made["ignored"]
    on.call("post", "/api/incidents", body, cast.survivor, (200,))
    on.call("post", "/api/incidents", {**body, "description": "others"}, cast.survivor, (409,))
    on.call("post", "/api/incidents", {"id": "not an id"}, cast.survivor, (422,))
    on.call("post", "/api/incidents", {}, cast.survivor, (201,))
    own = "/api/incidents/" + body["id"]
    on.call("get", own, token=cast.survivor)
    on.call("patch", own, {"severity": "low", "incidentTime": "21:30"}, cast.survivor)
    account = next(account for account in cast.accounts if account["role"] == "survivor")
    signed_in = on.call("post", "/api/auth/login", {key: account[key] for key in ("email", "password")})
    on.call("patch", own, {"severity": "high", "serverVersion": 1}, signed_in["tokens"]["access"], (409,))
    on.call("get", own + "/timeline", token=cast.survivor)
    for token in (cast.survivor, cast.helper, cast.dispatcher):
        on.call("get", "/api/incidents?limit=2", token=token)
    incident = uuid_of(body)
    on.call("get", "/api/incidents/" + incident, token=cast.dispatcher)
    on.call("get", "/api/incidents/%s/recommendations" % incident, token=cast.dispatcher)
    on.call("get", "/api/incidents/" + incident, token=cast.other, expect=(404,))
    on.call("post", own + "/needs/counseling/withdraw", token=cast.survivor)
    on.call("delete", own, token=cast.survivor, expect=(204,))
    on.call("post", "/api/incidents/%s/restore" % incident, {}, cast.dispatcher, (422,))
    on.call("post", "/api/incidents/%s/restore" % incident, {"note": "She rang and asked for it."}, cast.dispatcher)


def test_assignments_answer_as_described():
    _, body = report(cast)
    incident = uuid_of(body)
    first = wait_until(lambda: offer_to(cast.helper, incident) or offer_to(cast.other, incident))
    token = cast.helper if offer_to(cast.helper, incident) else cast.other
    on.call("post", "/api/assignments/%s/accept" % first["id"], token=token)
    on.call("get", "/api/incidents/" + incident, token=token)
    need = "/api/incidents/%s/needs/counseling/" % body["id"]
    on.call("post", need + "reached", token=cast.survivor)
    note = {"table": "note", "id": str(uuid.uuid4()), "data": {"incidentId": incident, "text": "She is well."}}
    on.call("post", "/api/sync/batch", {"records": [note]}, token)
    assert on.call("get", "/api/incidents/updates", token=token)["notes"]
    on.call("get", "/api/incidents/" + incident, token=cast.dispatcher)
    on.call("post", "/api/incidents/%s/status" % incident, {"status": "new"}, token, (409,))
    on.call("post", "/api/assignments/%s/release" % first["id"], {"reason": "ill"}, token)
    rest = "/api/incidents/%s" % incident
    given = on.call("post", rest + "/assign", {"providerId": cast.team, "service": "counseling"}, cast.dispatcher,
                    (200, 201))
    on.call("post", rest + "/reassign", {"providerId": cast.second_team, "reason": "nearer", "service": "counseling"},
            cast.dispatcher, (200, 201))
    on.call("post", "/api/assignments/%s/accept" % given["id"], token=cast.helper, expect=(200, 409))
    _, body = report(cast)
    incident = uuid_of(body)
    offers = [(offer_to(token, incident), token) for token in (cast.helper, cast.other)]
    for offer, token in offers:
        if offer:
            on.call("post", "/api/assignments/%s/decline" % offer["id"], {"reason": "capacity"}, token)
    need = "/api/incidents/%s/needs/counseling/" % body["id"]
    for step, expect in (("ask", (200,)), ("unreached", (200, 409)), ("another-team", (200, 409)),
                         ("withdraw", (200,)), ("ask", (200,))):
        on.call("post", need + step, {} if step == "ask" else None, cast.survivor, expect)
    on.call("post", "/api/incidents/%s/status" % body["id"], {"status": "closed"}, cast.survivor)


def test_teams_and_dispatch_answer_as_described():
    on.call("get", "/api/providers?near=-0.1,34.7&limit=3", token=cast.dispatcher)
    on.call("get", "/api/providers?type=counseling", token=cast.helper)
    on.call("get", "/api/providers/me", token=cast.helper)
    on.call("patch", "/api/providers/me", {"skills": ["trauma"], "hours": {"mon": [["22:00", "06:00"]]}}, cast.helper)
    on.call("patch", "/api/providers/me", {"hours": None}, cast.helper)
    on.call("put", "/api/providers/me/availability", {"available": True}, cast.helper)
    on.call("put", "/api/providers/me/availability", {}, cast.helper, (422,))
    report(cast, supportServices=["police"])
    assert on.call("get", "/api/dispatch/queue", token=cast.dispatcher)["items"]
    on.call("get", "/api/dispatch/dashboard", token=cast.dispatcher)
    on.call("get", "/api/dispatch/coverage?points=-0.1,34.7;1,36", token=cast.dispatcher)
    on.call("get", "/api/dispatch/queue", token=cast.survivor, expect=(403,))
    for token in (cast.survivor, cast.helper):
        on.call("get", "/api/dispatch/duty", token=token, expect=(403,))
    people = on.call("get", "/api/dispatch/duty", token=cast.dispatcher)["people"]
    entry = {"accountId": people[0]["accountId"], "kind": "officer", "from": "2099-01-01T20:00:00Z",
             "to": "2099-01-02T06:00:00+03:00"}
    on.call("post", "/api/dispatch/duty", entry, cast.dispatcher, (422,))
    entry["from"], entry["to"] = (cluster.value("SELECT to_char((now() + %s::interval) AT TIME ZONE 'UTC', "
                                                "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", [step])
                                  for step in ("1 day", "2 days"))
    duty = on.call("post", "/api/dispatch/duty", entry, cast.dispatcher, (201,))
    on.call("post", "/api/dispatch/duty", entry, cast.admin, (200,))
    on.call("post", "/api/dispatch/duty", {**entry, "to": entry["to"].replace("Z", "+00:01")}, cast.admin, (409,))
    assert on.call("get", "/api/dispatch/duty", token=cast.dispatcher)["items"]
    on.call("delete", "/api/dispatch/duty/" + duty["id"], token=cast.helper, expect=(403,))
    for _ in range(2):
        on.call("delete", "/api/dispatch/duty/" + duty["id"], token=cast.dispatcher, expect=(204,))
    notices = on.call("get", "/api/notifications", token=cast.dispatcher)["items"]
    on.call("post", "/api/notifications/%s/read" % notices[0]["id"], token=cast.dispatcher, expect=(204,))


def test_administration_answers_as_described():
    accounts = on.call("get", "/api/admin/accounts?limit=3", token=cast.admin)
    assert accounts["next"]
    on.call("get", "/api/admin/accounts?after=" + accounts["next"], token=cast.admin)
    token, _ = cast.join("analyst", cast.invite({"role": "analyst"})["code"])
    account = on.call("get", "/api/me", token=token)["user"]["id"]
    on.call("post", "/api/admin/accounts/%s/deactivate" % account, token=cast.admin, expect=(204,))
    on.call("get", "/api/admin/settings", token=cast.admin)
    on.call("put", "/api/admin/settings/minimum_app_version", {"value": "1.2.3"}, cast.admin)
    for kind in ("routing", "escalation", "retention"):
        policy = on.call("get", "/api/admin/policies/" + kind, token=cast.admin)
        on.call("put", "/api/admin/policies/" + kind, {"body": policy["body"]}, cast.admin)
    on.call("get", "/api/admin/audit?limit=100", token=cast.admin)


def test_the_gateways_own_pages_answer_as_described():
    for path in ("/healthz", "/readyz", "/.well-known/jwks.json", "/api/openapi.json"):
        on.call("get", path)
    described = {key for key in ((method, path) for path, item in on.document["paths"].items() for method in item)}
    assert not described - on.seen - UNSHAPED, described - on.seen - UNSHAPED


def test_the_gateway_serves_the_description_of_the_repository():
    assert on.api.get("/api/openapi.json").body == on.document


def tutorial():
    """The commands of docs/tutorial.md that work on a running instance."""
    page = open(os.path.join(ROOT, "docs", "tutorial.md"), encoding="utf-8").read()
    return re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S)


def test_the_commands_of_the_tutorial_work():
    """Each block is typed when the one before is done, and what the socket should tell by then has been told."""
    heard = {2: '"hello.result"', 3: '"assignment.new"'}
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, ".run"))
        with open(os.path.join(folder, ".run", "accounts.json"), "w", encoding="utf-8") as file:
            json.dump(cast.accounts, file)
        path = os.path.join(folder, "seen")
        with open(path, "w", encoding="utf-8") as out:
            shell = subprocess.Popen(["bash", "-euo", "pipefail"], cwd=folder, stdin=subprocess.PIPE, text=True,
                                     stdout=out, stderr=subprocess.STDOUT)

        def seen():
            return open(path, encoding="utf-8").read()

        def type_block(number, block):
            shell.stdin.write(block.replace("http://127.0.0.1:8080", gateway.url) + "\necho done with %d\n" % number)
            shell.stdin.flush()
            for wanted in ("done with %d" % number, heard.get(number, "")):
                wait_until(lambda: wanted in seen(), what="%s in:\n%s" % (wanted, seen()[-1000:]))

        try:
            for number, block in enumerate(tutorial()):
                type_block(number, block)
            shell.stdin.close()
            assert shell.wait(20) == 0, seen()
        finally:
            shell.kill()
        shown = seen()
    for wanted in ("KIN-", "404", "accepted", "I would like to talk to somebody.", "completed", '"assignment.updated"'):
        assert wanted in shown, (wanted, shown)


if __name__ == "__main__":
    with Cluster("docs") as cluster, Gateway(cluster) as gateway:
        on = Described(gateway.api())
        cast = Cast(cluster, on)
        sys.exit(run_tests(globals()))
