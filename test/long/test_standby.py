#!/usr/bin/python3
"""A standby that is read: what health() says of it, what its doors answer through a gateway, and that it goes on as the
primary.  Nobody is answered 500, and what it cannot do it says at once.

test/fault/test_epochs.py has the cursors: what is pulled from a standby, before and after it is promoted.
"""
import json
import os
import sys

import psycopg2.extensions

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import play
from harness import ROOT, Gateway, run_tests, wait_until
from nodes import Node

PEOPLE = ("amina", "clinic", "dora", "ada")
READ = {"amina": ("/api/me", "/api/incidents", "/api/incidents/first", "/api/incidents/updates", "/api/sync/pull",
                  "/api/notifications"),
        "clinic": ("/api/me", "/api/providers", "/api/providers/me"), "dora": ("/api/dispatch/dashboard",)}
QUICK = {"KINTARAA_QUEUE_TIMEOUT": "1s"}


class OneHost:
    """The standby for a gateway that knows no other host."""
    gateway_dsn = None


def checks():
    return {row[0]: row[1:] for row in standby.psql('SELECT "check", ok, detail, hint FROM kintaraa.health()')}


def routes():
    with open(os.path.join(ROOT, "docs", "openapi.json")) as file:
        paths = json.load(file)["paths"]
    for path, item in paths.items():
        if path.startswith("/api/"):
            path = "/".join("first" if part.startswith("{") else part for part in path.split("/"))
            yield from ((name.upper(), path) for name in item if name in ("get", "post", "put", "patch", "delete"))


def test_health_knows_that_it_is_a_standby():
    found = checks()
    assert found["recovery"] == (True, "a standby: doors say that it is read only", None), found["recovery"]
    assert found["worker"][0] and found["worker"][2] is None, found["worker"]
    wrong = {name: check for name, check in found.items() if not check[0]}
    assert not wrong, wrong


def test_every_route_is_answered_and_none_with_500():
    told, wrong = {}, []
    for method, path in routes():
        for who in PEOPLE:
            status, _, body = api.request(method, path, None if method == "GET" else {}, token=tokens[who])
            body = body if isinstance(body, dict) else {}
            told.setdefault((status, body.get("code")), []).append((method, path, who))
            if status >= 500 and body.get("code") != "25006":
                wrong.append((method, path, who, status, body.get("code"), body.get("detail")))
    assert not wrong, wrong
    assert "database_down" not in gateway.log(), "what it cannot do costs no connection"
    assert told[503, "25006"]


def test_she_reads_what_is_hers():
    for who, paths in READ.items():
        for path in paths:
            answer = api.get(path, token=tokens[who])
            assert answer.status == 200, (path, answer)


def test_what_is_written_is_refused_as_read_only():
    report = {"id": "on-the-standby"}
    login = {"email": "amina@play.example", "password": "correct horse amina"}
    for path, body, token in (("/api/incidents", report, tokens["amina"]), ("/api/auth/login", login, "")):
        status, headers, answer = api.post(path, body, token=token)
        assert (status, answer["code"]) == (503, "25006"), answer
        assert headers["Retry-After"] == "2", headers


def test_promoted_it_takes_reports_through_the_same_gateway():
    primary.stop()
    assert standby.value("SELECT pg_promote()")
    wait_until(lambda: api.get("/readyz").status == 200)
    answer = wait_until(lambda: taken(api.post("/api/incidents", {"id": "after"}, token=tokens["amina"])))
    assert answer.status == 201, answer
    wait_until(lambda: checks()["worker"][1].startswith("process "))
    assert checks()["recovery"][1] == "a primary"


def taken(answer):
    return answer if answer.status != 503 else None


if __name__ == "__main__":
    with Node("primary") as primary, Node("standby") as standby:
        play.load(primary)
        stage = play.Stage(primary)
        stage.value("SELECT play.register('amina'), play.helper('clinic', 'healthcare', -1.28, 36.82), "
                    "play.staff('dora', 'dispatcher'), play.staff('ada', 'admin')")
        stage.value("SELECT play.report('amina', 'first')")
        tokens = dict(stage.rows("SELECT name, token FROM play.person"))
        stage.close()
        standby.stop()
        standby.follow(primary)
        OneHost.gateway_dsn = psycopg2.extensions.make_dsn(primary.gateway_dsn, host=standby.host, port=standby.port)
        with Gateway(OneHost, QUICK) as gateway:
            api = gateway.api()
            wait_until(lambda: api.get("/api/me", token=tokens["amina"]).status == 200)
            sys.exit(run_tests(globals()))
