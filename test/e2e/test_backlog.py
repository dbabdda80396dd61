#!/usr/bin/python3
"""The needs of large batches wait for the worker; when they wait too long, batches route their own."""
import json
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, run_tests

AT_ONCE = 10  # KN_ROUTE_AT_ONCE
PLACE = {"coordinates": {"latitude": -1.28, "longitude": 36.82}, "source": "gps"}
CONTEXT = '{"requestId": "backlog", "network": "192.0.2.0"}'


def send(count, wait=None, services=("medical",)):
    """A batch of new reports under a setting of routing_wait in ms; returns their ids."""
    records = [{"table": "incidents", "op": "upsert", "id": str(uuid.uuid4()),
                "data": {"supportServices": list(services), "urgencyLevel": "immediate", "location": PLACE}}
               for _ in range(count)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('kintaraa.routing_wait', %s, false)", ["10s" if wait is None else str(wait)])
        cursor.execute("SELECT outcome, body FROM kintaraa_api.sync_batch(%s, NULL, NULL, %s, %s)",
                       (token, json.dumps({"device": "flood", "records": records}), CONTEXT))
        outcome, answer = cursor.fetchone()
    assert outcome == "ok" and all(result["status"] == "applied" for result in answer["results"]), answer
    return [record["id"] for record in records]


def waiting():
    return cluster.value("SELECT count(*) FROM kintaraa.need WHERE state = 'searching' AND level = 0")


def sweep(at_most=1000):
    return cluster.value("SELECT kintaraa.need_sweep(%s)", [at_most])


def needs_of(ids):
    """What became of the reports and how many teams were asked, as a set."""
    cluster.psql("SELECT play.speak(p.id, n) FROM play.person p, unnest(%s) AS n", [ids])
    return set(cluster.psql("""SELECT i.status, n.state, n.level, n.round, n.due_at > now(), (SELECT count(*)
          FROM kintaraa.assignment a WHERE a.incident_bucket = n.bucket AND a.need_id = n.id AND a.status = 'pending')
        FROM play.incident i JOIN kintaraa.need n ON n.bucket = i.id WHERE i.client_id = ANY (%s)""", [ids]))


def test_ten_reports_are_routed_before_the_answer_and_eleven_wait():
    send(AT_ONCE, 0)
    assert waiting() == 0
    send(AT_ONCE + 1, 0)
    assert waiting() == AT_ONCE + 1
    sweep()
    assert waiting() == 0


def test_a_batch_is_routed_at_once_while_others_wait_too_long():
    send(AT_ONCE + 1)
    sweep(5)
    assert waiting() == AT_ONCE - 4
    send(AT_ONCE + 1)
    assert waiting() == 2 * AT_ONCE - 3, "they have not waited for ten seconds"
    late = send(AT_ONCE + 1, 0)
    assert waiting() == 2 * AT_ONCE - 3, "its own are routed, the others wait as before"
    assert needs_of(late) == needs_of(send(1)) == {("new", "offered", 1, 1, True, 3)}, needs_of(late)
    sweep()
    assert waiting() == 0
    send(AT_ONCE + 1, 0)
    assert waiting() == AT_ONCE + 1, "nobody waited any more"
    sweep()


def test_what_nobody_near_can_do_goes_to_a_dispatcher_either_way():
    send(AT_ONCE + 1)
    sweep(5)
    late = needs_of(send(AT_ONCE + 1, 0, ["legal"]))
    one = needs_of(send(1, services=["legal"]))
    assert late == one and len(late) == 1 and late.pop()[0] == "pending_dispatcher_review", (late, one)
    sweep()


with Cluster("backlog", kintaraa__worker="off") as cluster:
    play.load(cluster)
    stage = play.Stage(cluster)
    stage.value("SELECT play.register('amina')")
    stage.value("SELECT count(play.team('healthcare', -1.3, 36.8 + n * 0.01, 1000, true)) FROM generate_series(1, 5) n")
    cluster.psql("SELECT kintaraa.epoch_check(), kintaraa.dispatch_refresh(), kintaraa.tick_write(true)")
    token = cluster.value("SELECT token FROM play.person WHERE name = 'amina'")
    connection = cluster.connect()
    sys.exit(run_tests(globals()))
