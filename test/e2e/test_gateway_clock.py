"""A gateway whose clock is wrong: tokens live by the database's time, and everybody who watches is told."""
import datetime
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "clients", "watermelon"))
from clock import Clock
from doors import Doors, metric
from harness import Cluster, Gateway, run_tests, wait_until

HOUR = 3600


class Wrong:
    """A gateway beside the real extension or the stand-in doors, so many seconds ahead from its start on."""

    def __init__(self, to, seconds, settings=None):
        clock.set(seconds)
        self.gateway = Gateway(to, {**clock.environment, "KINTARAA_READ_SHARE": 0, **(settings or {})})

    def __enter__(self):
        return self.gateway

    def __exit__(self, *_):
        self.gateway.destroy()
        clock.set(0)


def test_good_tokens_are_good_whatever_the_clock_says():
    for seconds in (HOUR, -HOUR, 20 * HOUR):
        with Wrong(doors, seconds) as gateway:
            wait_until(lambda: metric(gateway, "clock_ahead_milliseconds") != 0)
            for _ in range(2):  # verified, and from the cache
                answer = gateway.api().get("/api/me", token=token)
                assert answer.status == 200, (seconds, answer)
            assert gateway.api().get("/api/me", token=doors.token(lasts=-5)).body["code"] == "GW407"
            ahead = metric(gateway, "clock_ahead_milliseconds")
            assert abs(ahead - seconds * 1000) < 5000, (seconds, ahead)
            assert "event=clock_differs" in gateway.log()


def test_clock_that_is_set_while_it_runs_changes_nothing():
    with Wrong(doors, 0) as gateway:
        assert gateway.api().get("/api/me", token=token).status == 200
        wait_until(lambda: gateway.api().get("/api/me", token=doors.token(lasts=-5)).status == 401,
                   what="the database's time is known")
        for seconds in (HOUR, -HOUR):
            clock.set(seconds)
            assert gateway.api().get("/api/me", token=token).status == 200, seconds
            assert gateway.api().get("/api/me", token=doors.token(lasts=-5)).status == 401, seconds


def test_where_the_time_is_unknown_only_the_database_refuses():
    doors.psql("CREATE OR REPLACE FUNCTION kintaraa_api.jwks(text, text[], jsonb, jsonb, jsonb, OUT outcome text, "
               "OUT body json) LANGUAGE sql AS $$ SELECT 'ok', set FROM kintaraa_api.jwk $$")
    with Wrong(doors, HOUR) as gateway:
        wait_until(lambda: gateway.api().get("/.well-known/jwks.json").status == 200)
        before = metric(gateway, "tokens_unchecked_total")
        assert gateway.api().get("/api/me", token=token).status == 200
        assert metric(gateway, "tokens_unchecked_total") > before


def test_readyz_tells_of_it_and_a_remembered_answer_has_the_true_time():
    with Wrong(cluster, HOUR) as gateway:
        api = gateway.api()
        ready = wait_until(lambda: [a for a in [api.get("/readyz")] if a.status == 200 and a.body["clockAhead"]])[0]
        assert abs(ready.body["clockAhead"] - HOUR * 1000) < 5000, ready
        joined = api.post("/api/auth/register", {"email": "clock@example.org", "password": "a long enough sentence",
                                                 "firstName": "A", "lastName": "B"})
        api.token = joined.body["tokens"]["access"]

        def remembered():
            cursor = api.get("/api/incidents/updates").body["cursor"]
            before = metric(gateway, "pulls_remembered_total")
            answers = [api.get("/api/incidents/updates?since=%s" % cursor) for _ in range(3)]
            return metric(gateway, "pulls_remembered_total") > before and answers[-1]
        told = datetime.datetime.fromisoformat(wait_until(remembered).body["serverTime"].replace("Z", "+00:00"))
        now = datetime.datetime.now(datetime.timezone.utc)
        assert abs((told - now).total_seconds()) < 60, (told, now)


with Clock() as clock, Cluster() as cluster, Doors(cluster) as doors:
    token = doors.token(lasts=600)
    sys.exit(run_tests(globals()))
