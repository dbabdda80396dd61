"""What tests of guessing share: doors as the gateway calls them, and how well two sets of measures are told apart."""
import bisect
import collections
import json
import random
import time

import psycopg2

CALL = "SELECT outcome, body, octet_length(body::text) FROM kintaraa_api.%s(%%s, %%s, %%s, %%s, %%s)"

# What comes back, and what it took: bytes, seconds, nanoseconds of processor time of the backend.
Cost = collections.namedtuple("Cost", "outcome body size seconds nanoseconds")


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
        return self.cost(door, body, token, network)[:2]

    def cost(self, door, body, token=None, network=None):
        """Without a network it comes from one of its own."""
        self.networks += 1
        network = network or "10.%d.%d.0/24" % (self.networks >> 8 & 255, self.networks & 255)
        with self.connection.cursor() as cursor:
            arguments = (token, [], "{}", json.dumps(body), json.dumps({"network": network}))
            used, begin = self._processor(), time.perf_counter()
            cursor.execute(CALL % door, arguments)
            seconds, used = time.perf_counter() - begin, self._processor() - used
            return Cost(*cursor.fetchone(), seconds, used)

    def _processor(self):
        """What it does after its answer counts with the next call."""
        with open("/proc/%d/schedstat" % self.connection.info.backend_pid, encoding="ascii") as file:
            return int(file.read().split()[0])


def interleave(pairs, ask):
    """Costs of ask(one) and ask(other) for each pair, the one or the other first."""
    costs = ([], [])
    for pair in pairs:
        for side in random.sample((0, 1), 2):
            costs[side].append(ask(pair[side]))
    return costs


def auc(one, other):
    """How often a measure of one is larger than one of the other, equal ones by half: 0.5 tells nothing."""
    other = sorted(other)
    larger = sum(bisect.bisect_left(other, value) + bisect.bisect_right(other, value) for value in one)
    return larger / (2 * len(one) * len(other))
