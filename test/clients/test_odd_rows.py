#!/usr/bin/python3
"""An app with WatermelonDB's own synchronize() goes on beside rows the server has no place for, and loses none."""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "watermelon"), os.path.join(HERE, "..", "e2e")]

import play  # noqa: E402
from harness import Cluster, Gateway, run_tests  # noqa: E402
from simulation import NODE, install  # noqa: E402


class App:
    def __init__(self, who, device=None):
        token = cluster.value("SELECT token FROM play.person WHERE name = %s", [who])
        self.process = subprocess.Popen(["node", os.path.join(NODE, "plain.js"), gateway.url, token]
                                        + ([device] if device else []),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sync(self, **wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert answer["failed"] is None, answer["failed"]
        return answer["status"]

    def close(self):
        self.process.kill()
        self.process.communicate()


def stored(who):
    return cluster.value("SELECT count(*) FROM kintaraa.personal r JOIN play.person p ON p.id = r.owner_id "
                         " WHERE p.name = %s AND r.deleted_at IS NULL", [who])


def kept(who):
    return cluster.value("SELECT count(*) FROM kintaraa.archive a JOIN play.person p ON p.id = a.owner_id "
                         " WHERE p.name = %s AND a.reason = 'unusable'", [who])


def go_on(who, device):
    app = App(who, device)
    odd = {"journal_entries/uuid:x1": "created", "chats/c1": "created", "chats/c2": "created"}
    status = app.sync(make=[["journal_entries", "uuid:x1", "odd"], ["chats", "c1", "a word"], ["chats", "c2", "more"],
                            ["journal_entries", "good", "day one"]])
    assert status == dict(odd, **{"journal_entries/good": "synced"}), status
    assert stored(who) == 1 and kept(who) == 3, (stored(who), kept(who))
    status = app.sync(make=[["journal_entries", "better", "day two"]])
    assert status == dict(odd, **{"journal_entries/good": "synced", "journal_entries/better": "synced"}), status
    status = app.sync(remove=[["journal_entries", "good"], ["chats", "c1"]])
    assert status == {"journal_entries/uuid:x1": "created", "chats/c2": "created",
                      "journal_entries/better": "synced"}, status
    assert stored(who) == 1 and kept(who) == 4, (stored(who), kept(who))
    app.close()


def test_an_app_that_names_its_phone_goes_on():
    go_on("amina", "phone-1")


def test_an_app_that_does_not_goes_on():
    go_on("zawadi", None)


def test_an_app_with_more_than_a_push_may_hold_sends_all_of_it():
    app = App("rehema")
    status = app.sync(make=[["journal_entries", "e%04d" % i, "day %d" % i] for i in range(1201)])
    assert sorted(status.values()).count("synced") == 500 and stored("rehema") == 500
    for expected in (1000, 1201):
        status = app.sync()
        assert sorted(status.values()).count("synced") == expected == stored("rehema")
    app.close()


install()
with Cluster("odd") as cluster, Gateway(cluster) as gateway:
    play.load(cluster)
    play.Stage(cluster).rows("SELECT play.register('amina'), play.register('zawadi'), play.register('rehema')")
    sys.exit(run_tests(globals()))
