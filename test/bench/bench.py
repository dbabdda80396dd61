"""Measures the built program against its targets; see docs/performance.md.

    test/bench/run [row…]     make bench ROWS=create,get

Rows: create get list assignments latency writers sockets batch pull growth hostile stamps instructions routing; all of
them without an argument.
Starts a cluster and a gateway of its own.  Exit status 1 when a row misses its target or does not run.
"""
import datetime
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import measure  # noqa: E402
import rows_http  # noqa: E402
import rows_instructions  # noqa: E402
import rows_news  # noqa: E402
import rows_sync  # noqa: E402
from stage import Stage  # noqa: E402

FOLDER = os.path.dirname(os.path.abspath(__file__))
BUDGET = 18 * 60
NEWS = {"latency": rows_news.latency, "writers": rows_news.writers, "sockets": rows_news.sockets}
OTHERS = {**NEWS, **rows_sync.ROWS}
ALONE = ("instructions", "routing")  # on clusters of their own
ROWS = [*rows_http.TARGETS, *OTHERS, *ALONE]


def say(text):
    print(text, flush=True)


def print_conditions(stage):
    say("conditions: %s; %d processors (%s), load %.1f before; SELECT 1 costs %.0f us; fdatasync %.0f/s; "
        "PostgreSQL %s; %s facilities"
        % (datetime.date.today(), os.cpu_count(), measure.processor(), measure.load_average(), stage.yardstick(),
           measure.fsync_rate(os.path.join(stage.cluster.folder, "data"), "postgres"),
           stage.cluster.value("SHOW server_version").split()[0],
           stage.cluster.value("SELECT count(*) FROM kintaraa.provider_dispatch WHERE dispatchable")))


def run_routing():
    return subprocess.run(["/usr/bin/python3", os.path.join(FOLDER, "routing.py")], check=False).returncode == 0


def run_row(stage, row):
    say("%s (load %.1f)" % (row, measure.load_average()))
    try:
        if row == "routing":
            return run_routing()
        if row == "instructions":
            return rows_instructions.run(say)
        stage.sign_in()
        stage.settle()
        return OTHERS[row](stage, say) if row in OTHERS else rows_http.run(stage, row, say)
    except measure.BenchFailed as failure:
        say("%s: did not run: %s" % (row, failure))
        return False


def main():
    rows = [row for argument in sys.argv[1:] for row in argument.replace(",", " ").split()] or ROWS
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise SystemExit("no row %s; there are: %s" % (", ".join(unknown), " ".join(ROWS)))
    start = time.monotonic()
    good = True
    stage = None if set(rows) <= set(ALONE) else Stage()
    try:
        if stage:
            print_conditions(stage)
        for row in rows:
            if time.monotonic() - start > BUDGET:
                say("%s: left out, the time is up" % row)
                good = False
                continue
            good = run_row(stage, row) and good
    finally:
        if stage:
            stage.close()
    say("done in %.0f s" % (time.monotonic() - start))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
