#!/usr/bin/python3
"""A server that has lost what a phone sent gets it back from the phone, and the phone keeps it."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "watermelon"), os.path.join(HERE, "..", "e2e")]

import play  # noqa: E402
from harness import Cluster, Gateway, run_tests  # noqa: E402
from simulation import NODE, install  # noqa: E402

OWNED = "incidents,journal_entries"


class Phone:
    def __init__(self, who, owned):
        token = cluster.value("SELECT token FROM play.person WHERE name = %s", [who])
        self.process = subprocess.Popen(["node", os.path.join(NODE, "lost.js"), gateway.url, token, owned],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.communicate()


def tick():
    return cluster.value("SELECT kintaraa.tick_write(true)")


def lose(who, last):
    """All that she wrote is gone as if the server had been set back to the tick last, and it knows that it was."""
    me = cluster.value("SELECT id FROM play.person WHERE name = %s", [who])
    cluster.psql("SET session_replication_role = replica; "
                 "CREATE TEMP TABLE gone AS SELECT id FROM kintaraa.incident WHERE owner_id = %s; "
                 "DELETE FROM kintaraa.assignment WHERE incident_bucket IN (SELECT id FROM gone); "
                 "DELETE FROM kintaraa.need WHERE bucket IN (SELECT id FROM gone); "
                 "DELETE FROM kintaraa.member WHERE bucket IN (SELECT id FROM gone); "
                 "DELETE FROM kintaraa.change WHERE bucket IN (SELECT id FROM gone) OR noun = 'journal_entry'; "
                 "DELETE FROM kintaraa.incident WHERE id IN (SELECT id FROM gone); "
                 "DELETE FROM kintaraa.personal; DELETE FROM kintaraa.applied; DELETE FROM kintaraa.device; "
                 "SET session_replication_role = DEFAULT; "
                 "UPDATE kintaraa.epoch SET last_tick = %s WHERE last_tick IS NULL; "
                 "INSERT INTO kintaraa.epoch (tag, system, timeline, database, first_tick, reason) "
                 "SELECT tag + 1, system, timeline, database, (%s / 1000 + 10000) * 1000 + tag + 1, 'test' "
                 "FROM kintaraa.epoch ORDER BY tag DESC LIMIT 1", [me, last, last])
    tick()


def stored(who):
    return cluster.value("SELECT (SELECT count(*) FROM kintaraa.incident i JOIN play.person p ON p.id = i.owner_id "
                         "        WHERE p.name = %s) + (SELECT count(*) FROM kintaraa.personal r "
                         "        JOIN play.person p ON p.id = r.owner_id WHERE p.name = %s)", [who, who])


def written(who, owned):
    phone = Phone(who, owned)
    last = tick()
    phone.ask("make")
    tick()
    phone.ask("sync")
    tick()
    rows = phone.ask("sync")
    assert [row["status"] for row in rows] == ["synced", "synced"] and stored(who) == 2, rows
    return phone, last, rows


def test_lost_rows_come_back_from_the_phone():
    phone, last, rows = written("amina", OWNED)
    lose("amina", last)
    assert stored("amina") == 0
    phone.ask("sync")
    tick()
    assert phone.ask("sync") == rows, "she has what she had"
    assert stored("amina") == 2, "and so has the server"
    phone.close()


def test_who_owns_nothing_offers_nothing():
    phone, last, rows = written("zawadi", "")
    lose("zawadi", last)
    phone.ask("sync")
    tick()
    assert phone.ask("sync") == [], "what the server does not have, a helper's phone forgets"
    assert stored("zawadi") == 0
    phone.close()


install()
with Cluster("lost") as cluster, Gateway(cluster) as gateway:
    play.load(cluster)
    play.Stage(cluster).rows("SELECT play.register('amina'), play.register('zawadi')")
    sys.exit(run_tests(globals()))
