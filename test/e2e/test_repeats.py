#!/usr/bin/python3
"""The same request again is safe: every route that changes something, six times, with answers that get lost.

The routes are those of docs/openapi.json, so that a new one is noticed here. Of each action three in ten answers are
dropped after the request was sent; the others are the same, and what was done was done once.
"""
import json
import os
import random
import socket
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster, Gateway, run_tests  # noqa: E402
from play import Stage, load  # noqa: E402

ROUNDS, TIMES, LOST = 4, 6, 0.3
# What differs between two answers to one request: clocks, and what is made anew for each session.
LOOSE = {"serverTime", "tokens", "deviceToken", "epoch", "cursor"}


def token(who):
    return stage.value("SELECT token FROM play.person WHERE name = %s", who)


def count(table, where="true"):
    return stage.value("SELECT count(*) FROM kintaraa.%s WHERE %s" % (table, where))


def stamps():
    """The versions of everything that is stamped: what was done twice shows here."""
    return stage.value("SELECT COALESCE(sum(version), 0) FROM kintaraa.change WHERE noun NOT IN ('session')")


def new_report(who="amina", services=("medical",)):
    answer = api.post("/api/incidents", {"id": str(uuid.uuid4()), "supportServices": list(services)}, token=token(who))
    assert answer.status == 201, answer
    return answer.body["incident"]["id"] if "incident" in answer.body else answer.body["id"]


def offered(who="clinic"):
    incident = new_report()
    # the id as helpers know it is hers: she sent a UUID that nobody had
    return stage.value("SELECT a.id::text FROM kintaraa.assignment a WHERE a.incident_bucket = %s "
                       "AND a.provider_id = (SELECT provider FROM play.person WHERE name = %s)", incident, who)


def accepted():
    offer = offered()
    assert api.post("/api/assignments/%s/accept" % offer, token=token("clinic")).status == 200
    return offer


def person():
    return {"email": "repeat%s@example.org" % uuid.uuid4().hex[:8], "password": "three wet goats"}


def joined():
    body = person()
    return body, api.post("/api/auth/register", body).body


def case_of(offer):
    return stage.value("SELECT incident_bucket::text FROM kintaraa.assignment WHERE id = %s", offer)


