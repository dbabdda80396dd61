#!/usr/bin/python3
"""The extension's settings take what docs/configuration.md says, at their bounds, and nothing beyond."""
import os
import re
import sys

import psycopg2

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, Cluster, run_tests


def documented():
    """name -> (type, default, takes effect)"""
    with open(os.path.join(ROOT, "docs", "configuration.md"), encoding="utf-8") as file:
        rows = re.findall(r"^\| `(kintaraa\.\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|", file.read(), re.M)
    return {name: (kind.strip(), default.strip(" `"), effect.strip()) for name, kind, default, effect in rows}


def settings():
    names = ("name", "vartype", "unit", "context", "min_val", "max_val", "enumvals", "boot_val")
    query = "SELECT " + ", ".join(names) + " FROM pg_settings WHERE name LIKE 'kintaraa.%'"
    return [dict(zip(names, row)) for row in cluster.psql(query)]


def take(name, value):
    """None, or the SQLSTATE with which the server refuses."""
    connection = cluster.connect("postgres")
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET %s = '%s'" % (name, value))
            cursor.execute("ALTER SYSTEM RESET %s" % name)
        return None
    except psycopg2.Error as error:
        return error.pgcode
    finally:
        connection.close()


def test_numbers_take_their_bounds_and_nothing_beyond():
    numbers = [s for s in settings() if s["vartype"] == "integer"]
    assert len(numbers) >= 3, numbers
    for setting in numbers:
        low, high = int(setting["min_val"]), int(setting["max_val"])
        assert "%d to %d" % (low, high) in documented()[setting["name"]][0], setting
        assert [take(setting["name"], value) for value in (low, high, low - 1, high + 1, "soon")] == \
            [None, None, "22023", "22023", "22023"], setting


def test_words_are_those_of_the_documents():
    for setting in settings():
        if setting["vartype"] != "enum":
            continue
        words = re.findall(r"`(\w+)`", documented()[setting["name"]][0])
        assert words == setting["enumvals"], setting
        assert [take(setting["name"], word) for word in words + ["none"]] == [None] * len(words) + ["22023"]


def test_defaults_and_when_they_take_effect_are_as_documented():
    contexts = {"sighup": "reload", "superuser": "reload", "postmaster": "restart"}
    for setting in settings():
        _, default, effect = documented()[setting["name"]]
        assert contexts[setting["context"]] == effect, setting
        shown = cluster.value("SELECT current_setting(%s)", [setting["name"]]) if setting["unit"] else None
        assert default.replace(" ", "") in (setting["boot_val"] or "empty", shown), setting


def test_a_name_that_is_none_is_refused():
    assert take("kintaraa.routing_waits", 1) is not None


if __name__ == "__main__":
    with Cluster("settings") as cluster:
        sys.exit(run_tests(globals()))
