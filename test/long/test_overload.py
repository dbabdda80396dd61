#!/usr/bin/python3
"""Many times more readings than can be served beside reports: the reports are taken first, and what can be done is
done.  The generator has one processor, gateway and PostgreSQL the other; ratios of one run count, no rates."""
import os
import re
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import play
from harness import Cluster, Gateway, run_tests

SECONDS = 6
PAIRS = 5
PHONES = 48
LUA = """local tokens = {%s}
local n = 0
function request()
  n = n + 1
  return "GET /api/me HTTP/1.1\\r\\nHost: x\\r\\nAuthorization: Bearer " .. tokens[n %% #tokens + 1] .. "\\r\\n\\r\\n"
end
"""


class Reports:
    """Phones that send a report each so often, whatever becomes of the one before."""

    def __init__(self, rate):
        self.told, self.taken = [], []
        self.ends = time.monotonic() + SECONDS
        self.threads = [threading.Thread(target=self._phone, args=(n, PHONES / rate)) for n in range(PHONES)]
        for thread in self.threads:
            thread.start()

    def _phone(self, number, pause):
        api = gateway.api(timeout=30, token=tokens[number % len(tokens)])
        due = time.monotonic() + pause * number / PHONES
        while due < self.ends:
            time.sleep(max(0, due - time.monotonic()))
            answer = api.post("/api/incidents", {"id": uuid.uuid4().hex, "supportServices": ["medical"]})
            self.told.append(answer.status)
            self.taken.append(time.monotonic() - due)
            due += pause

    def finish(self):
        for thread in self.threads:
            thread.join()
        self.taken.sort()
        return {"refused": sum(status != 201 for status in self.told), "stored": self.told.count(201),
                "p99": self.taken[len(self.taken) * 99 // 100]}


def readings(connections):
    """How many readings a second are asked for, and how many are answered with what was asked for."""
    done = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c%d" % connections, "-d%ds" % SECONDS, "-s", script,
                           gateway.url], stdout=subprocess.PIPE, text=True, check=True).stdout
    asked = int(re.search(r"(\d+) requests in", done).group(1))
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    return asked / SECONDS, (asked - int(refused.group(1) if refused else 0)) / SECONDS


def intake():
    """Reports a second that are stored when nobody reads."""
    count = []

    def phone(number):
        api = gateway.api(token=tokens[number % len(tokens)])
        while time.monotonic() < ends:
            count.append(api.post("/api/incidents", {"id": uuid.uuid4().hex, "supportServices": ["medical"]}).status)
    ends = time.monotonic() + 4
    threads = [threading.Thread(target=phone, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count.count(201) / 4


def run(rate, connections):
    reports = Reports(rate)
    asked, read = readings(connections)
    return {"asked": asked, "read": read, **reports.finish()}


def test_reports_are_taken_first_and_the_rest_goes_on():
    rate = intake() / 4
    ratios = []
    for _ in range(PAIRS):
        peak = run(rate, 16)
        flood = run(rate, 1200)
        ratios.append((flood["read"] + flood["stored"] / SECONDS) / (peak["read"] + peak["stored"] / SECONDS))
        print("# %.0f reports/s; peak %s; flood %s; goodput %.0f %%" % (rate, peak, flood, ratios[-1] * 100))
        assert flood["refused"] == 0, flood
        assert flood["p99"] < 1, flood
    assert sorted(ratios)[PAIRS // 2] >= 0.8, ratios


os.sched_setaffinity(0, {0})
with Cluster() as cluster:
    play.load(cluster)
    stage = play.Stage(cluster)
    for number in range(PHONES):
        stage.value("SELECT play.register(%s)", "person%d" % number)
    tokens = [row[0] for row in stage.rows("SELECT token FROM play.person")]
    stage.close()
    with Gateway(cluster, {"KINTARAA_LOG_LEVEL": "error"}) as gateway:
        os.sched_setaffinity(0, {1})
        script = os.path.join(gateway.folder, "read.lua")
        with open(script, "w") as file:
            file.write(LUA % ",".join('"%s"' % token for token in tokens))
        sys.exit(run_tests(globals()))
