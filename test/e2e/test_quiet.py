#!/usr/bin/python3
"""A quiet server writes nothing, a pull takes no transaction id, and the night finds what was written past triggers."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, run_tests, wait_until


def next_id():
    return cluster.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")


def quiet():
    wait_until(lambda: cluster.value("SELECT kintaraa.tick_write(false)") is None
               and cluster.value("SELECT unsealed = 0 FROM kintaraa.audit_verify()"), what="all is ticked and sealed")


def test_a_quiet_server_takes_no_transaction_id():
    quiet()
    mark = time.monotonic()
    before = next_id()
    wait_until(lambda: time.monotonic() - mark > 3.2, what="three turns of the worker")
    assert next_id() == before


def test_a_pull_with_a_device_takes_no_transaction_id():
    def pull():
        (outcome, answer) = stage.rows("SELECT outcome, body FROM play.call('sync_updates', 'amina', NULL, NULL, "
                                       "jsonb_build_object('since', %s::text), '{\"requestId\": \"q\", \"device\": "
                                       "\"phone\"}')", since)[0]
        assert outcome == "ok", answer
        return answer["cursor"]
    since = str(cluster.value("SELECT kintaraa.tick_write(true)"))
    since = str(pull())  # its progress is noted
    cluster.value("SELECT kintaraa.tick_write(true)")
    quiet()
    before = next_id()
    for _ in range(3):
        since = str(pull())
    assert next_id() == before
    assert cluster.value("SELECT count(*) FROM kintaraa.device WHERE id = 'phone' AND acked_tick IS NOT NULL") == 1
    cluster.psql("UPDATE kintaraa.device SET seen_at = now() - interval '61 seconds'")
    pull()
    # the last three digits of a cursor are its account's
    assert cluster.value("SELECT acked_tick / 1000 FROM kintaraa.device WHERE id = 'phone'") == int(since) // 1000


def test_the_night_finds_what_was_written_past_the_triggers():
    (command,) = [row[0] for row in cluster.psql("SELECT command FROM kintaraa.jobs() WHERE name = 'kintaraa stamps'")]
    assert cluster.value("SELECT count(*) FROM cron.job WHERE command = %s AND active", [command]) == 1
    assert cluster.value(command) == 0
    assert "without a stamp" not in cluster.log()
    cluster.psql("SET session_replication_role = replica; "
                 "INSERT INTO kintaraa.notification (id, account_id, class) "
                 "SELECT gen_random_uuid(), id, 'system' FROM play.person LIMIT 1; "
                 "DELETE FROM kintaraa.personal")
    assert cluster.value(command) == 2
    wait_until(lambda: "WARNING:  kintaraa: of noun notification there are 1 records without a stamp and 0 stamps "
                       "without a record" in cluster.log(), 5)
    assert "WARNING:  kintaraa: of noun mood_entry there are 0 records without a stamp and 1 stamps without a record" \
        in cluster.log()


if __name__ == "__main__":
    with Cluster("quiet") as cluster:
        play.load(cluster)
        stage = play.Stage(cluster)
        stage.value("SELECT play.register('amina')")
        assert stage.call("personal_put", "amina", ["mood_entry", "m1"], {"mood": "sad"})[0] == "created"
        sys.exit(run_tests(globals()))
