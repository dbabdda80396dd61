#!/usr/bin/python3
"""Real WatermelonDB clients on bad networks keep every edit once and end alike.

    test_sync_simulation.py                 the fixed seeds
    test_sync_simulation.py SECONDS         new seeds for so long
    test_sync_simulation.py SECONDS SEED    one seed

With seconds the phones keep their rows in SQLite where "npm rebuild better-sqlite3" was run in
.build/node/watermelon, else in LokiJS as always.
"""
import collections
import os
import secrets
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "watermelon")]

from harness import Tap  # noqa: E402
from simulation import FAULTS, NODE, Simulation  # noqa: E402

STRIKES = ["worker", "clock", "postgres", "gateway", "postgres", "worker"]
RUNS = [("plain-1", 15, ["clock"]), ("kills-1", 30, STRIKES)]
ROUND = 40
SQLITE = os.path.join(NODE, "node_modules", "better-sqlite3", "build", "Release", "better_sqlite3.node")


def runs():
    if len(sys.argv) < 2:
        yield from RUNS
        return
    end = time.monotonic() + float(sys.argv[1])
    while time.monotonic() < end:
        yield sys.argv[2] if len(sys.argv) > 2 else "soak-" + secrets.token_hex(4), ROUND, STRIKES
        if len(sys.argv) > 2:
            return


def main():
    tap = Tap()
    seen = collections.Counter()
    for seed, seconds, strikes in runs():
        adapter = "sqlite" if len(sys.argv) > 1 and os.path.exists(SQLITE) else "loki"
        run = Simulation(seed, seconds, strikes, adapter=adapter)
        violations = run.run()
        tap.ok(not violations, "seed %s: the invariants of sync hold" % seed)
        for line in violations[:40] + run.stories[:200]:
            tap.note(line)
        tap.note(", ".join("%s %d" % item for item in sorted(run.counts.items())))
        tap.ok(run.counts["edits"] > 3 * seconds, "seed %s: enough was written to mean something" % seed)
        seen += run.counts
    tap.ok(all(seen[fault] for fault in FAULTS), "each fault was seen")
    tap.note(", ".join(fault for fault in FAULTS if not seen[fault]))
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
