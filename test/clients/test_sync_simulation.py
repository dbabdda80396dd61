#!/usr/bin/python3
"""Real WatermelonDB clients on bad networks keep every edit once and end alike; seeds are fixed, see make soak."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(HERE, "watermelon")]

from harness import Tap  # noqa: E402
from simulation import Simulation  # noqa: E402

RUNS = [("plain-1", 20, []), ("kills-1", 35, ["worker", "postgres", "gateway", "postgres", "worker"])]


def main():
    tap = Tap()
    for seed, seconds, kills in RUNS:
        run = Simulation(seed, seconds, kills)
        violations = run.run()
        tap.ok(not violations, "seed %s: the invariants of sync hold" % seed)
        for violation in violations[:40]:
            tap.note(violation)
        tap.note(", ".join("%s %d" % item for item in sorted(run.counts.items())))
        tap.ok(run.counts["edits"] > 10 * seconds and run.counts["late commits"] > 0,
               "seed %s: enough was written to mean something" % seed)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
