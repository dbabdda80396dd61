#!/usr/bin/python3
"""Sockets lose nothing while backends, the worker and the listener's link are killed: every report reaches every socket
of its owner, none twice on one connection.  KN_SOCKETS, KN_SECONDS, KN_RATE and KN_EVERY make it smaller."""
import asyncio
import collections
import itertools
import json
import os
import random
import sys
import time
import uuid

import websockets

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests

SOCKETS = int(os.environ.get("KN_SOCKETS", "5000"))
SECONDS = int(os.environ.get("KN_SECONDS", "600"))
RATE = int(os.environ.get("KN_RATE", "50"))
EVERY = float(os.environ.get("KN_EVERY", "20"))  # seconds between two kills
WORST = 5.0
OWNERS = 100
PASSWORD = "a long enough sentence"
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE %s ORDER BY random() LIMIT 1"
VICTIMS = ("application_name = 'kintaraa-normal'", "application_name = 'kintaraa-listen'",
           "backend_type LIKE 'kintaraa%%'", "application_name = 'kintaraa-sos'")  # killed in turn


class Reader:
    """One socket that comes back with its cursor, and what it has heard."""

    def __init__(self, owner):
        self.owner, self.cursor, self.heard = owner, None, {}
        self.doubled, self.missed = 0, 0
        self.ready = asyncio.Event()

    async def run(self):
        while True:
            try:
                await self.listen()
            except (OSError, websockets.WebSocketException, asyncio.TimeoutError):
                pass
            await asyncio.sleep(random.uniform(0.1, 1))

    async def listen(self):
        seen = set()
        async with websockets.connect(gateway.ws, ping_interval=None, max_size=None, open_timeout=20) as wire:
            await wire.send(json.dumps({"type": "hello", "token": self.owner["token"], "cursor": self.cursor}))
            async for text in wire:
                frame = json.loads(text)
                if frame["type"] == "hello.result":
                    self.missed += self.ready.is_set() and not frame["resumed"]
                    self.cursor = self.cursor if frame["resumed"] and self.cursor else frame["cursor"]
                    self.ready.set()
                elif frame["type"] == "incident.updated":
                    self.hear(frame, seen)
                self.cursor = frame.get("cursor", self.cursor)

    def hear(self, frame, seen):
        mark = (frame["incidentId"], frame["cursor"])
        self.doubled += mark in seen
        seen.add(mark)
        self.heard.setdefault(frame["incidentId"], time.monotonic())


async def report_all(sent):
    """Reports at the wanted rate, by threads of their own."""
    loop, begin, running = asyncio.get_running_loop(), time.monotonic(), set()
    for number in itertools.count():
        due = begin + number / RATE
        if due > begin + SECONDS:
            break
        await asyncio.sleep(max(0, due - time.monotonic()))
        running.add(loop.run_in_executor(None, report_one, random.choice(owners), sent))
    await asyncio.gather(*running)


def report_one(owner, sent):
    identity = str(uuid.uuid4())
    for _ in range(50):
        try:
            answer = gateway.api().post("/api/incidents", {"id": identity, "type": "physical"}, token=owner["token"])
        except OSError:
            continue
        if answer.status in (200, 201):
            sent[identity] = (owner["name"], time.monotonic())
            return
        time.sleep(0.1)


async def kill_all():
    loop = asyncio.get_running_loop()
    for victim in itertools.cycle(VICTIMS):
        await asyncio.sleep(EVERY)
        assert await loop.run_in_executor(None, cluster.psql, KILL % victim), victim


async def whole():
    readers, sent = [Reader(owners[number % len(owners)]) for number in range(SOCKETS)], {}
    tasks = [asyncio.create_task(reader.run()) for reader in readers]
    await asyncio.wait_for(asyncio.gather(*(reader.ready.wait() for reader in readers)), 120)
    killer = asyncio.create_task(kill_all())
    await report_all(sent)
    assert not killer.done(), killer
    killer.cancel()
    lacking = await settled(readers, sent)
    for task in tasks:
        task.cancel()
    late = [reader.heard[identity] - at for reader in readers for identity, (name, at) in sent.items()
            if name == reader.owner["name"] and identity in reader.heard]
    print("# %d sockets, %d reports, %d deliveries, worst %.1f s"
          % (SOCKETS, len(sent), len(late), max(late)))
    assert not lacking, "%d deliveries never came" % lacking
    assert sum(reader.doubled for reader in readers) == 0
    assert sum(reader.missed for reader in readers) == 0, "a socket was told to begin anew"
    assert max(late) < WORST, max(late)


async def settled(readers, sent):
    """How many deliveries are still lacking after the longest that one may take.  Counted by owner: going
    over all pairs of readers and reports takes longer than that, and nobody hears anything meanwhile."""
    end = time.monotonic() + 3 * WORST
    reports = collections.Counter(name for name, _ in sent.values())
    while True:
        lacking = sum(reports[reader.owner["name"]] - len(reader.heard) for reader in readers)
        if not lacking or time.monotonic() > end:
            return lacking
        await asyncio.sleep(0.2)


def test_nothing_is_lost_and_nothing_doubled():
    asyncio.run(whole())


def owner_new(number):
    body = {"email": "owner%d@example.org" % number, "password": PASSWORD, "firstName": "A", "lastName": "B"}
    answer = gateway.api().post("/api/auth/register", body)
    assert answer.status == 201, answer
    return {"name": number, "token": answer.body["tokens"]["access"]}


SETTINGS = {"KINTARAA_LOG_LEVEL": "warn", "KINTARAA_MAX_PER_ADDRESS": 0, "KINTARAA_QUEUE_LIMIT": 10000}

with Cluster() as cluster, Gateway(cluster, SETTINGS) as gateway:
    owners = [owner_new(number) for number in range(min(OWNERS, SOCKETS))]
    sys.exit(run_tests(globals()))
