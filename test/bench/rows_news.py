"""Rows of news: from commit to frame, what the feed costs writers, what idle sockets weigh, a fan-out."""
import os
import resource
import subprocess
import threading

import measure
import rows_http
from harness import ROOT
from measure import BenchFailed, median

FOLDER = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(ROOT, ".build", "bench", "sockets")
WRITERS = 8
FEED_PAIRS = 15
FEED_SLICE = 2
MANY = 10000
SPARE = 500  # descriptors for everything that is no socket of the bench


def build():
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    source = os.path.join(FOLDER, "sockets.c")
    if os.path.exists(PROGRAM) and os.path.getmtime(PROGRAM) > os.path.getmtime(source):
        return
    asked = subprocess.run(["pkg-config", "--cflags", "libpq"], capture_output=True, text=True, check=True)
    flags = asked.stdout.split()
    subprocess.run(["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", *flags,
                    "-o", PROGRAM, source, "-lpq"], check=True)


class Sockets:
    """The program sockets.c: its sockets are open while the block lasts."""

    def __init__(self, stage, plan):
        build()
        plan_path = os.path.join(stage.folder, "plan")
        sql_path = os.path.join(stage.folder, "event.sql")
        with open(plan_path, "w", encoding="utf-8") as file:
            file.writelines("%d %s\n" % line for line in plan)
        body = "'%s'" % stage.report_body(0, "' || $1 || '")
        with open(sql_path, "w", encoding="utf-8") as file:
            file.write(stage.door("incident_create", stage.survivors[0], body="(%s)::jsonb" % body))
        command = [PROGRAM, str(stage.gateway.port), plan_path, stage.cluster.gateway_dsn, sql_path]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        try:
            self.open_seconds = float(self._line().split()[2])
        except Exception:
            self.close()
            raise

    def _line(self):
        line = self.process.stdout.readline()
        if not line:
            raise BenchFailed("sockets: %s" % self.process.stderr.read().strip())
        return line

    def events(self, rate, seconds, watchers):
        self.process.stdin.write("events %f %f %d\n" % (rate, seconds, watchers))
        self.process.stdin.flush()
        words = self._line().split()[1:]
        names = ("events", "frames", "missing", "first50", "first99", "last50", "last99", "seconds")
        return dict(zip(names, map(float, words)))

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def latency(stage, say):
    """100 events a second while 1,000 sockets are open."""
    with Sockets(stage, [(1, stage.survivors[0]), (999, stage.survivors[1])]) as sockets:
        sockets.events(100, 1, 1)
        runs = [sockets.events(100, 5, 1) for _ in range(3)]
    for one in runs:
        say("  %d events, %d frames missing: p50 %.2f  p99 %.2f ms" % (one["events"], one["missing"], one["first50"],
                                                                      one["first99"]))
    p50, p99 = median([one["first50"] for one in runs]), median([one["first99"] for one in runs])
    good = p50 < 1.7 and p99 < 6.4 and not any(one["missing"] for one in runs)
    say("latency: commit to frame at 100 events/s, 1,000 sockets open: p50 %.2f, p99 %.2f ms: %s"
        % (p50, p99, "meets its target" if good else "target: none missing, p50 < 1.7, p99 < 6.4"))
    return good


def writers(stage, say):
    """Creates with the feed and without: while the table of ticks is locked, the worker waits and nothing is told."""
    lock = stage.cluster.connect(autocommit=False)
    losses, rates = [], []
    plan = [(1, token) for token in stage.survivors] + [(1000 - len(stage.survivors), stage.admin)]
    with Sockets(stage, plan):
        for number in range(FEED_PAIRS):
            def without():
                lock.cursor().execute("LOCK TABLE kintaraa.tick IN SHARE MODE")
                try:
                    return measure.pgbench(stage.cluster.gateway_dsn, stage.files["create"], WRITERS, FEED_SLICE)[1]
                finally:
                    lock.rollback()

            def within():
                return measure.pgbench(stage.cluster.gateway_dsn, stage.files["create"], WRITERS, FEED_SLICE)[1]
            if number % 2:
                off, on = without(), within()
            else:
                on, off = within(), without()
            losses.append(1 - on / off)
            rates.append(on)
    lock.close()
    loss = median(losses)
    say("  losses of %d pairs: %s" % (FEED_PAIRS, " ".join("%+.0f%%" % (value * 100) for value in losses)))
    say("writers: %.0f creates/s with the feed, loss %.1f %% (median of %d pairs): %s"
        % (median(rates), loss * 100, FEED_PAIRS, "meets its target" if loss < 0.10 else "target: below 10 %"))
    return loss < 0.10


def how_many():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft if hard == resource.RLIM_INFINITY else hard
    return min(MANY, limit - SPARE)


def sockets(stage, say):
    """Memory of idle sockets, and HTTP while one message goes to all of them."""
    count = how_many()
    before = measure.memory_kb(stage.gateway.pid)
    with Sockets(stage, [(count, stage.survivors[0])]) as crowd:
        each = (measure.memory_kb(stage.gateway.pid) - before) / count
        say("sockets: %d opened in %.1f s (descriptor limit %d), gateway %.0f MB before, %.1f KB for each: %s"
            % (count, crowd.open_seconds, resource.getrlimit(resource.RLIMIT_NOFILE)[0], before / 1024, each,
               "meets its target" if each < 16 else "target: below 16 KB"))
        outcome = {}
        thread = threading.Thread(target=lambda: outcome.update(crowd.events(2, 8, count)))
        quiet = measure.wrk(stage.gateway.url, rows_http.LOAD, stage.lua, "me", 2, 3)
        thread.start()
        busy = measure.wrk(stage.gateway.url, rows_http.LOAD, stage.lua, "me", 2, 7)
        thread.join()
    if not outcome:
        raise BenchFailed("sockets ended during the fan-out")
    good = busy[3] < 20 and not outcome["missing"]
    say("  %d messages to %d sockets, %d frames missing; commit to first frame p50 %.1f, to last p50 %.0f, p99 %.0f ms"
        % (outcome["events"], count, outcome["missing"], outcome["first50"], outcome["last50"], outcome["last99"]))
    say("fan-out: HTTP p99 %.2f ms while 2 messages/s go to %d sockets (%.2f before), %.0f requests/s (%.0f before): %s"
        % (busy[3], count, quiet[3], busy[1], quiet[1],
           "meets its target" if good else "target: none missing, p99 < 20"))
    return good and each < 16
