#!/usr/bin/python3
"""Other servers and other histories: dump and restore, a standby that is read and promoted, a point in time,
and a crash.  Phones come back with the cursors they had; none of them misses a record or keeps one that
is gone."""
import contextlib
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import play
from harness import Cluster, run_tests, wait_until
from phones import (Phone, check_has_all, code_of, door, dump_of, epochs, give_ring, is_refused_to_adopt, ready, run,
                    settle, tokens, tool)

TICKING = "SELECT kintaraa.work_lock(4)"  # the lock under which ticks are written


# Servers

def make_primary():
    hba = os.path.join(primary.folder, "data", "pg_hba.conf")
    with open(hba, "a") as file:
        file.write("local replication all peer map=owner\n")
    run("mkdir", archive)
    primary.settings(archive_mode="on", archive_command='cp "%%p" "%s/%%f"' % archive)
    primary.restart()
    play.load(primary)
    stage = play.Stage(primary)
    stage.value("SELECT play.register('amina'), play.register('zawadi'), "
                "play.helper('clinic', 'healthcare', -1.28, 36.82, 1000)")
    tokens.update(stage.rows("SELECT name, token FROM play.person"))
    stage.value("SELECT play.report('amina', 'first')")
    # the counter of transactions is far beyond that of a new server
    stage.value("DO $$ BEGIN FOR i IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    stage.close()


def take_place(server, backup, **settings):
    """The cluster, stopped, gets the files of the backup."""
    give_ring(primary, server)
    data = os.path.join(server.folder, "data")
    for name in os.listdir(data):
        run("rm", "-r", os.path.join(data, name))
    run("cp", "-a", backup + "/.", data)
    server.settings(archive_mode="off", hot_standby_feedback="on", **settings)


def is_applied(server):
    """Whether the standby has all that the primary had when this was called first."""
    target = primary.value("SELECT pg_current_wal_flush_lsn()::text")
    return lambda: server.value("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", [target])


# The dump

def test_a_dump_restored_into_a_new_server_begins_an_epoch():
    early = Phone("amina", "early", primary)
    early.write(primary, "before-the-dump")
    settle(primary)
    late = Phone("amina", "late", primary)
    dump = dump_of(primary)
    late.write(primary, "after-the-dump")
    settle(primary)
    late.pull(primary)
    kept.update(early=early, late=late)
    # as a DBA would: the server is up and its worker waits for the database
    restored.psql("DROP DATABASE kintaraa (FORCE)", database="postgres")
    restored.settings(shared_preload_libraries="pg_cron,kintaraa", kintaraa__worker="on")
    restored.restart()
    restored.psql("CREATE DATABASE kintaraa TEMPLATE template0", database="postgres")
    tool(restored, "pg_restore", "-d", "kintaraa", "-j", "2", "--exit-on-error", dump)
    ready(restored)
    assert [row[:2] for row in epochs(restored)] == [(1, "first"), (2, "restored")]
    highest = primary.value("SELECT max(x)::text::bigint FROM kintaraa.change")
    assert restored.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint") < highest, \
        "the counter of the new server must be smaller for this to prove anything"
    assert restored.value("SELECT max(x)::text FROM kintaraa.change") == "1"


def test_every_phone_is_sent_everything_and_what_comes_later():
    writer = Phone("amina", "writer", restored)
    writer.write(restored, "after-the-restore")
    settle(restored)
    for name in ("early", "late"):
        phone = kept[name]
        assert phone.pull(restored)["resync"], name
        check_has_all(phone, restored, "before-the-dump", "after-the-restore")
        assert ("journal_entry", "after-the-dump") not in phone.rows
    writer.write(restored, "later-still")
    settle(restored)
    for name in ("early", "late"):
        answer = kept[name].pull(restored)
        assert not answer["resync"] and [r["id"] for r in answer["journalEntries"]] == ["later-still"], answer
        check_has_all(kept[name], restored)


def test_what_the_dump_had_not_is_offered_again():
    late = kept["late"]
    assert late.is_whole(restored)
    assert [r["status"] for r in late.offer_lost(restored)] == ["applied"]
    settle(restored)
    late.pull(restored)
    check_has_all(late, restored, "after-the-dump")
    assert late.is_whole(restored)


def test_work_goes_on_where_transactions_began_anew():
    stage = play.Stage(restored)
    before = stage.value("SELECT clock_timestamp()")
    assert stage.outcome("incident_create", "amina", None,
                         {"id": "restored", "supportServices": ["medical"],
                          "location": {"coordinates": {"latitude": -1.28, "longitude": 36.82}}}) == "created"
    wait_until(lambda: stage.value("SELECT max(last_offer_at) FROM kintaraa.provider_dispatch") > before, 10,
               "offers are folded")
    wait_until(lambda: stage.value("SELECT unsealed = 0 AND ok FROM kintaraa.audit_verify()"), 10, "it is sealed")
    assert not stage.broken()
    stage.close()


# The standby that is read

def test_a_standby_answers_pulls_and_writes_nothing():
    # both backups are one: what the standby is not told, the point in time is not either
    tool(primary, "pg_basebackup", "-D", backup, "-c", "fast", "-X", "stream")
    take_place(past, backup)
    take_place(standby, backup, primary_conninfo="host=%s port=%d user=postgres" % (primary.host, primary.port))
    run("touch", os.path.join(standby.folder, "data", "standby.signal"))
    standby.start()
    wait_until(is_applied(standby), 20, "the standby follows")
    phone = Phone("amina", "roaming", primary)
    phone.write(primary, "read-on-the-standby")
    settle(primary)
    wait_until(is_applied(standby), 20)
    assert [r["id"] for r in phone.pull(standby)["journalEntries"]] == ["read-on-the-standby"]
    check_has_all(phone, standby)
    assert phone.is_whole(standby)
    # an audited answer needs a row
    assert code_of(Phone("clinic", "desk").updates, standby, None) == "25006"
    assert code_of(phone.write, standby, "not-here") == "25006"
    assert code_of(door, standby, "feed_start", None, None, {}) == "KN901"
    del phone.written["journal_entry", "read-on-the-standby"]
    kept["roaming"] = phone


def test_a_commit_that_comes_late_is_not_lost_on_a_standby():
    here, there = Phone("amina", "here", primary), kept["roaming"]
    there.pull(standby)
    with primary.connect(autocommit=False) as slow, slow.cursor() as cursor:
        cursor.execute("INSERT INTO kintaraa.personal (id, owner_id, noun, client_key, spelling_sealed) "
                       "SELECT n, p.id, 'journal_entry', kintaraa.client_key(p.id, 'journal_entry', 'late-commit'), "
                       "       kintaraa.spelling_seal(p.id, 'personal.spelling', n, 'late-commit') "
                       "  FROM play.person AS p, gen_random_uuid() AS n WHERE p.name = 'amina'; "
                       "SELECT kintaraa.change_flush()")
        x = slow.cursor()
        x.execute("SELECT pg_current_xact_id()::text")
        (stamp,) = x.fetchone()
        here.write(primary, "overtakes-it")
        settle(primary)
        wait_until(is_applied(standby), 20)
        # why the standby's own snapshot must not be a cursor: on 15 it takes the open transaction for a finished one
        seen = standby.value("SELECT pg_visible_in_snapshot(%s::xid8, pg_current_snapshot())", [stamp])
        print("# the standby's own snapshot %s the open transaction" % ("has lost" if seen else "waits for"))
        for phone, server in ((here, primary), (there, standby)):
            phone.pull(server)
            assert ("journal_entry", "overtakes-it") in phone.rows
            assert ("journal_entry", "late-commit") not in phone.rows
        slow.commit()
    settle(primary)
    wait_until(is_applied(standby), 20)
    here.pull(standby)
    there.pull(primary)
    for phone in (here, there):
        check_has_all(phone, primary, "late-commit", "overtakes-it")


def test_a_standby_that_lags_sends_nothing_that_is_older_than_what_the_phone_has():
    phone = Phone("amina", "ahead", primary)
    standby.psql("SELECT pg_wal_replay_pause()")
    wait_until(lambda: standby.value("SELECT pg_get_wal_replay_pause_state()") == "paused")
    phone.write(primary, "not-there-yet")
    settle(primary)
    phone.pull(primary)
    rows, cursor = dict(phone.rows), phone.cursor
    answer = phone.pull(standby)
    assert answer["empty"] and not answer["resync"] and phone.cursor == cursor and phone.rows == rows, answer
    page = "%d.%s.incident.%s" % (cursor, *["00000000-0000-0000-0000-000000000000"] * 2)
    assert code_of(phone.updates, standby, None, page) == "KN901", "a page of a pull that began on the primary"
    assert code_of(phone.updates, standby, cursor + 1) == "KN901", "an epoch that it has not heard of"
    standby.psql("SELECT pg_wal_replay_resume()")
    wait_until(is_applied(standby), 20)
    phone.pull(standby)
    check_has_all(phone, standby, "not-there-yet")


# The promotion

def test_a_promoted_standby_answers_no_pull_before_the_epoch_is_checked():
    kept["older"] = Phone("amina", "older", primary)
    wait_until(is_applied(standby), 20)
    kept["target"] = primary.value("SELECT clock_timestamp()::text")
    newest = standby.value("SELECT max(t) FROM kintaraa.tick")
    standby.settings(primary_conninfo="")
    standby.reload()
    wait_until(lambda: not standby.psql("SELECT FROM pg_stat_wal_receiver"), 20, "nothing is replicated any more")
    beyond, silent = kept["older"].copy(), kept["older"].copy()
    beyond.name, silent.name = "beyond", "silent"
    beyond.write(primary, "lost-and-seen")
    settle(primary)
    beyond.pull(primary)
    silent.write(primary, "lost-and-only-sent")
    settle(primary)
    kept.update(beyond=beyond, silent=silent)
    last = primary.value("SELECT pg_walfile_name(pg_switch_wal())")
    settle(primary)
    primary.psql("SELECT pg_switch_wal()")
    wait_until(lambda: primary.value("SELECT last_archived_wal > %s FROM pg_stat_archiver", [last]), 20, "archived")
    primary.stop()
    holder = standby.connect(autocommit=False)
    holder.cursor().execute(TICKING)
    assert standby.value("SELECT pg_promote()")
    for name in ("older", "beyond", "silent"):
        assert code_of(kept[name].pull, standby) == "KN901", name
    assert code_of(door, standby, "feed_start", None, None, {}) == "KN901"
    assert standby.value("SELECT NOT ok FROM kintaraa.health() WHERE \"check\" = 'worker'")
    assert is_refused_to_adopt(standby), "what was lost would be hidden from whoever saw it"
    holder.close()
    ready(standby)
    assert epochs(standby) == [(1, "first", newest), (2, "promoted", None)]


def test_ticks_of_the_new_history_lie_after_those_that_were_lost():
    assert kept["beyond"].cursor < standby.value("SELECT first_tick FROM kintaraa.epoch WHERE tag = 2")
    assert kept["beyond"].cursor > standby.value("SELECT last_tick FROM kintaraa.epoch WHERE tag = 1")


def test_a_phone_that_saw_what_was_lost_begins_anew_and_others_go_on():
    writer = Phone("amina", "writer 2", standby)
    # as many as were lost, so that their transactions have the same numbers
    for n in range(5):
        writer.write(standby, "new-history-%d" % n)
    settle(standby)
    new = ["new-history-%d" % n for n in range(5)]
    older, beyond = kept["older"], kept["beyond"]
    assert not older.pull(standby)["resync"]
    check_has_all(older, standby, *new)
    answer = beyond.pull(standby)
    assert answer["resync"]
    check_has_all(beyond, standby, *new)
    assert ("journal_entry", "lost-and-seen") not in beyond.rows
    assert [r["status"] for r in beyond.offer_lost(standby)] == ["applied"]
    settle(standby)
    older.pull(standby)
    beyond.pull(standby)
    for phone in (older, beyond):
        check_has_all(phone, standby, "lost-and-seen")


def test_a_phone_that_only_sent_what_was_lost_finds_it_by_the_epoch_of_its_cursor():
    silent = kept["silent"]
    before = silent.cursor
    answer = silent.pull(standby)
    assert not answer["resync"] and before % 1000 != silent.cursor % 1000, "which tells it to compare"
    assert ("journal_entry", "lost-and-only-sent") in silent.rows and not silent.is_whole(standby)
    # the server has forgotten what it applied as well: this is no retry
    assert [r["status"] for r in silent.offer_lost(standby)] == ["applied"]
    settle(standby)
    silent.pull(standby)
    check_has_all(silent, standby, "lost-and-only-sent", "lost-and-seen")
    assert silent.is_whole(standby)


# The point in time

def test_a_restore_to_a_point_in_time_is_another_history():
    past.settings(restore_command='cp "%s/%%f" "%%p"' % archive, recovery_target_time=kept["target"],
                  recovery_target_action="promote", primary_conninfo="")
    run("touch", os.path.join(past.folder, "data", "recovery.signal"))
    past.start()
    wait_until(lambda: not past.value("SELECT pg_is_in_recovery()"), 30, "the point in time is reached")
    ready(past)
    assert [row[:2] for row in epochs(past)] == [(1, "first"), (2, "promoted")]
    older = Phone("amina", "by hand")
    older.cursor = past.value("SELECT last_tick FROM kintaraa.epoch WHERE tag = 1")
    assert not older.pull(past)["resync"]
    writer = Phone("amina", "writer 3", past)
    writer.write(past, "in-the-past")
    settle(past)
    whole = Phone("amina", "whole", past)
    names = {name for _, name in whole.rows}
    assert "not-there-yet" in names and not {"lost-and-seen", "lost-and-only-sent"} & names, "it is that point"


def test_a_cursor_of_another_history_with_the_same_tag_is_of_no_use():
    for name in ("older", "beyond", "silent"):
        phone = kept[name].copy()
        assert phone.cursor < past.value("SELECT max(t) FROM kintaraa.tick")
        assert phone.pull(past)["resync"], name
        check_has_all(phone, past, "in-the-past")
        lost = phone.offer_lost(past)
        assert {r["status"] for r in lost} <= {"applied"}
        phone.pull(past)
        check_has_all(phone, past)


# The crash

def test_the_cursor_of_a_tick_that_a_crash_undid_costs_repetition_only():
    standby.settings(wal_writer_delay="10s")
    standby.reload()
    phone, writer = Phone("amina", "crashed", standby), Phone("amina", "writer 5", standby)
    phone.pull(standby)
    phone.pull(standby)  # its progress is noted, and not again for a minute
    lost = 0
    for n in range(5):
        writer.write(standby, "before-crash-%d" % n)
        wait_until(lambda: standby.value("SELECT unsealed = 0 FROM kintaraa.audit_verify()"), 10, "nothing else writes")
        with contextlib.closing(standby.connect()) as connection:
            # twice: the first one fills a page of the log, which the system has then, and keeps
            for _ in range(2):
                connection.cursor().execute("SET synchronous_commit = off; SELECT kintaraa.tick_write(true)")
                cursor = phone.pull(standby)["cursor"]
            os.kill(standby.pid, signal.SIGKILL)
        standby.kill()
        standby.start()
        ready(standby)
        lost += standby.value("SELECT count(*) = 0 FROM kintaraa.tick WHERE t = %s", [cursor])
        writer.write(standby, "after-crash-%d" % n)
        settle(standby)
        assert not phone.pull(standby)["resync"]
        check_has_all(phone, standby, "before-crash-%d" % n, "after-crash-%d" % n)
        if lost:
            break
    assert lost, "no tick was lost in five crashes: this proves nothing"
    assert len(epochs(standby)) == 2


if __name__ == "__main__":
    kept = {}
    with Cluster("primary") as primary, Cluster("restored") as restored, Cluster("standby") as standby, \
            Cluster("past") as past:
        archive, backup = (os.path.join(primary.folder, "data", name) for name in ("../log/archive", "../log/backup"))
        restored.settings(shared_preload_libraries="kintaraa", kintaraa__worker="off")
        restored.restart()
        standby.stop()
        past.stop()
        make_primary()
        give_ring(primary, restored)
        sys.exit(run_tests(globals()))
