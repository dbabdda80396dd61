#!/usr/bin/python3
"""What needs seconds of waiting in front of a gateway."""
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until


def test_a_write_that_waited_for_its_turn_still_has_the_time_of_its_lane():
    told = []

    def sign_in():
        told.append(gateway.api(timeout=20).post("/api/auth/login", {"seconds": 1.9}).status)
    with Gateway(doors, {"KINTARAA_HASH_CONNECTIONS": 1, "KINTARAA_HASH_TIMEOUT": "2200ms",
                         "KINTARAA_QUEUE_TIMEOUT": "2200ms"}) as gateway:
        wait_until(lambda: metric(gateway, "lane_idle", 'lane="hash"') == 1)
        both = [threading.Thread(target=sign_in) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
    assert told == [200, 200], told


if __name__ == "__main__":
    with Cluster() as cluster, Doors(cluster) as doors:
        sys.exit(run_tests(globals()))
