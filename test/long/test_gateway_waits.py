#!/usr/bin/python3
"""What takes a gateway seconds or thousands of connections: waits that add up, sockets that are many."""
import asyncio
import base64
import json
import os
import struct
import sys
import threading
import time

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


def resident(gateway):
    with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as children:
        worker = children.read().split()[0]
    with open("/proc/%s/statm" % worker) as file:
        return int(file.read().split()[1]) * 4096


async def greeted(gateway, token):
    """A socket that has read its greeting."""
    reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    hello = json.dumps({"type": "hello", "token": token}).encode()
    writer.write(b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)) + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
                 + b"\x81\xfe" + struct.pack(">H", len(hello)) + bytes(4) + hello)
    await reader.readuntil(b"hello.result")
    return writer


def test_two_thousand_sockets_are_greeted_soon_and_are_small():
    async def all_of_them():
        begin = time.monotonic()
        writers = await asyncio.gather(*[greeted(gateway, tokens[n % 20]) for n in range(2000)])
        seconds, memory = time.monotonic() - begin, (resident(gateway) - before) / 2000
        for writer in writers:
            writer.close()
        return seconds, memory
    with Gateway(doors, {"KINTARAA_LOG_LEVEL": "warn"}) as gateway:
        tokens = [doors.token() for _ in range(20)]
        wait_until(lambda: metric(gateway, "lane_idle", 'lane="normal"') == 8)
        before = resident(gateway)
        seconds, memory = asyncio.run(all_of_them())
    print("# 2000 greeted in %.1f s, %.1f KB each" % (seconds, memory / 1024))
    assert seconds < 30 and memory < 24576, (seconds, memory)


if __name__ == "__main__":
    with Cluster() as cluster, Doors(cluster) as doors:
        sys.exit(run_tests(globals()))
