#!/usr/bin/python3
"""A later version knows one more field of a report: what was reported before and is sent again is the same report, and
one word more or less is another.

KN_LATER_FIELD builds that version: its field is a number of the name "later".
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import mutated
import play
from harness import Cluster, run_tests

WHOLE = {"type": "physical", "incidentDate": "2026-01-02", "incidentTime": "23:59", "description": "what happened",
         "severity": "high", "urgencyLevel": "urgent", "supportServices": ["medical", "magic"], "isAnonymous": False,
         "location": {"address": "a house", "accuracyM": 12.5, "source": "gps",
                      "coordinates": {"latitude": -1.28, "longitude": 36.82}},
         "providerPreferences": {"communicationMethod": "sms", "preferredGender": "any"}, "colour": {"deep": [1.50]}}
REPORTS = {"empty": {}, "words": {"description": "all that she says"}, "whole": WHOLE,
           "hidden": {"is_anonymous": "yes", "severity": "extreme"}, "early": {"later": 12.345, "type": "sexual"},
           "whole-number": {"later": 7}, "unreadable": {"later": "many"}, "beyond": {"later": -1}}


def send(way, name, report):
    """What became of it: the outcome of the door, or of the record in a batch."""
    body = dict(report, id=name)
    if way == "create":
        return stage.outcome("incident_create", "amina", None, body)
    outcome, answer = stage.call("sync_batch", "amina", None,
                                 {"records": [{"table": "incidents", "id": name, "data": body}]})
    assert outcome == "ok", (outcome, answer)
    return answer["results"][0]["status"]


def turn_to(program):
    global stage
    stage.close()
    server.stop()
    server.environment = {"KN_POSTGRES": program} if program else {}
    server.start()
    stage = play.Stage(server)


def send_all(said):
    for way, outcome in said.items():
        for name, report in REPORTS.items():
            assert send(way, "%s-%s" % (way, name), report) == outcome, (way, name, send(way, name, report))


def knows_the_field():
    return "later" in stage.call("incident_get", "amina", ["create-empty"])[1]


def test_what_was_reported_before_is_the_same_after():
    send_all({"create": "created", "sync_batch": "applied"})
    send_all({"create": "ok", "sync_batch": "unchanged"})
    assert not knows_the_field()
    turn_to(later)
    assert knows_the_field()
    send_all({"create": "ok", "sync_batch": "unchanged"})


def test_another_word_is_another_report():
    for name, report in REPORTS.items():
        for other in (dict(report, description="another word"), dict(report, later=12.346), dict(report, colour="red")):
            assert send("create", "create-" + name, other) == "conflict KN401", (name, other)
    assert send("create", "create-early", {"type": "sexual"}) == "conflict KN401"


def test_what_was_reported_after_is_the_same_before():
    """As when the new version is taken back."""
    for name, report in REPORTS.items():
        assert send("create", "after-" + name, report) == "created", name
        assert send("create", "after-" + name, report) == "ok", name
    turn_to(None)
    for name in ("empty", "words", "whole", "hidden", "whole-number", "unreadable", "beyond"):
        assert send("create", "after-" + name, REPORTS[name]) == "ok", name


if __name__ == "__main__":
    later = mutated.server("later-field", "-DKN_LATER_FIELD")
    with Cluster("later") as server:
        play.load(server)
        stage = play.Stage(server)
        stage.value("SELECT play.register('amina')")
        sys.exit(run_tests(globals()))
