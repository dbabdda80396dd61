"""What one call of a door costs the server in instructions, counted by callgrind.

Unlike times they are the same in each run, to two in a hundred (lists: to a tenth), whatever else the machine does.
The kernel's are not counted, nor is waiting."""
import os
import re
import stat
import tempfile
import time

from harness import home
from measure import BenchFailed
from rows_sync import STAMPED, switch_stamps
from stage import Stage

CALLS = (40, 240)  # the first few plan and fill caches; what counts is the difference
DEADLINE = 60

# Thousands of instructions a call, about a tenth above the most that was counted.
# The pull comes first: nobody has written since.
LIMITS = {"pull": 800, "create": 3000, "get": 680, "list": 11500, "assignments": 1900, "mood": 830}

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
            cursor.fetchall()
    connection.close()
    return read_count(os.path.join(folder, str(pid)))


def scripts(stage):
    """What calls each door; the pull finds nothing new in 21 buckets."""
    token = stage.survivors[1]
    cursor = stage.api.get("/api/incidents/updates", token=token).body["cursor"]
    calls = {row: files[0] for row, files in stage.files.items()}
    calls.update(pull=stage.pull_script("pull", token, cursor), mood=stage.mood_script("mood", token))
    return calls


def measure_door(stage, folder, script):
    with open(script, encoding="utf-8") as file:
        sql = file.read().rstrip(";\n")
    few, many = [count(stage, folder, sql, calls) for calls in CALLS]
    return (many - few) / (CALLS[1] - CALLS[0]) / 1000


def measure_all(stage, folder, calls, say):
    good = True
    for row, limit in LIMITS.items():
        thousands = measure_door(stage, folder, calls[row])
        good = good and thousands <= limit
        say("instructions: %s %.0f thousand a call%s"
            % (row, thousands, "" if thousands <= limit else ", above %d" % limit))
        if row not in STAMPED:
            continue
        tables, most = STAMPED[row]
        switch_stamps(stage, tables, "DISABLE")
        ratio = thousands / measure_door(stage, folder, calls[row])
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
            stage.cluster.psql("SELECT kintaraa.epoch_check()")  # as the worker does, which is slow to begin here
            count(stage, folder, "SELECT 1", 1)  # the first backend writes the file of catalogue entries for all
            return measure_all(stage, folder, calls, say)
        finally:
            stage.close()
            stage.cluster.destroy()  # the last processes leave their files
