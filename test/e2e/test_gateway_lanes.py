"""Who gets a connection: reports before everything else, refusals that cost little."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until


class Asking(threading.Thread):
    """One request; answer and the time it came."""

    def __init__(self, method, path, body=None):
        super().__init__(daemon=True)
        self.request, self.answer, self.ended, self.seconds = (method, path, body), None, None, None
        self.start()

    def run(self):
        begin = time.monotonic()
        self.answer = gateway.api(token=token).request(*self.request)
        self.ended = time.monotonic()
        self.seconds = self.ended - begin

    def finish(self):
        self.join(20)
        return self.answer.status


def read(seconds):
    return Asking("GET", "/api/dispatch/queue?seconds=%s" % seconds)


def report(seconds=0):
    return Asking("POST", "/api/incidents", {"mark": "lane", "seconds": seconds, "outcome": "created"})


def waiting(lane):
    return metric(gateway, "lane_waiting", 'lane="%s"' % lane)


def busy():
    """All connections of both lanes are at work, for a second."""
    held = [read(1), read(1)]
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 0)
    held.append(report(1.5))
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="sos"') == 0)
    return held


def finish(asking):
    assert all(one.finish() in (200, 201) for one in asking), [one.answer for one in asking]
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 2)
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="sos"') == 1)


def test_a_connection_that_becomes_free_takes_a_waiting_report_first():
    held = busy()
    reads = [read(0.5), read(0.5)]
    wait_until(lambda: waiting("normal") == 2)
    last = report()
    wait_until(lambda: waiting("sos") == 1)
    finish(held + reads + [last])
    assert last.ended < min(one.ended for one in reads), "the report waited for a reading"
    assert last.ended < held[2].ended, "and did not wait for its own lane"


def test_one_connection_stays_with_those_who_read():
    held = busy()
    reports = [report(1), report(1), report(1)]
    wait_until(lambda: waiting("sos") == 3)
    other = read(0)
    finish(held + reports + [other])
    assert other.ended < min(one.ended for one in reports), "who reads waited for reports"


def test_a_reading_that_finds_its_queue_full_is_told_a_second_later():
    held = busy() + [read(0), read(0)]
    wait_until(lambda: waiting("normal") == 2)
    more = read(0)
    assert more.finish() == 503 and more.answer.body["code"] == "GW503", more.answer
    assert 0.9 < more.seconds < 2 and "Retry-After" in more.answer.headers, more.seconds
    finish(held)


def test_reports_have_a_queue_of_their_own_length():
    held = busy() + [report(), report(), report()]
    wait_until(lambda: waiting("sos") == 3)
    more = report()
    assert more.finish() == 503 and more.answer.body["code"] == "GW503", more.answer
    assert more.seconds < 0.5, more.seconds
    finish(held)


with Cluster() as cluster, Doors(cluster) as doors, \
        Gateway(doors, {"KINTARAA_NORMAL_CONNECTIONS": 2, "KINTARAA_SOS_CONNECTIONS": 1, "KINTARAA_QUEUE_LIMIT": 2,
                        "KINTARAA_SOS_QUEUE_LIMIT": 3}) as gateway:
    token = doors.token(role="dispatcher")
    wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 2)
    sys.exit(run_tests(globals()))
