#!/usr/bin/python3
"""A survivor's data key is wiped on every way out of a door: whoever reads a backend's memory finds none.

The backend reads its own memory and hands it over; the key is looked for here, so that the search puts it nowhere.
test/long/test_data_key_mutants.py shows that it finds what a guard less would leave.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients", "watermelon"))
from harness import Cluster, run_tests  # noqa: E402
from play import Stage, load  # noqa: E402
from sealed import Keys  # noqa: E402

CHUNK = 1 << 20


def memory(stage):
    """The writable private memory of the backend: heap, stack, what libraries keep."""
    maps = stage.value("SELECT pg_read_file('/proc/self/maps', 0, 10000000)")
    for line in maps.splitlines():
        words = line.split()
        if words[1] != "rw-p" or (len(words) > 5 and words[5].startswith("/dev")):
            continue
        begin, end = (int(part, 16) for part in words[0].split("-"))
        for at in range(begin, end, CHUNK):
            # a little more, so that nothing hides on a border
            stage.cursor.execute("SELECT pg_read_binary_file('/proc/self/mem', %s, %s)",
                                 (at, min(CHUNK + 64, end - at)))
            yield bytes(stage.cursor.fetchone()[0])


def is_in_memory(stage, secret):
    return any(secret in part for part in memory(stage))


def use_every_way(stage):
    report = {"id": "one", "supportServices": ["medical"], "description": "first"}
    assert stage.outcome("incident_create", "amina", None, report) == "created"
    assert stage.outcome("incident_create", "amina", None, report) == "ok", "a replay"
    assert stage.outcome("incident_create", "amina", None, dict(report, description="x")) == "conflict KN401"
    assert stage.outcome("incident_update", "amina", ["one"], {"description": "second"}) == "ok"
    assert stage.outcome("incident_get", "amina", ["one"]) == "ok"
    assert stage.outcome("incident_list", "amina") == "ok"
    record = {"id": "two", "noun": "incident", "data": dict(report, id="two")}
    for _ in range(2):
        assert stage.outcome("sync_batch", "amina", None, {"records": [record]}) == "ok"
    assert stage.outcome("me_update", "amina", None, {"firstName": "Neema"}) == "ok"
    # an error in the middle: the stamp cannot be written
    stage.cursor.execute("CREATE FUNCTION public.stop() RETURNS trigger LANGUAGE plpgsql AS "
                         "$$BEGIN RAISE 'stop'; END$$; "
                         "CREATE TRIGGER stop BEFORE INSERT ON kintaraa.incident FOR EACH ROW EXECUTE FUNCTION "
                         "public.stop()")
    try:
        stage.call("incident_create", "amina", None, dict(report, id="three"))
        raise AssertionError("the trigger did not stop it")
    except Exception as error:
        assert "stop" in str(error), error
    stage.cursor.execute("DROP TRIGGER stop ON kintaraa.incident")


def keys_left(cluster):
    """Whose keys are in the memory of a backend after all that."""
    load(cluster)
    stage = Stage(cluster)
    stage.value("SELECT play.register('amina')")
    stage.close()
    stage = Stage(cluster)
    use_every_way(stage)
    keys = Keys(cluster)
    assert is_in_memory(stage, next(iter(keys.rings.values()))), "the search finds what is there: the wrapping key"
    return [subject for subject, key in keys.keys.items() if is_in_memory(stage, key)]


def test_no_data_key_stays_in_a_backend():
    left = keys_left(server)
    assert not left, left


if __name__ == "__main__":
    with Cluster("data-key") as server:
        sys.exit(run_tests(globals()))