# Each makes a new action: path values, body, token. None of them is sent twice by accident: ids are new each time.
def action(route, n):
    who, values, body, headers = "amina", {}, None, {}
    if route == "POST /api/auth/register":
        who, body = None, person()
    elif route == "POST /api/auth/login":
        who, body = None, joined()[0]
    elif route in ("POST /api/auth/refresh", "POST /api/auth/logout"):
        who, body = None, {"refresh": joined()[1]["tokens"]["refresh"]}
    elif route == "PATCH /api/me":
        version = api.get("/api/me", token=token(who)).body["user"]["serverVersion"]
        body, headers = {"firstName": "Name %d" % n}, {"If-Match": '"%d"' % version}
    elif route == "POST /api/me/password":
        made = joined()
        who = made[1]["tokens"]["access"]
        body = {"currentPassword": made[0]["password"], "newPassword": "four wet goats"}
    elif route == "DELETE /api/me/sessions/{id}":
        made = joined()
        who = made[1]["tokens"]["access"]
        api.post("/api/auth/login", made[0])
        items = api.get("/api/me/sessions", token=who).body["items"]
        values = {"id": next(item["id"] for item in items if not item["isCurrent"])}
    elif route in ("PUT /api/me/records/{noun}/{id}", "DELETE /api/me/records/{noun}/{id}"):
        values, body = {"noun": "mood_entry", "id": uuid.uuid4().hex}, {"mood": "sad", "intensity": n + 1}
        if route.startswith("DELETE"):
            made = api.put("/api/me/records/mood_entry/" + values["id"], body, token=token(who))
            assert made.status in (200, 201), made
            body = None
    elif route == "POST /api/incidents":
        body = {"id": str(uuid.uuid4()), "description": "once"}
    elif route == "POST /api/sync/batch":
        body = {"records": [{"id": str(uuid.uuid4()), "noun": "incident", "data": {"description": "once"}}]}
    elif route == "POST /api/sync/push":
        return None  # its replays are a suite of their own: test/clients
    elif route == "PATCH /api/incidents/{id}":
        values, body = {"id": new_report()}, {"description": "changed"}
        version = api.get("/api/incidents/" + values["id"], token=token(who)).body["serverVersion"]
        headers = {"If-Match": '"%d"' % version}
    elif route == "DELETE /api/incidents/{id}":
        values = {"id": new_report()}
    elif route == "POST /api/incidents/{id}/status":
        who, body = "clinic", {"status": "in_progress"}
        values = {"id": case_of(accepted())}
    elif route == "POST /api/incidents/{id}/needs/{service}/withdraw":
        values = {"id": new_report(), "service": "medical"}
    elif route in ("POST /api/incidents/{id}/needs/{service}/reached",
                   "POST /api/incidents/{id}/needs/{service}/unreached",
                   "POST /api/incidents/{id}/needs/{service}/another-team",
                   "POST /api/incidents/{id}/needs/{service}/ask"):
        values = {"id": case_of(accepted()), "service": "medical"}
    elif route == "POST /api/incidents/{id}/restore":
        body = person()
        who = api.post("/api/auth/register", body).body["tokens"]["access"]
        values, made = {"id": str(uuid.uuid4())}, body
        assert api.post("/api/incidents", {"id": values["id"]}, token=who).status == 201
        assert api.delete("/api/incidents/" + values["id"], token=who).status in (200, 204)
        who, body = api.post("/api/auth/login", made).body["tokens"]["access"], None
    elif route in ("POST /api/incidents/{id}/assign", "POST /api/incidents/{id}/reassign"):
        who, values = "dora", {"id": new_report(services=["legal"])}
        body = {"providerId": stage.value("SELECT provider::text FROM play.person WHERE name = 'lawyer'"),
                "reason": "closest"}
    elif route == "POST /api/assignments/{id}/accept":
        who, values = "clinic", {"id": offered()}
    elif route == "POST /api/assignments/{id}/decline":
        who, values, body = "clinic", {"id": offered()}, {"reason": "other"}
    elif route == "POST /api/assignments/{id}/release":
        who, values, body = "clinic", {"id": accepted()}, {"reason": "ill"}
    elif route == "PATCH /api/providers/me":
        who, body = "clinic", {"capacity": 500 + n}
    elif route == "PUT /api/providers/me/availability":
        who, body = "clinic", {"available": True}
    elif route in ("POST /api/dispatch/duty", "DELETE /api/dispatch/duty/{id}"):
        day = 86400 * next(days)
        who = "dora"
        body = {"kind": "dispatcher", "accountId": stage.value("SELECT id::text FROM play.person WHERE name = 'dora'"),
                "from": time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime(time.time() + day)),
                "to": time.strftime("%Y-%m-%dT08:00:00Z", time.gmtime(time.time() + day))}
        if route.startswith("DELETE"):
            values, body = {"id": api.post("/api/dispatch/duty", body, token=token(who)).body["id"]}, None
    elif route == "POST /api/notifications/{id}/read":
        accepted()
        items = api.get("/api/notifications", token=token(who)).body["items"]
        values = {"id": next(item["id"] for item in items if item["readAt"] is None)}
    elif route == "POST /api/admin/invitations":
        who, body = "root", {"role": "analyst", "expiresInDays": n % 30 + 1}
    elif route == "POST /api/admin/accounts/{id}/deactivate":
        who, values = "root", {"id": joined()[1]["user"]["id"]}
    elif route == "PUT /api/admin/settings/{name}":
        who, values, body = "root", {"name": "routing_mode"}, {"value": "hybrid"}
    elif route == "PUT /api/admin/policies/{kind}":
        now = api.get("/api/admin/policies/retention", token=token("root")).body
        who, values = "root", {"kind": "retention"}
        body = {"body": dict(now["body"], session_days=40 + n)}
        headers = {"If-Match": '"%d"' % now["version"]}
    else:
        raise AssertionError("%s is new: say here how it is asked for twice" % route)
    if who is not None and len(who) < 20:
        who = token(who)
    method, path = route.split(" ")
    return method, path.format(**values), body, who, headers


