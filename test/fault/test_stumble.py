#!/usr/bin/python3
"""Single calls of the system fail under traffic: the worker lives, every request is answered in time, nothing is said
to be stored that is not, and everything held is given back.  test/long/test_stumble.py does two hundred of each."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import Cluster, run_tests, wait_until
from stumble import FUNCTIONS, Stumbling

CALLS = [int(text) for text in os.environ.get("KN_CALLS", "1 2 3 5 8 13").split()]


def stumble(functions, calls):
    with Stumbling(doors) as gateway:
        for _ in range(5):
            gateway.traffic("epoll_ctl")
        wait_until(gateway.is_whole)
        descriptors, resident = gateway.descriptors(), gateway.resident()
        for function in functions:
            for number in calls:
                if not gateway.stumble(function, number) and number > 20:
                    break
        gateway.check(descriptors, resident, 8 << 20)


def test_short_memory_ends_no_worker():
    stumble(FUNCTIONS[:3], CALLS)


def test_failing_sockets_leave_nobody_waiting():
    stumble(FUNCTIONS[3:10], CALLS)


def test_a_failing_event_loop_leaves_nobody_waiting():
    stumble(FUNCTIONS[10:], CALLS)


def test_a_report_that_no_connection_has_memory_for_is_told_so_at_once():
    with Stumbling(doors, {"KINTARAA_QUEUE_TIMEOUT": "5s", "KINTARAA_MAX_BODY": 65600}) as gateway:
        api = gateway.api(token=gateway.token)
        wait_until(gateway.is_whole)
        before = metric(gateway, "database_connects_total")
        gateway.shorten(66000)  # takes the body, but not the message that libpq makes of it
        begin = time.monotonic()
        body = b'{"mark": "large", "outcome": "created", "more": "%s"}' % (b"x" * 65450)
        answer = api.request("POST", "/api/incidents", body=body)
        assert answer.status == 503 and answer.body["code"] == "GW503", answer
        assert answer.headers["Retry-After"] == "1" and time.monotonic() - begin < 2, time.monotonic() - begin
        assert api.post("/api/incidents", {"mark": "small", "outcome": "created"}).status == 201
        gateway.trip("realloc", 0)
        wait_until(gateway.is_whole)
        assert metric(gateway, "database_connects_total") - before <= 2
        assert api.request("POST", "/api/incidents", body=body).status == 201


if __name__ == "__main__":
    with Cluster() as cluster, Doors(cluster) as doors:
        sys.exit(run_tests(globals()))
