"""Signals that mean nothing end nothing, and a database that is away fills no log."""
import os
import re
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests, wait_until

HARMLESS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGPIPE,
            signal.SIGPWR, signal.SIGWINCH, signal.SIGCONT)


def workers():
    with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
        return [int(pid) for pid in file.read().split()]


def test_harmless_signals_end_neither_supervisor_nor_worker():
    before = workers()
    assert len(before) == 1
    for number in HARMLESS:
        for pid in (gateway.pid, *before):
            os.kill(pid, number)
        assert gateway.api().get("/healthz").status == 200, number
    assert gateway.process.poll() is None and workers() == before


def test_database_that_is_away_is_one_line_a_second_with_a_count():
    cluster.stop()
    begin = time.monotonic()
    wait_until(lambda: time.monotonic() > begin + 5)
    lines = [line for line in gateway.log().splitlines() if "event=database_down" in line]
    kinds = {}
    for line in lines:
        reason, second = re.search(r"reason=(\w+)", line).group(1), line[:len("time=2026-11-30T00:00:00")]
        kinds.setdefault((reason, second), []).append(line)
    assert all(len(found) <= 2 for found in kinds.values()), max(kinds.values(), key=len)
    assert any(re.search(r" times=\d+$", line) for line in lines), lines
    cluster.start()
    wait_until(lambda: gateway.api().get("/readyz").status == 200)


with Cluster() as cluster, Gateway(cluster, {"KINTARAA_LOG_LEVEL": "warn"}) as gateway:
    sys.exit(run_tests(globals()))