def send(method, path, body, bearer, headers):
    """The answer, or None when it was lost after the request had gone out."""
    if random.random() >= LOST:
        return api.request(method, path, body, bearer or "", headers)
    data = b"" if body is None else json.dumps(body).encode()
    lines = ["%s %s HTTP/1.1" % (method, path), "Host: x", "Connection: close", "Content-Length: %d" % len(data)]
    lines += ["Authorization: Bearer " + bearer] if bearer else []
    lines += ["Content-Type: application/json"] if data else []
    lines += ["%s: %s" % item for item in headers.items()]
    with socket.create_connection((gateway.host, gateway.port)) as out:
        out.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
        out.recv(1)  # it was done; what came back is lost
    return None


def tight(answer):
    """An answer without what may differ; a replay of what was made says 200 for 201."""
    body = answer.body
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in LOOSE}
    return (200 if answer.status == 201 else answer.status), json.dumps(body, sort_keys=True, default=str)


def repeat(route, n):
    made = action(route, n)
    if made is None:
        return 0
    answers, done = [], None
    sent = 0
    while sent < TIMES or not answers:
        answer = send(*made)
        sent += 1
        if answer is not None:
            answers.append(answer)
        if done is None:
            done = stamps(), count("incident"), count("account"), count("invitation"), count("policy"), count("duty")
    after = stamps(), count("incident"), count("account"), count("invitation"), count("policy"), count("duty")
    assert after == done, "%s: %s after the first, %s after the last" % (route, done, after)
    assert {answer.status for answer in answers} <= {200, 201, 202, 204}, (route, [a.body for a in answers])
    if route not in SAYS_WHAT_IT_DID:
        assert len({tight(answer) for answer in answers}) == 1, (route, [tight(answer) for answer in answers])
    return sent


# A batch says of each record whether it was applied or had been.
SAYS_WHAT_IT_DID = {"POST /api/sync/batch"}


def routes():
    with open(os.path.join(ROOT, "docs", "openapi.json")) as file:
        paths = json.load(file)["paths"]
    return ["%s %s" % (method.upper(), path) for path, methods in paths.items() for method in methods
            if method in ("post", "put", "patch", "delete")]


def test_every_route_that_changes_something_may_be_asked_again():
    wrong, sent = [], 0
    for n in range(ROUNDS):
        for route in routes():
            try:
                sent += repeat(route, n)
            except (AssertionError, KeyError, StopIteration, TypeError) as error:
                wrong.append(("%s: %r" % (route, error))[:400])
                stage.value("DELETE FROM kintaraa.throttle")
    assert not wrong, "\n".join(sorted(set(wrong))[:20])
    assert sent >= 600, sent


random.seed(13)
days = iter(range(2, 300))
with Cluster("repeats", kintaraa__worker="off") as cluster, Gateway(cluster) as gateway:
    load(cluster)
    stage = Stage(cluster)
    stage.value("SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.29, 36.82), "
                "play.helper('lawyer', 'legal', -1.29, 36.82), play.staff('dora', 'dispatcher'), "
                "play.staff('root', 'admin')")
    cluster.psql("UPDATE kintaraa.provider SET capacity = 1000; SELECT kintaraa.change_flush()")
    stage.value("SELECT kintaraa.dispatch_refresh()")
    api = gateway.api(timeout=30)
    sys.exit(run_tests(globals()))
