"""A migration beside a reader that holds the table and phones that call a door."""
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import play

RATE = 10
CONNECTIONS = 40


class Beside:
    """Ten calls a second, and somebody who reads kintaraa.incident and does not end, while change() runs."""

    def __init__(self, server, who, door="incident_create"):
        self.server, self.who, self.door = server, who, door
        self.own = threading.local()
        self.stages = []
        self.waits, self.outcomes = [], []
        self.notices = []

    def call(self, name, due):
        if not hasattr(self.own, "stage"):
            self.own.stage = play.Stage(self.server)
            self.stages.append(self.own.stage)
        outcome = self.own.stage.outcome(self.door, self.who, None, {"id": name})
        self.waits.append(time.monotonic() - due)
        self.outcomes.append(outcome)

    def change(self, statement):
        with contextlib.closing(self.server.connect()) as connection:
            try:
                connection.cursor().execute(statement)
            finally:
                self.notices = [notice.strip() for notice in connection.notices]

    def run(self, statement, seconds):
        """How long the change took, in seconds."""
        with ThreadPoolExecutor(CONNECTIONS) as pool, ThreadPoolExecutor(1) as other:
            reader = self.server.connect(autocommit=False)
            cursor = reader.cursor()
            cursor.execute("SELECT count(*), pg_backend_pid() FROM kintaraa.incident")
            self.reader = cursor.fetchone()[1]
            begin = time.monotonic()
            change = other.submit(self.change, statement)
            due, sent, n = begin, [], 0
            while time.monotonic() < begin + seconds or not change.done():
                if reader and time.monotonic() >= begin + seconds:
                    reader.rollback()
                    reader.close()
                    reader = None
                wait = due - time.monotonic()
                if wait > 0:
                    threading.Event().wait(wait)
                sent.append(pool.submit(self.call, "beside-%d-%d" % (id(self), n), due))
                due, n = due + 1 / RATE, n + 1
            took = time.monotonic() - begin
            change.result()
            for one in sent:
                one.result()
        for stage in self.stages:
            stage.close()
        return took
