#!/usr/bin/python3
"""A pull reads what it brings beside a million stamps of others, as beside ten thousand."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "e2e")]
from harness import Cluster, run_tests
from pull_cost import Pulls


def test_a_pull_reads_the_same_beside_ten_thousand_and_a_million_stamps():
    costs = pulls.measure((26,), 10 ** 4)
    for (who, came), read in pulls.measure((106, 1000), 10 ** 6).items():
        assert max(read) - min(costs[who, came]) <= 6, (who, came, read.keys(), costs[who, came].keys())


with Cluster("scale", autovacuum="off", kintaraa__worker="off") as cluster:
    pulls = Pulls(cluster)
    sys.exit(run_tests(globals()))
