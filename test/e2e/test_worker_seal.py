#!/usr/bin/python3
"""Seals while others write: whole transactions, in time, and none too early."""
import contextlib
import os
import random
import statistics
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, run_tests, wait_until

ENTRY = "INSERT INTO kintaraa.audit (action, outcome) VALUES ('test', 'ok')"


def verdict():
    return cluster.psql("SELECT ok, sealed, unsealed, first_bad FROM kintaraa.audit_verify()")[0]


def all_sealed():
    return verdict()[2] == 0


def test_an_entry_is_sealed_within_a_fraction_of_a_second():
    wait_until(all_sealed)
    times = []
    for _ in range(10):
        before = cluster.value("SELECT coalesce(max(n), 0) FROM kintaraa.audit_seal")
        start = time.monotonic()
        cluster.psql(ENTRY)
        wait_until(lambda: cluster.value("SELECT coalesce(max(n), 0) FROM kintaraa.audit_seal") > before)
        times.append((time.monotonic() - start) * 1000)
    print("# entry to seal: p50 %.0f ms" % statistics.median(times))
    assert statistics.median(times) < 1000, times


def test_no_seal_passes_a_transaction_that_runs():
    wait_until(all_sealed)
    sealed = verdict()[1]
    with contextlib.closing(cluster.connect(autocommit=False)) as old:
        old.cursor().execute(ENTRY)
        cluster.psql(ENTRY)
        mark = time.monotonic()
        wait_until(lambda: time.monotonic() - mark > 1, what="a second")
        assert verdict() == (True, sealed, 1, None), "the later one was sealed before the older one ended"
        old.commit()
    wait_until(all_sealed)
    assert verdict() == (True, sealed + 2, 0, None)


def test_the_chain_holds_whatever_order_writers_end_in():
    wait_until(all_sealed)
    before = verdict()[1]
    written = []

    def write():
        with contextlib.closing(cluster.connect(autocommit=False)) as connection:
            for _ in range(60):
                with connection.cursor() as cursor:
                    entries = random.randint(1, 5)
                    for _ in range(entries):
                        cursor.execute(ENTRY)
                if random.random() < 0.2:
                    connection.rollback()
                else:
                    connection.commit()
                    written.append(entries)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(all_sealed)
    ok, sealed, unsealed, first_bad = verdict()
    assert (ok, sealed - before, first_bad) == (True, sum(written), None), (ok, sealed, sum(written), first_bad)
    print("# %d entries in %s seals" % (sealed, cluster.value("SELECT count(*) FROM kintaraa.audit_seal")))


def test_the_root_is_written_to_the_log():
    wait_until(all_sealed)
    root = cluster.value("SELECT encode(root, 'hex') FROM kintaraa.audit_seal ORDER BY n DESC LIMIT 1")
    cluster.psql("SELECT kintaraa.audit_anchor()")
    wait_until(lambda: "audit root " + root in cluster.log())


def test_what_is_done_to_a_sealed_entry_is_found():
    wait_until(all_sealed)
    cluster.psql("UPDATE kintaraa.audit SET outcome = 'refused' WHERE n = (SELECT max(n) FROM kintaraa.audit)")
    ok, _, _, first_bad = verdict()
    assert not ok and first_bad == cluster.value("SELECT max(n) FROM kintaraa.audit_seal")
    cluster.psql("UPDATE kintaraa.audit SET outcome = 'ok' WHERE n = (SELECT max(n) FROM kintaraa.audit)")
    assert verdict()[0]


with Cluster("seal") as cluster:
    status = run_tests(globals())
sys.exit(status)
