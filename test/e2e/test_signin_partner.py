#!/usr/bin/python3
"""A partner who guesses: from her network, with her e-mail and the name of her phone, at all doors for passwords.

What he does slows him. Her known device signs in each time, her old app waits a little and is let in, and no
answer and no time tells whether an address has an account.
"""
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Cluster, Gateway, run_tests  # noqa: E402
from guessing import Line, auc, interleave  # noqa: E402

PASSWORD = "three wet goats"
PAIRS = 150
counter = iter(range(1, 1 << 30))


def person(**more):
    return dict({"email": "partner%d@example.org" % next(counter), "password": PASSWORD, "device": "her phone"}, **more)


def sign_in(body, **more):
    """As an app does it: what a busy machine answers with 503 is sent again."""
    begin = time.monotonic()
    answer = None
    while answer is None or (answer.status == 503 and time.monotonic() - begin < 15):
        answer = gateway.api(timeout=40).post("/api/auth/login", dict(body, **more))
    return answer, time.monotonic() - begin


def flood(tries):
    """Runs them side by side; returns threads and a list that fills with (name, status, seconds)."""
    done = []

    def run(name, path, body, token):
        begin = time.monotonic()
        answer = gateway.api(timeout=60).request("POST", path, body, token)
        done.append((name, answer.status, time.monotonic() - begin))

    threads = [threading.Thread(target=run, args=each) for each in tries]
    for thread in threads:
        thread.start()
    return threads, done


def guesses(her, his_token, count):
    """What he sends: signing in, registering, and making a twin of her account by changing his own password."""
    for n in range(count):
        guess = "her dog %03d" % n
        yield ("login", "/api/auth/login", dict(her, password=guess), "")
        yield ("register", "/api/auth/register", dict(her, password=guess + "r"), "")
        yield ("password", "/api/me/password", {"currentPassword": "his own goats", "newPassword": guess + "p"},
               his_token)


def test_thirty_tries_of_a_partner_keep_neither_her_device_nor_her_old_app_out():
    her = person()
    token = gateway.api().post("/api/auth/register", her).body["deviceToken"]
    his = gateway.api().post("/api/auth/register", dict(her, password="his own goats")).body
    threads, done = flood(guesses(her, his["tokens"]["access"], 10))
    known = [sign_in(her, deviceToken=token) for _ in range(4)]
    old, waited = sign_in(her)
    for thread in threads:
        thread.join()
    assert {answer.status for answer, _ in known} == {200}, known
    assert old.status == 200 and waited < 15 + 4, (old, waited)
    assert len(done) == 30 and {status for name, status, _ in done if name == "login"} - {503} == {400}, done
    assert 429 not in {status for _, status, _ in done}, done
    known = [sign_in(her, deviceToken=token) for _ in range(3)]
    assert {answer.status for answer, _ in known} == {200} and min(waited for _, waited in known) < 2, known


def test_no_door_tells_a_right_guess_faster_or_more_often_than_signing_in():
    her = person()
    gateway.api().post("/api/auth/register", her)
    his = gateway.api().post("/api/auth/register", dict(her, password="his own goats")).body["tokens"]["access"]
    for n in range(5):
        sign_in(her, password="her cat %d" % n)
    # every door now waits for the same line, a right guess as long as a wrong one
    with Line(cluster) as line:
        network = "127.0.0.0/24"
        right = [line.call("auth_login", dict(her), network=network),
                 line.call("auth_register", dict(her), network=network),
                 line.call("auth_register", dict(her, invitation=cluster.value("SELECT kintaraa.invite('analyst')")),
                           network=network),
                 line.call("me_password", {"currentPassword": "his own goats", "newPassword": PASSWORD}, token=his,
                           network=network)]
        wrong = [line.call("auth_login", dict(her, password="her cat 90"), network=network),
                 line.call("auth_register", dict(her, password="her cat 91"), network=network),
                 line.call("me_password", {"currentPassword": "her cat 92", "newPassword": "her cat 93"}, token=his,
                           network=network)]
    for outcome, answer in right + wrong:
        assert (outcome, answer["code"]) == ("slow_down", "KN601") and answer["waitMs"] > 0, (outcome, answer)
    assert len({tuple(sorted(answer)) for _, answer in right + wrong}) == 1, (right, wrong)


def test_an_address_with_an_account_is_not_told_from_one_without():
    known = [person() for _ in range(5)]
    with Line(cluster) as line:
        for body in known:
            line.call("auth_register", body)
        for door in ("auth_login", "auth_register"):
            pairs = [(random.choice(known), person()) for _ in range(PAIRS)]
            costs = interleave(pairs, lambda body: line.cost(door, dict(body, password="no goats %d" % next(counter))))
            for measure in ("seconds", "nanoseconds"):
                found = auc(*([getattr(cost, measure) for cost in side] for side in costs))
                # four standard errors of that many pairs; test/long looks closer
                assert 0.36 < found < 0.64, "%s: AUC of %s %.3f" % (door, measure, found)


random.seed(7)
with Cluster("partner") as cluster, Gateway(cluster) as gateway:
    sys.exit(run_tests(globals()))
