#!/usr/bin/python3
"""The worker before its time, after its death, and on another server than the one it knew."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until
from newsroom import Reader, World, new_id


def worker():
    rows = cluster.psql("SELECT pid FROM kintaraa.worker_status() WHERE pid IS NOT NULL")
    return rows[0][0] if rows else None


def newest():
    return cluster.value("SELECT max(t) FROM kintaraa.tick")


def change(*_):
    cluster.psql("SELECT kintaraa.change_flush() FROM (SELECT 1) q; "
                 "INSERT INTO kintaraa.notification (id, account_id, class) VALUES (%s, %s, 'system'); "
                 "SELECT kintaraa.change_flush()", (new_id(), account))


def logged(text, start=0):
    return cluster.log()[start:].count(text)


def lives():
    """It ticks over what is committed now."""
    before = newest()
    change()
    wait_until(lambda: newest() > before)


def test_it_ticks():
    lives()


def test_a_worker_that_is_ended_is_there_again_and_finds_what_was_committed_meanwhile():
    old = worker()
    cluster.psql("SELECT pg_terminate_backend(%s)", (old,))
    wait_until(lambda: worker() != old)
    before = newest()
    change()
    wait_until(lambda: worker() not in (None, old))
    wait_until(lambda: newest() > before)


def test_a_killed_worker_restarts_with_the_server_and_nothing_is_lost():
    cluster.psql("INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok')")
    change()
    old = worker()
    os.kill(old, 9)
    wait_until(lambda: replaced(old))
    lives()
    wait_until(lambda: cluster.psql("SELECT * FROM kintaraa.audit_verify()")[0][2] == 0)
    assert cluster.psql("SELECT ok FROM kintaraa.audit_verify()") == [(True,)]


def replaced(old):
    """The server may take a connection before it has noticed that it crashed."""
    try:
        return worker() not in (None, old)
    except Exception:
        return False


def test_one_piece_that_fails_is_told_once_and_the_others_go_on():
    start = len(cluster.log())
    cluster.psql("ALTER FUNCTION kintaraa.dispatch_count_fold() RENAME TO elsewhere")
    cluster.psql("INSERT INTO kintaraa.dispatch_delta VALUES ('new', 'routine', 1)")
    try:
        wait_until(lambda: logged("fold of counters failed", start) == 1)
        for _ in range(3):
            lives()
        cluster.psql("INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok')")
        wait_until(lambda: cluster.psql("SELECT unsealed FROM kintaraa.audit_verify()") == [(0,)])
        wait_until(lambda: cluster.value("SELECT clock_timestamp() - %s > interval '3 seconds'", (at,)))
        assert logged("fold of counters failed", start) == 1
    finally:
        cluster.psql("ALTER FUNCTION kintaraa.elsewhere() RENAME TO dispatch_count_fold")
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.dispatch_delta") == 0)


def test_counters_are_folded():
    before = cluster.value("SELECT n FROM kintaraa.dispatch_count WHERE status = 'new' AND urgency = 'urgent'")
    cluster.psql("INSERT INTO kintaraa.dispatch_delta SELECT 'new', 'urgent', 1 FROM generate_series(1, 500)")
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.dispatch_delta") == 0)
    assert cluster.value("SELECT n FROM kintaraa.dispatch_count WHERE status = 'new' AND urgency = 'urgent'") \
        == before + 500
    cluster.psql("SELECT kintaraa.dispatch_count_recount()")
    assert cluster.value("SELECT n FROM kintaraa.dispatch_count WHERE status = 'new' AND urgency = 'urgent'") \
        == cluster.value("SELECT count(*) FROM kintaraa.incident WHERE status = 'new' AND urgency_level = 'urgent'")


def test_a_tick_that_a_crash_undoes_costs_repetition_only():
    """The disk is asked to wait, so that ticks are only in memory when the server is killed."""
    cluster.settings(wal_writer_delay="10s", wal_writer_flush_after="1GB")
    cluster.restart()
    world = World(cluster)
    lost = 0
    for _ in range(5):
        reader = Reader(world)
        reader.subscribe(world.helper_token)
        incident = world.report()
        wait_until(lambda: newest() >= reader.cursor)
        assignment = world.offer(incident)
        wait_until(lambda: reader.read() and assignment in str(reader.frames))
        cursor = reader.cursor
        reader.close()
        world.close()
        cluster.kill()
        cluster.start()
        wait_until(lambda: worker() is not None and newest() > cursor)
        lost += cluster.value("SELECT count(*) FROM kintaraa.tick WHERE t = %s", (cursor,)) == 0
        world.connection = cluster.connect()
        world.gateway_connection = cluster.connect("kintaraa_gateway")
        again = Reader(world)
        later = world.offer(incident)
        wait_until(lambda: cluster.value("SELECT kintaraa.tick_write(false)") is None)
        outcome, answer = again.join(world.helper_token, cursor)
        assert outcome == "ok" and answer["resumed"] is True, answer
        assert later in str(answer["frames"]), "what was committed after the cursor is missing"
        again.close()
        if lost:
            break
    world.close()
    cluster.settings(wal_writer_delay="200ms", wal_writer_flush_after="1MB")
    cluster.restart()
    print("# %d ticks lost" % lost)
    assert lost > 0, "no tick was lost, so nothing was tested"


def begin_again(**identity):
    """The worker finds another identity than the one on record."""
    for column, value in identity.items():
        cluster.psql("UPDATE kintaraa.epoch SET %s = %%s WHERE last_tick IS NULL" % column, (value,))
    tag = cluster.value("SELECT tag FROM kintaraa.epoch WHERE last_tick IS NULL")
    old = worker()
    cluster.psql("SELECT pg_terminate_backend(%s)", (old,))
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.epoch WHERE tag = %s", (tag + 1,)) == 1)
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.tick WHERE epoch = %s", (tag + 1,)) > 0)
    return tag + 1


def test_after_a_promotion_older_cursors_hold_and_later_ones_do_not():
    world = World(cluster)
    cursor = cluster.value("SELECT kintaraa.tick_write(true)")
    tag = begin_again(timeline=77)
    rows = cluster.psql("SELECT reason, first_tick FROM kintaraa.epoch WHERE tag = %s", (tag,))
    assert rows[0][0] == "promoted"
    last = cluster.value("SELECT last_tick FROM kintaraa.epoch WHERE tag = %s", (tag - 1,))
    first = cluster.value("SELECT min(t) FROM kintaraa.tick WHERE epoch = %s", (tag,))
    assert last >= cursor and first >= last + 9000 * 1000 and first % 1000 == tag
    reader = Reader(world)
    for since, resumed in ((cursor, True), (last, True), (last + 1000, False)):
        assert reader.join(world.her_token, since)[1]["resumed"] is resumed, since
    reader.close()
    world.close()


def test_after_a_restore_every_phone_begins_anew():
    world = World(cluster)
    incident = world.report()
    cursor = cluster.value("SELECT kintaraa.tick_write(true)")
    tag = begin_again(system=4711)
    assert cluster.value("SELECT reason FROM kintaraa.epoch WHERE tag = %s", (tag,)) == "restored"
    assert cluster.value("SELECT count(*) FROM kintaraa.tick WHERE epoch <> %s", (tag,)) == 0
    assert cluster.value("SELECT count(*) FROM kintaraa.change WHERE bucket = %s AND x <> '1'", (incident,)) == 0
    assert cluster.value("SELECT count(*) FROM kintaraa.member WHERE bucket = %s AND gx <> '1'", (incident,)) == 0
    reader = Reader(world)
    outcome, answer = reader.join(world.her_token, cursor)
    assert answer["resumed"] is False and answer["cursor"] % 1000 == tag, answer
    lives()
    reader.close()
    world.close()


def test_the_trail_is_sealed_across_a_restore():
    start = cluster.value("SELECT coalesce(max(n), 0) FROM kintaraa.audit_seal")
    world = World(cluster)
    world.close()
    wait_until(lambda: cluster.psql("SELECT unsealed FROM kintaraa.audit_verify()") == [(0,)])
    ok, sealed, unsealed, first_bad = cluster.psql("SELECT * FROM kintaraa.audit_verify()")[0]
    assert ok and sealed > 0 and first_bad is None
    assert cluster.value("SELECT count(DISTINCT epoch) FROM kintaraa.audit_seal WHERE n > %s", (start,)) >= 1
    assert cluster.value("SELECT count(DISTINCT epoch) FROM kintaraa.audit_seal") > 1


def test_after_an_upgrade_the_epoch_is_adopted_and_cursors_hold():
    world = World(cluster)
    cursor = cluster.value("SELECT kintaraa.tick_write(true)")
    tag = cluster.value("SELECT tag FROM kintaraa.epoch WHERE last_tick IS NULL")
    cluster.settings(kintaraa__worker="off")
    cluster.restart()
    cluster.psql("UPDATE kintaraa.epoch SET system = 4712 WHERE last_tick IS NULL")
    cluster.psql("SELECT kintaraa.adopt_epoch()")
    cluster.settings(kintaraa__worker="on")
    cluster.restart()
    wait_until(lambda: newest() > cursor)
    assert cluster.value("SELECT tag FROM kintaraa.epoch WHERE last_tick IS NULL") == tag
    world.connection = cluster.connect()
    world.gateway_connection = cluster.connect("kintaraa_gateway")
    reader = Reader(world)
    assert reader.join(world.her_token, cursor)[1]["resumed"] is True
    reader.close()
    world.close()


def test_an_epoch_of_other_transactions_is_not_adopted():
    cluster.psql("UPDATE kintaraa.member SET gx = '99999999' WHERE ctid = (SELECT min(ctid) FROM kintaraa.member)")
    try:
        cluster.psql("SELECT kintaraa.adopt_epoch()")
        raise AssertionError("it was adopted")
    except Exception as error:
        assert getattr(error, "pgcode", None) == "55000", error
    finally:
        cluster.psql("UPDATE kintaraa.member SET gx = '1' WHERE gx = '99999999'")


def test_it_waits_for_database_extension_and_migrations_and_says_so_once():
    cluster.settings(kintaraa__database="later")
    start = len(cluster.log())
    cluster.restart()
    wait_until(lambda: logged('waits for database "later"', start) == 1)
    mark = cluster.value("SELECT clock_timestamp()")
    wait_until(lambda: cluster.value("SELECT clock_timestamp() - %s > interval '4 seconds'", (mark,)))
    assert logged('FATAL:  database "later" does not exist', start) == 1, cluster.log()[start:]
    cluster.psql("CREATE DATABASE later")
    wait_until(lambda: logged("waits, the extension is not created", start) == 1)
    cluster.psql("CREATE EXTENSION kintaraa CASCADE", database="later")
    wait_until(lambda: logged("waits, migrations are missing", start) == 1)
    cluster.psql("CALL kintaraa.migrate()", database="later")
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.tick", database="later") > 0)
    assert logged("kintaraa worker: waits", start) == 3, cluster.log()[start:]


with Cluster("worker") as cluster:
    account = new_id()
    at = cluster.value("SELECT clock_timestamp()")
    cluster.psql("INSERT INTO kintaraa.account (id, role, email_index, password_hash) "
                 "VALUES (%s, 'survivor', '', ''); SELECT kintaraa.change_flush()", (account,))
    status = run_tests(globals())
sys.exit(status)
