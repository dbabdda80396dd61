"""What one call of a door costs the server in instructions, counted by callgrind.

Unlike times they are the same in each run, to two in a hundred (lists: to a tenth), whatever else the machine does.
The kernel's are not counted, nor is waiting."""
import os
import re
import stat
import tempfile
import time

import psycopg2

from harness import home, wait_until
from measure import BenchFailed
from rows_sync import STAMPED, switch_stamps
from stage import Stage

CALLS = (40, 240)  # the first few plan and fill caches; what counts is the difference
BATCHES = (4, 14)
BATCH = 50  # reports
DEADLINE = 60

# Thousands of instructions a call, of a batch a report: what each may cost, or a tenth above the most that was counted.
# The pull comes first: nobody has written since.
LIMITS = {"pull": 800, "create": 2900, "get": 680, "list": 10000, "batch": 900, "assignments": 2440,
          "mood": 830}

PROGRAM = """#!/bin/sh
exec valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file='%(folder)s/%%p' '%(server)s' "$@"
"""


def write_program(folder):
    """A program to start instead of the server; each process leaves its count in a file named like it."""
    os.chmod(folder, 0o777)
    path = os.path.join(folder, "postgres")
    server = os.path.join(home(), "server/lib/postgresql/15/bin/postgres")
    with open(path, "w", encoding="utf-8") as file:
        file.write(PROGRAM % {"folder": folder, "server": server})
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH | stat.S_IROTH)
    return path


def read_count(path):
    """The sum of a process, once it has ended."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M)
            if found:
                return int(found.group(1))
        time.sleep(0.1)
    raise BenchFailed("callgrind left no count in %s" % path)


def count(stage, folder, sql, calls):
    connection = stage.cluster.connect("kintaraa_gateway")
    pid = connection.get_backend_pid()
    with connection.cursor() as cursor:
        cursor.execute("PREPARE door AS " + sql)
        for _ in range(calls):
            cursor.execute("EXECUTE door")
            answer = cursor.fetchall()[0]
    if len(answer) == 2 and (answer[0] not in ("ok", "created") or "'refused'" in str(answer[1])):
        raise BenchFailed("what is counted is refused: %s %s" % (answer[0], str(answer[1])[:300]))
    connection.close()
    return read_count(os.path.join(folder, str(pid)))


def scripts(stage):
    """What calls each door; the pull finds nothing new in 21 buckets."""
    token = stage.survivors[1]
    cursor = stage.api.get("/api/incidents/updates", token=token).body["cursor"]
    calls = {row: files[0] for row, files in stage.files.items()}
    calls.update(pull=stage.pull_script("pull", token, cursor), mood=stage.mood_script("mood", token),
                 batch=stage.batch_script("batch", token, BATCH))
    return calls


def wait_ready(stage, script):
    """Until the worker, slow here, has checked the epoch of cursors: before that no pull is answered."""
    def is_ready():
        connection = stage.cluster.connect("kintaraa_gateway")
        try:
            with connection.cursor() as cursor:
                cursor.execute(read_call(script))
                return cursor.fetchone()[0] == "ok"
        except psycopg2.DatabaseError:
            return False
        finally:
            connection.close()

    wait_until(is_ready, DEADLINE, "the worker to check the epoch of cursors")


def read_call(script):
    with open(script, encoding="utf-8") as file:
        return file.read().rstrip(";\n")


def measure_door(stage, folder, row, script):
    sequence, each = (BATCHES, BATCH) if row == "batch" else (CALLS, 1)
    few, many = [count(stage, folder, read_call(script), calls) for calls in sequence]
    return (many - few) / (sequence[1] - sequence[0]) / each / 1000


def measure_all(stage, folder, calls, say):
    good = True
    for row, limit in LIMITS.items():
        thousands = measure_door(stage, folder, row, calls[row])
        good = good and thousands <= limit
        say("instructions: %s %.0f thousand a call%s"
            % (row, thousands, "" if thousands <= limit else ", above %d" % limit))
        if row not in STAMPED:
            continue
        tables, most = STAMPED[row]
        switch_stamps(stage, tables, "DISABLE")
        ratio = thousands / measure_door(stage, folder, row, calls[row])
        switch_stamps(stage, tables, "ENABLE")
        good = good and ratio < most
        say("instructions: %s costs %.2f of one without stamps (at most %.2f)" % (row, ratio, most))
    return good


def run(say):
    """KINTARAA_CALLGRIND names a folder that keeps the files, for callgrind_annotate."""
    with tempfile.TemporaryDirectory(prefix="kn-callgrind-") as passing:
        folder = os.environ.get("KINTARAA_CALLGRIND") or passing
        stage = Stage()
        try:
            calls = scripts(stage)
            stage.gateway.stop()
            stage.cluster.environment["KN_POSTGRES"] = write_program(folder)
            stage.cluster.restart()
            wait_ready(stage, calls["pull"])
            count(stage, folder, "SELECT 1", 1)  # the first backend writes the file of catalogue entries for all
            return measure_all(stage, folder, calls, say)
        finally:
            stage.close()
            stage.cluster.destroy()  # the last processes leave their files
