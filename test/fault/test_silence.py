#!/usr/bin/python3
"""A database that takes what is sent and never answers, hosts that hang, vanish or refuse: every request is answered
in time, no connection is lost for good, the next host is found."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import psycopg2.extensions
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until
from relay import Relay

SHORT = {"KINTARAA_SOS_TIMEOUT": "1s", "KINTARAA_NORMAL_TIMEOUT": "1s", "KINTARAA_QUEUE_TIMEOUT": "1s",
         "KINTARAA_SOS_CONNECTIONS": 2, "KINTARAA_NORMAL_CONNECTIONS": 2}
LANE = 1


class Through:
    """Looks like a cluster to Gateway(): the doors as they are seen through relays, in this order."""

    def __init__(self, *relays):
        self.gateway_dsn = psycopg2.extensions.make_dsn(
            doors.gateway_dsn, host=",".join(relay.host for relay in relays),
            port=",".join(str(relay.port) for relay in relays))


def relay(**options):
    return Relay("127.0.0.1", cluster.port, **options)


def post(gateway, mark):
    return gateway.api(token=token).post("/api/incidents", {"mark": mark, "outcome": "created"})


def timed(call):
    begin = time.monotonic()
    answer = call()
    return answer, time.monotonic() - begin


def backends():
    return [row[0] for row in doors.psql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'kintaraa-%' "
                                         "AND application_name NOT LIKE '%listen'")]


def is_whole(gateway):
    ready = {lane: metric(gateway, "lane_ready", 'lane="%s"' % lane) for lane in ("sos", "normal")}
    idle = {lane: metric(gateway, "lane_idle", 'lane="%s"' % lane) for lane in ("sos", "normal")}
    return ready == idle == {"sos": 2, "normal": 2}


def test_backends_that_stand_still_cost_the_time_of_the_lane_and_are_replaced():
    with Gateway(doors, SHORT) as gateway:
        wait_until(lambda: is_whole(gateway))
        stopped = backends()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            answer, seconds = timed(lambda: post(gateway, "still"))
            assert (answer.status, answer.body["code"]) == (504, "GW506"), answer
            assert "Retry-After" in answer.headers and seconds < LANE + 2, seconds
            answer = wait_until(lambda: post(gateway, "after"), 5)
            wait_until(lambda: post(gateway, "after").status == 201, 10)
            wait_until(lambda: is_whole(gateway), 15)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert "reason=silent" in gateway.log()


def test_a_read_that_is_not_answered_ends_in_time_too():
    with relay() as host, Gateway(Through(host), SHORT) as gateway:
        wait_until(lambda: is_whole(gateway))
        host.freeze()
        answer, seconds = timed(lambda: gateway.api(token=token).get("/api/me"))
        assert answer.status in (503, 504) and "Retry-After" in answer.headers, answer
        assert seconds < LANE + 2, seconds


def test_readyz_says_no_within_two_seconds_and_lanes_are_not_ready():
    with relay() as host, Gateway(Through(host), {}) as gateway:
        wait_until(lambda: metric(gateway, "lane_ready", 'lane="normal"') == 8)
        host.freeze()
        for _ in range(4):
            answer, seconds = timed(lambda: gateway.api().get("/readyz"))
            assert answer.status in (503, 504) and seconds <= 2, (answer, seconds)
        wait_until(lambda: not any(metric(gateway, "lane_ready", 'lane="%s"' % lane) for lane in ("sos", "normal")), 12)
        host.thaw()
        wait_until(lambda: gateway.api().get("/readyz").status == 200, 10)
        wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 8, 15)


def test_what_is_taken_while_nobody_answers_is_never_said_to_be_stored():
    told = {}

    def phone(number):
        for n in range(8):
            mark = "s%d-%d" % (number, n)
            answer, seconds = timed(lambda m=mark: post(gateway, m))
            told[mark] = (answer.status, seconds)
    with relay() as host, Gateway(Through(host), SHORT) as gateway:
        wait_until(lambda: is_whole(gateway))
        phones = [threading.Thread(target=phone, args=(n,)) for n in range(6)]
        for one in phones:
            one.start()
        wait_until(lambda: len(told) >= 6)
        host.freeze()
        wait_until(lambda: any(status == 504 for status, _ in told.values()))
        host.thaw()
        for one in phones:
            one.join(60)
    stored = {row[0] for row in doors.psql("SELECT mark FROM kintaraa_api.note")}
    assert len(told) == 48 and max(seconds for _, seconds in told.values()) < LANE + 2, told
    assert not {mark for mark, (status, _) in told.items() if status == 201} - stored


def test_a_host_that_hangs_hides_nobody():
    with relay() as first, relay(listening=False) as second, relay() as third:
        first.freeze()
        begin = time.monotonic()
        with Gateway(Through(first, second, third), SHORT, start=False) as gateway:
            gateway.start(wait=False)
            gateway.wait_ready(5)
            wait_until(lambda: post(gateway, "third").status == 201, 5)
            assert time.monotonic() - begin < 5, time.monotonic() - begin
            wait_until(lambda: is_whole(gateway), 5)


def test_a_primary_that_vanishes_without_a_word_is_left():
    with relay() as first, relay(listening=False) as second, Gateway(Through(first, second), SHORT) as gateway:
        wait_until(lambda: is_whole(gateway))
        first.freeze()
        begin = time.monotonic()
        while time.monotonic() < begin + 3:
            assert post(gateway, "nowhere").status in (503, 504)
        second.listen()
        begin = time.monotonic()
        wait_until(lambda: post(gateway, "second").status == 201, 10)
        assert time.monotonic() - begin < LANE + 3, time.monotonic() - begin
        wait_until(lambda: is_whole(gateway), 10)


def test_connections_without_work_leave_a_host_that_vanished():
    with relay() as first, relay() as second, Gateway(Through(first, second), SHORT) as gateway:
        wait_until(lambda: is_whole(gateway))
        host, other = (first, second) if first.accepted > second.accepted else (second, first)
        host.freeze()
        before = other.accepted
        wait_until(lambda: other.accepted >= before + 5 and is_whole(gateway), 12)
        answer, seconds = timed(lambda: post(gateway, "moved"))
        assert answer.status == 201 and seconds < 1, (answer, seconds)


def test_hosts_that_cannot_be_read_are_a_sentence():
    for value in ("host=a,b port=1,2,3", "host=a,b hostaddr=127.0.0.1", "nonsense=1"):
        gateway = Gateway(None, {"KINTARAA_DATABASE": value}, start=False)
        gateway.start(wait=False)
        assert gateway.process.wait(10) != 0 and "KINTARAA_DATABASE" in gateway.log(), gateway.log()
        gateway.destroy()


with Cluster() as cluster, Doors(cluster) as doors:
    token = doors.token()
    sys.exit(run_tests(globals()))
