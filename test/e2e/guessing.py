"""What tests of guessing share: doors as the gateway calls them, and how well two sets of times are told apart."""
import json
import random
import time

import psycopg2

CALL = "SELECT outcome, body FROM kintaraa_api.%s(%%s, %%s, %%s, %%s, %%s)"


class Line:
    """A connection with the gateway's own login."""

    def __init__(self, cluster):
        self.connection = psycopg2.connect(cluster.gateway_dsn)
        self.connection.autocommit = True
        self.networks = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, door, body, token=None, network=None):
        """Without a network it comes from one of its own."""
        self.networks += 1
        network = network or "10.%d.%d.0/24" % (self.networks >> 8 & 255, self.networks & 255)
        with self.connection.cursor() as cursor:
            cursor.execute(CALL % door, (token, [], "{}", json.dumps(body), json.dumps({"network": network})))
            return cursor.fetchone()


def interleave(line, door, known, make_person, pairs):
    """Seconds of wrong passwords at addresses that have an account and at such that have none, in turn."""
    times = {"known": [], "unknown": []}
    for n in range(pairs):
        bodies = {"known": random.choice(known), "unknown": make_person()}
        for kind in random.sample(sorted(bodies), 2):
            body = dict(bodies[kind], password="no goats %d" % n)
            begin = time.perf_counter()
            line.call(door, body)
            times[kind].append(time.perf_counter() - begin)
    return times


def auc(one, other):
    """How often a time of one is longer than a time of the other: 0.5 tells nothing."""
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in other])
    rank_sum = sum(rank for rank, (_, kind) in enumerate(ranked, 1) if kind == 0)
    return (rank_sum - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))
