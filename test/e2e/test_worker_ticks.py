#!/usr/bin/python3
"""Ticks: one soon after each commit, none when nothing happens, numbers that only rise."""
import contextlib
import os
import select
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until
from newsroom import new_id


def newest():
    return cluster.value("SELECT max(t) FROM kintaraa.tick")


def quiet():
    """Until everything committed is in a tick."""
    wait_until(lambda: cluster.value("SELECT kintaraa.tick_write(false)") is None, what="nothing left to tick")


class Listener:
    def __init__(self):
        self.connection = cluster.connect()
        self.connection.cursor().execute("LISTEN kintaraa_tick")
        self.seen = []

    def drain(self):
        self.connection.poll()
        self.seen += self.connection.notifies
        self.connection.notifies.clear()
        return self.seen

    def wait(self, deadline=10):
        """Seconds until the next one."""
        start = time.perf_counter()
        while not self.drain():
            left = deadline - (time.perf_counter() - start)
            assert left > 0, "nobody rang"
            select.select([self.connection], [], [], left)
        self.seen = []
        return time.perf_counter() - start


def change(connection, account):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO kintaraa.notification (id, account_id, class) VALUES (%s, %s, 'system'); "
                       "SELECT kintaraa.change_flush()", (new_id(), account))


def make_account():
    account = new_id()
    cluster.psql("INSERT INTO kintaraa.account (id, role, email_index, password_hash) "
                 "VALUES (%s, 'survivor', '', ''); SELECT kintaraa.change_flush()", (account,))
    return account


def test_listeners_hear_of_a_commit_within_a_millisecond_or_so():
    account = make_account()
    listener = Listener()
    with cluster.connect(autocommit=False) as connection:
        times = []
        for _ in range(60):
            quiet()
            listener.drain()
            listener.seen = []
            change(connection, account)
            connection.commit()
            times.append(listener.wait() * 1000)
    print("# commit to notification: p50 %.2f ms, p95 %.2f ms" %
          (statistics.median(times), sorted(times)[int(len(times) * 0.95)]))
    assert statistics.median(times) < 20, times


def test_a_notification_says_nothing():
    account = make_account()
    listener = Listener()
    with contextlib.closing(cluster.connect()) as connection:
        change_in = threading.Thread(target=lambda: change(connection, account))
        change_in.start()
        wait_until(listener.drain)
        change_in.join()
    assert {notify.channel for notify in listener.seen} == {"kintaraa_tick"}
    assert {notify.payload for notify in listener.seen} == {""}


def test_no_tick_is_written_when_nothing_happens():
    quiet()
    tick = newest()
    mark = time.monotonic()
    wait_until(lambda: time.monotonic() - mark > 2.5, what="two and a half seconds")
    assert newest() == tick


def test_a_lost_wake_up_is_found_by_looking():
    account = make_account()
    quiet()
    tick = newest()
    with contextlib.closing(cluster.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO kintaraa.change (bucket, noun, id, x, version, foreign_version, deleted, "
                       "updated_at) VALUES (%s, 'account', %s, pg_current_xact_id(), 1, 0, false, now())",
                       (account, new_id()))
    wait_until(lambda: newest() > tick, 5)


def test_a_change_of_membership_alone_is_ticked():
    quiet()
    tick = newest()
    cluster.psql("INSERT INTO kintaraa.member (principal, bucket, relation) VALUES (%s, %s, 'helper')",
                 (new_id(), new_id()))
    wait_until(lambda: newest() > tick, 5)


def test_an_uncommitted_change_makes_no_tick():
    account = make_account()
    quiet()
    tick = newest()
    with cluster.connect(autocommit=False) as connection:
        change(connection, account)
        assert cluster.value("SELECT kintaraa.tick_write(false)") is None
        assert newest() == tick
        connection.commit()
    wait_until(lambda: newest() > tick, 5)


def test_work_that_waits_for_a_lock_holds_up_no_tick():
    account = make_account()
    listener = Listener()
    waits = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE backend_type = 'kintaraa worker'"
    with cluster.connect(autocommit=False) as holder, cluster.connect(autocommit=False) as connection:
        holder.cursor().execute("LOCK TABLE kintaraa.need")
        for _ in range(3):
            wait_until(lambda: cluster.value(waits), what="the worker waits")
            change(connection, account)
            listener.drain()
            listener.seen = []
            connection.commit()
            assert listener.wait() < 1
        holder.rollback()


def test_ticks_rise_by_a_millisecond_when_the_clock_is_behind():
    ahead = newest() + 3600 * 1000 * 1000
    cluster.psql("INSERT INTO kintaraa.tick (t, snapshot, epoch) VALUES (%s, pg_current_snapshot(), 1)", (ahead,))
    first = cluster.value("SELECT kintaraa.tick_write(true)")
    second = cluster.value("SELECT kintaraa.tick_write(true)")
    cluster.psql("DELETE FROM kintaraa.tick WHERE t >= %s", (ahead,))
    assert (first - ahead, second - first) == (1000, 1000)
    third = cluster.value("SELECT kintaraa.tick_write(true)")
    assert third < ahead and third % 1000 == 1


def test_later_ticks_have_later_snapshots_whoever_writes_them():
    account = make_account()
    stop = threading.Event()
    failures = []

    def run(act):
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as cursor:
            try:
                while not stop.is_set():
                    act(connection, cursor)
            except Exception as error:
                failures.append(error)

    def write(connection, cursor):
        change(connection, account)

    def tick(connection, cursor):
        cursor.execute("SELECT kintaraa.tick_write(true)")

    threads = [threading.Thread(target=run, args=(act,)) for act in (write, write, tick, tick)]
    for thread in threads:
        thread.start()
    start = newest()
    wait_until(lambda: cluster.value("SELECT count(*) FROM kintaraa.tick WHERE t > %s", (start,)) > 300)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cluster.value("SELECT count(*) FROM (SELECT pg_snapshot_xmax(snapshot) < lag(pg_snapshot_xmax(snapshot)) "
                         "OVER (ORDER BY t) AS back FROM kintaraa.tick) k WHERE back") == 0


def test_under_load_ticks_are_spaced():
    account = make_account()
    stop = threading.Event()
    commits = []

    def write():
        with contextlib.closing(cluster.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            while not stop.is_set():
                change(connection, account)
                commits.append(1)

    # Numbers tell of time only once the clock has passed those that a test before made in advance.
    wait_until(lambda: time.time() * 1000 > newest() // 1000, 60)
    quiet()
    tick = newest()
    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(commits) > 2000, 60)
    stop.set()
    for thread in threads:
        thread.join()
    ticks = cluster.value("SELECT count(*) FROM kintaraa.tick WHERE t > %s", (tick,))
    # One that was held up may come right before the next, so not the shortest gap.
    usual = cluster.value("SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY gap) FROM ("
                          "SELECT t - lag(t) OVER (ORDER BY t) AS gap FROM kintaraa.tick WHERE t > %s) k", (tick,))
    print("# %d commits in %d ticks" % (len(commits), ticks))
    assert ticks < len(commits) and usual >= 2000, (ticks, usual)


with Cluster("ticks") as cluster:
    status = run_tests(globals())
sys.exit(status)
