#!/usr/bin/python3
"""More changes at once than one read of the feed takes: sockets are told what they missed, and hear what comes."""
import os
import sys
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, Gateway, Socket, run_tests

SOCKETS = 60
FLOOD = ("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, updated_at) "
         "SELECT gen_random_uuid(), 'incident', gen_random_uuid(), pg_current_xact_id(), 1, 0, false, now() "
         "FROM generate_series(1, 20001)")


def hears_news(sockets):
    """A report of hers comes to each of her sockets."""
    incident = str(uuid.uuid4())
    stage.value("SELECT play.report('amina', %s)", incident)
    for socket in sockets:
        socket.expect("incident.updated", where=lambda frame: frame["incidentId"] == incident)


def test_open_sockets_outlive_a_flood():
    sockets = [Socket(gateway, token) for _ in range(SOCKETS)]
    for socket in sockets:
        assert socket.expect("hello.result")["resumed"] is False
    hears_news(sockets)
    for _ in range(3):
        cluster.psql(FLOOD)
        for socket in sockets:
            assert socket.expect("hello.result")["resumed"] is False, "it is told that it has missed something"
        hears_news(sockets)
    for socket in sockets:
        socket.close()


def test_who_joins_after_a_flood_misses_nothing():
    cluster.psql(FLOOD)
    stage.value("SELECT kintaraa.tick_write(true)")
    socket = Socket(gateway, token)
    socket.expect("hello.result")
    hears_news([socket])
    socket.close()


with Cluster("flood") as cluster, Gateway(cluster) as gateway:
    play.load(cluster)
    stage = play.Stage(cluster)
    stage.rows("SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201), play.register('amina')")
    token = cluster.value("SELECT token FROM play.person WHERE name = 'amina'")
    sys.exit(run_tests(globals()))
