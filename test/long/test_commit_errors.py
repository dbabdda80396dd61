#!/usr/bin/python3
"""Twenty times: eight phones send two hundred reports each while commits fail at random, the role of the gateway is
told to be serializable, or both.  What was acknowledged is what is stored."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from commits import Spoiled, disagreements, reports
from harness import Cluster, Gateway, run_tests

RUNS = int(os.environ.get("KN_RUNS", "20"))


def run(number):
    if number % 2:
        cluster.psql("ALTER ROLE kintaraa_gateway SET default_transaction_isolation = 'serializable'")
    spoiled.spoil(("P0001", "40001", "unstamped", "reset", "nothing")[number % 5], (0.2, 0.5, 0.8)[number % 3])
    with Gateway(cluster, {"KINTARAA_LOG_LEVEL": "error"}) as gateway:
        told = reports(gateway, list(spoiled.tokens.values()), 8, 200)
    spoiled.spoil("nothing")
    cluster.psql("ALTER ROLE kintaraa_gateway RESET default_transaction_isolation")
    assert set(told.values()) <= {201, 500, 503}, set(told.values())
    acknowledged = {name for name, status in told.items() if status == 201}
    assert len(acknowledged) > 100, len(acknowledged)
    stored = spoiled.stored()
    assert disagreements(told, stored) == ([], []), number
    assert not (set(told) - acknowledged) & stored, "refused and stored in run %d" % number
    assert acknowledged <= stored


def test_acknowledged_is_stored_in_twenty_runs():
    for number in range(RUNS):
        run(number)


with Cluster() as cluster:
    spoiled = Spoiled(cluster, ["person%d" % n for n in range(8)])
    sys.exit(run_tests(globals()))
