#!/usr/bin/python3
"""A primary and two standbys with synchronous commit, and twenty faults: the primary is killed, stands still, vanishes,
another host hangs, a standby has no key ring or a foreign one, the gateway's clock jumps.  What was acknowledged is
there, every request is answered in time, and writes are back within three seconds of a primary."""
import base64
import http.client
import os
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
sys.path.insert(0, os.path.join(HERE, "..", "fault"))
sys.path.insert(0, os.path.join(HERE, "..", "clients", "watermelon"))
import play
from clock import Clock
from harness import Gateway, run_tests, wait_until
from nodes import Nodes
from phones import give_ring

FAULTS = int(os.environ.get("KN_FAULTS", "20"))
LANE = 3
MOST = LANE + 2
BACK = 3
SETTINGS = {"KINTARAA_SOS_TIMEOUT": "%ds" % LANE, "KINTARAA_QUEUE_TIMEOUT": "%ds" % LANE,
            "KINTARAA_SOS_CONNECTIONS": 2, "KINTARAA_NORMAL_CONNECTIONS": 4, "KINTARAA_LOG_LEVEL": "warn"}


class Phone(threading.Thread):
    """Reports all the time; each is a new one."""

    def __init__(self, token):
        super().__init__(daemon=True)
        self.token, self.stop = token, False
        self.acknowledged, self.statuses, self.slow = [], {}, []
        self.last = 0
        self.start()

    def run(self):
        api = gateway.api(timeout=30)
        while not self.stop:
            name, begin = str(uuid.uuid4()), time.monotonic()
            try:
                status = api.post("/api/incidents", {"id": name, "supportServices": ["medical"]}, self.token).status
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
            end = time.monotonic()
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if end - begin > MOST:
                self.slow.append((name, status, round(end - begin, 1)))
            if status == 201:
                self.acknowledged.append(name)
                self.last = end
            time.sleep(0.01)


def killed(primary, _):
    primary.kill()


def stopped(primary, _):
    primary.pause()


def vanished(primary, _):
    primary.relay.freeze()
    primary.pause()


def beside_one_that_hangs(primary, standbys):
    standbys[1].relay.freeze()
    primary.kill()


def without_ring(primary, standbys):
    ring(standbys[0], b"")
    primary.kill()


def with_a_foreign_ring(primary, standbys):
    with open(os.path.join(standbys[0].folder, "keys", "keyring"), "rb") as file:
        text = file.read()
    ring(standbys[0], foreign(text))
    primary.kill()


def with_a_clock_ahead(primary, _):
    clock.set(3600)
    primary.kill()


def with_a_clock_behind(primary, _):
    clock.set(-3600)
    primary.kill()


def ring(node, text):
    with open(os.path.join(node.folder, "keys", "keyring"), "r+b") as file:
        file.write(text)
        file.truncate()
    node.reload()


def foreign(text):
    """The ring of another instance: as many keys of the same form, and none of them ours."""
    lines = []
    for line in text.decode().splitlines():
        words = line.split()
        if words and words[0] in ("wrap", "index", "sign", "refresh"):
            words[-1] = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
            line = " ".join(words)
        lines.append(line + "\n")
    return "".join(lines).encode()


KINDS = [killed, stopped, vanished, beside_one_that_hangs, without_ring, with_a_foreign_ring, with_a_clock_ahead,
         with_a_clock_behind]


def fail_over(kind):
    """One fault and the way back to three servers; how long writes took after there was a primary."""
    old, standbys = nodes.primary, nodes.standbys()
    fresh, third = standbys
    kind(old, standbys)
    if kind in (stopped, vanished, killed):
        time.sleep(1)  # nobody decides at once
    if kind in (without_ring, with_a_foreign_ring):
        said = wait_until(lambda: fresh.promote([third]), 10, "the promotion is refused")
        assert "may not become the primary" in said, said
        give_ring(third, fresh)
        fresh.reload()
    wait_until(lambda: fresh.promote([third, old]) == "", 20, "the standby is promoted")
    third.turn_to(fresh)
    nodes.primary = fresh
    wait_until(fresh.takes_writes, 20, "there is a primary")
    begin = time.monotonic()
    wait_until(lambda: max(phone.last for phone in phones) > begin, 20, "writes are back")
    back = max(0, min(phone.last for phone in phones if phone.last > begin) - begin)
    if kind is stopped:
        old.go_on()  # it does not know yet, and must not be believed
        count = sum(len(phone.acknowledged) for phone in phones)
        wait_until(lambda: sum(len(phone.acknowledged) for phone in phones) > count + 10, 20)
    old.end()
    clock.set(0)
    old.follow(fresh)
    for node in nodes.all:
        node.relay.thaw()
    wait_until(lambda: fresh.value("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == 2, 20)
    return back


def test_twenty_faults_lose_nothing_and_leave_nobody_waiting():
    for number in range(FAULTS):
        kind = KINDS[number % len(KINDS)]
        back = fail_over(kind)
        print("# %s: writes back after %.1f s" % (kind.__name__, back), flush=True)
        assert back <= BACK, (kind.__name__, back)
    for phone in phones:
        phone.stop = True
    for phone in phones:
        phone.join(30)
    stored = {row[0] for row in nodes.primary.psql("SELECT id::text FROM kintaraa.incident")}
    acknowledged = {name for phone in phones for name in phone.acknowledged}
    statuses = {}
    for phone in phones:
        for status, count in phone.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    print("# %d acknowledged; answers %s" % (len(acknowledged), statuses))
    assert len(acknowledged) > 20 * FAULTS
    assert not acknowledged - stored, sorted(acknowledged - stored)[:5]
    slow = [one for phone in phones for one in phone.slow]
    assert not slow, slow
    assert set(statuses) <= {201, 503, 504}, statuses


nodes = Nodes()
try:
    play.load(nodes.primary)
    stage = play.Stage(nodes.primary)
    for name in ("amina", "zawadi", "neema", "rehema"):
        stage.value("SELECT play.register(%s)", name)
    tokens = [row[0] for row in stage.rows("SELECT token FROM play.person")]
    stage.close()
    with Clock() as clock, Gateway(nodes, {**SETTINGS, **clock.environment}) as gateway:
        phones = [Phone(token) for token in tokens]
        sys.exit(run_tests(globals()))
finally:
    nodes.destroy()
