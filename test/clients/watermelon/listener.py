"""Sockets that are kept open as an app keeps them, and what they must have heard.

    listener = Listener(gateway, "amina", token, "delta", counts)
    listener.step(rng)      until the end; opens it, and cuts it at odd moments unless rng is None; returns for how
                            many seconds the phone has no network
"""
import time

from harness import Socket

COMMITTED_TO_HEARD = 1.0  # I12: 99 of 100 commits


class Listener:
    def __init__(self, gateway, name, token, mode, counts):
        self.gateway, self.name, self.token, self.mode, self.counts = gateway, name, token, mode, counts
        self.socket = None
        self.cursor = None
        self.begun = []     # cursors of answers that told nothing of what was before
        self.heard = []     # (when, frame)
        self.gaps = []      # [from, to]: no socket that has said hello
        self.faults = []
        self.away = time.monotonic()

    def step(self, rng):
        if self.socket is None:
            self.open()
        closed = self.socket.closed.wait(rng.uniform(0.2, 2) if rng else 0.2)
        self.take()
        cut = not closed and rng is not None and rng.random() < 0.15
        self.counts["sockets cut"] += cut
        if cut or closed:
            self.leave()
        return rng.uniform(0, 0.8) if cut else 0

    def open(self):
        self.socket = Socket(self.gateway)
        self.taken, self.greeted = 0, False
        self.socket.send({"type": "hello", "token": self.token, "cursor": self.cursor, "mode": self.mode})

    def leave(self):
        socket = self.socket
        if self.greeted:
            self.away = time.monotonic()
        socket.abort()
        socket.closed.wait(5)
        self.take()
        self.socket = None

    def take(self):
        while self.taken < len(self.socket.frames):
            frame = self.socket.frames[self.taken]
            self.taken += 1
            self.apply(self.socket.arrived[id(frame)], frame)

    def apply(self, when, frame):
        if frame["type"] == "hello.result":
            self.greet(when, frame)
            return
        self.heard.append((when, frame))
        if frame.get("prev", 0) > (self.cursor or 0):
            self.faults.append("%s was told of %s after %s, and has %s" % (
                self, frame["cursor"], frame["prev"], self.cursor))
        if frame["type"] == "sync.poke" and self.mode == "delta":
            self.faults.append("%s was sent a poke in place of its frames" % self)
        if frame.get("cursor"):
            self.cursor = max(self.cursor or 0, frame["cursor"])

    def greet(self, when, frame):
        """A cursor that was given is good for ever, and for the gateway too when its server was killed."""
        if not frame["resumed"] and self.cursor is not None:
            self.faults.append("%s had %s and was told to begin anew" % (self, self.cursor))
        if not self.greeted:
            self.gaps.append((self.away, when))
            self.counts["sockets resumed"] += frame["resumed"]
        self.greeted = True
        if not frame["resumed"]:
            self.begun.append(frame["cursor"])
            self.cursor = frame["cursor"]

    def __str__(self):
        return "%s's %s socket" % (self.name, self.mode)

    # ---- what it must have heard ----

    def was_away(self, begin, end):
        return any(begin <= to and end >= since for since, to in self.gaps)

    def times(self):
        """{notification: when its frame came first}"""
        times = {}
        for when, frame in self.heard:
            if frame["type"] == "notification.push":
                times.setdefault(frame["notification"]["id"], when)
        return times

    def lost(self, ticks, wanted):
        """What was committed, and is in no frame nor before a beginning.  wanted: (noun, id, state, x) of records."""
        known = [ticks.at(cursor) for cursor in self.begun]
        if self.mode == "poke":
            known += [ticks.at(self.cursor)] if self.cursor else []
            return [record for record in wanted if not any(ticks.has_seen(tick, record[3]) for tick in known)]
        states = {}
        for _, frame in self.heard:
            if frame["type"] == "notification.push":
                states["notification", frame["notification"]["id"]] = None
            elif frame["type"] == "incident.updated":
                states["incident", frame["incidentId"]] = frame["status"]
            elif frame["type"].startswith("assignment."):
                states["assignment", frame["assignment"]["id"]] = frame["assignment"]["status"]
        return [record for record in wanted
                if states.get(record[:2], "nothing") != record[2] and
                not any(ticks.has_seen(tick, record[3]) for tick in known)]


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
