#!/usr/bin/python3
"""A pull reads what it brings: not the cases of its caller, not what others wrote, by whatever plan."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), HERE]
from harness import Cluster, run_tests
from pull_cost import Pulls


def test_a_pull_reads_the_same_at_26_106_and_1000_cases_with_10_and_10000_changes_of_others():
    costs = pulls.measure((26, 106, 1000), 10 ** 4)
    for (who, came), read in costs.items():
        # what the three real cases had before is passed over by some plans
        assert max(read) - min(read) <= 6, (who, came, {n: plans[:2] for n, plans in read.items()})
    assert max(costs["amina", 0]) < 20 and max(costs["clinic", 0]) < 20, costs.keys()


with Cluster("cost", autovacuum="off", kintaraa__worker="off") as cluster:
    pulls = Pulls(cluster)
    sys.exit(run_tests(globals()))
