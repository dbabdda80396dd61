"""Survivors with two phones each, helpers, slow writers and kills: random, repeatable, and held against invariants.

    violations = Simulation(seed, seconds, ["clock", "postgres"]).run()

server names a build of PostgreSQL with a mutant in it; without one, mutant is a fault of the phones.

The phones are threads of simulation.js with real WatermelonDB databases; they talk to the built gateway.  Every
edit carries a mark.  A trigger of the test keeps each version of a record, still sealed, and is read with the key
ring afterwards, so that what became of each mark is known from outside.  The invariants are those of docs/sync.md.
A fault that never took place is a violation, too.
"""
import collections
import fcntl
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [os.path.join(ROOT, "test"), HERE]

import redelivery  # noqa: E402
from clock import Clock  # noqa: E402
from crash import crash  # noqa: E402
from harness import Cluster, DeadlineMissed, Gateway, wait_until  # noqa: E402
from listener import COMMITTED_TO_HEARD, Listener, percentile  # noqa: E402
from sealed import Keys  # noqa: E402

NODE = os.path.join(ROOT, ".build", "node", "watermelon")
MARK = re.compile(r"<([a-z]+-\d+)\.(\d+)>")
NOUNS = {"safety_plans": "safety_plan", "emergency_contacts": "emergency_contact", "preferences": "preference",
         "mood_entries": "mood_entry", "journal_entries": "journal_entry", "incidents": "incident"}
LAST_WRITE_WINS = ("preference", "mood_entry")

CLOCK_BACK = -10
HEARD_AGAIN = 4  # seconds after a kill in which news may come late
FAULTS = ("lost requests", "lost answers", "requests that came late once more",
          "phones with a clock a day or more wrong", "cursors made up", "duels", "sockets cut", "sockets resumed",
          "late commits", "commits held open for seconds", "late rollbacks", "helpers: accept 200",
          "helpers: release 200", "helpers: completed 200", "helpers: sent twice at once")
MEET = 0.05
REPLAYED = 25  # cursors of each copy
MOVES = {"pending": (("accept", 0.5), ("decline", 0.2)),
         "accepted": (("release", 0.05), ("completed", 0.08), ("in_progress", 0.05))}
HELPERS = ("clinic", "lawyer", "nurse")

# What a writer holds open meets what others do meanwhile: a duel always, everything else now and then.
KEEP = """
CREATE SCHEMA kept;
CREATE FUNCTION kept.hold(always boolean) RETURNS void LANGUAGE sql AS $$
    SELECT pg_sleep(0.02) WHERE always OR random() < 0.05
$$;
CREATE TABLE kept.stamp (n bigserial PRIMARY KEY, bucket uuid, noun text, id uuid, x xid8, version bigint);
CREATE INDEX ON kept.stamp (noun, id);
CREATE FUNCTION kept.stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO kept.stamp (bucket, noun, id, x, version) VALUES (NEW.bucket, NEW.noun, NEW.id, NEW.x, NEW.version);
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER INSERT OR UPDATE ON kintaraa.change FOR EACH ROW EXECUTE FUNCTION kept.stamp();
CREATE FUNCTION kept.need() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM kept.hold(random() < 0.2);
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER UPDATE ON kintaraa.need FOR EACH ROW EXECUTE FUNCTION kept.need();
CREATE TABLE kept.version (n bigserial PRIMARY KEY, noun text, owner uuid, id uuid, client_id text, spelling bytea,
                           body bytea, place bytea, deleted boolean, x xid8 DEFAULT pg_current_xact_id());
-- A duel's id is longer than the 16 letters that WatermelonDB makes, and lies sealed as every id does.
CREATE FUNCTION kept.is_duel(sealed bytea) RETURNS boolean LANGUAGE sql AS $$ SELECT length(sealed) - 31 > 16 $$;
CREATE FUNCTION kept.personal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO kept.version (noun, owner, id, spelling, body, deleted)
    VALUES (NEW.noun, NEW.owner_id, NEW.id, NEW.spelling_sealed, NEW.body_sealed, NEW.deleted_at IS NOT NULL);
    PERFORM kept.hold(kept.is_duel(NEW.spelling_sealed));
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER INSERT OR UPDATE ON kintaraa.personal FOR EACH ROW EXECUTE FUNCTION kept.personal();
CREATE FUNCTION kept.incident() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO kept.version (noun, owner, id, spelling, body, place, deleted)
    VALUES ('incident', NEW.owner_id, NEW.id, NEW.spelling_sealed, NEW.description_sealed, NEW.address_sealed,
            NEW.deleted_at IS NOT NULL);
    PERFORM kept.hold(kept.is_duel(NEW.spelling_sealed));
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER INSERT OR UPDATE ON kintaraa.incident FOR EACH ROW EXECUTE FUNCTION kept.incident();
"""


def install():
    """The folder of the scripts, with the packages of its lock file; made anew when that changed.  Several files of the
    suite want it at once: one makes it, and the others wait."""
    os.makedirs(NODE, exist_ok=True)
    with open(os.path.join(NODE, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install_locked()


def install_locked():
    with open(os.path.join(HERE, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    mark = os.path.join(NODE, "installed")
    for name in ("package.json", "package-lock.json", "schema.js", "client.js", "phone.js", "simulation.js", "lost.js",
                 "plain.js"):
        shutil.copy(os.path.join(HERE, name), NODE)
    if os.path.exists(mark) and open(mark).read() == wanted:
        return
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE,
                   check=True, stdout=subprocess.DEVNULL, timeout=280)
    with open(mark, "w") as file:
        file.write(wanted)


class Phones:
    """The program that runs the phones."""

    def __init__(self, settings):
        self.process = subprocess.Popen(["node", os.path.join(NODE, "simulation.js")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.tell(json.dumps(settings))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.tell(line)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the phones ended with %s" % self.process.wait())
        return json.loads(answer)

    def close(self):
        self.process.kill()
        self.process.communicate()


class Copy:
    """What a JSON client holds: every answer of updates applied to it."""

    def __init__(self):
        self.cursor = None
        self.records = {}
        self.saved = []

    def apply(self, answer):
        if answer["resync"]:
            self.records = {}
        for gone in answer["removed"]:
            self.records.pop((gone["noun"], gone["id"]), None)
        for plural, noun in PLURALS.items():
            for record in answer[plural]:
                self.records[noun, record["id"]] = record

    def pull(self, api):
        """All pages, and once more when there were several."""
        while True:
            query, pages = "since=%s" % self.cursor if self.cursor else "", 0
            token = None
            while True:
                status, _, answer = api.get("/api/incidents/updates?%s%s" % (
                    query, "&pageToken=" + token if token else ""))
                if status != 200:
                    return False
                self.apply(answer)
                pages += 1
                token = answer["pageToken"]
                if not answer["hasMore"]:
                    break
            self.cursor = answer["cursor"]
            if pages == 1:
                return True

    def save(self):
        self.saved.append((self.cursor, dict(self.records)))


PLURALS = {"incidents": "incident", "assignments": "assignment", "notifications": "notification",
           "profiles": "account", "safetyPlans": "safety_plan", "emergencyContacts": "emergency_contact",
           "preferences": "preference", "moodEntries": "mood_entry", "journalEntries": "journal_entry", "notes": "note"}


def difference(one, other):
    """What differs of two records, as {member: (held, wanted)}."""
    if one is None or other is None:
        return "there" if other is None else "missing"
    return {name: (one.get(name), other.get(name)) for name in set(one) | set(other)
            if one.get(name) != other.get(name)}


class Simulation:
    def __init__(self, seed, seconds, strikes=("clock",), survivors=3, adapter="loki", server=None, mutant=None):
        self.seed, self.seconds, self.strikes, self.adapter, self.server = seed, seconds, strikes, adapter, server
        self.cluster_options = {"log_error_verbosity": "default", **({"kn.mutant": mutant} if server else {})}
        self.client_mutant = None if server else mutant
        self.names = ["amina", "zawadi", "neema", "halima"][:survivors]
        self.violations = []
        self.stories = []
        self.counts = collections.Counter()
        self.stopping = threading.Event()
        self.silence = threading.Event()
        self.listeners = []
        self.struck = []   # [from, to] of what may delay news
        self.written = {}  # notification: when its commit was answered
        self.late_writes = itertools.count()

    def violation(self, invariant, text):
        self.violations.append("%s %s" % (invariant, text))

    # ---- the world ----

    def run(self):
        install()
        with Clock() as self.clock, \
                Cluster("sync", self.server, self.clock.environment, **self.cluster_options) as self.cluster, \
                Gateway(self.cluster) as self.gateway:
            self.populate()
            hearing = self.start_listeners()
            phones = Phones({"phones": [{"name": "%s-%d" % (name, n), "token": self.people[name][0]}
                                        for name in self.names for n in (1, 2)],
                             "url": self.gateway.url, "seed": self.seed, "adapter": self.adapter,
                             "folder": self.gateway.folder, "mutant": self.client_mutant})
            try:
                self.live()
                phones.ask("stop")
                self.settle(phones)
                dumps = [answer["dump"] for answer in phones.ask("dump")]
                self.hear_all()
            finally:
                phones.close()
                self.stopping.set()
                self.silence.set()
                for thread in hearing:
                    thread.join()
            self.check(dumps)
            self.tell_deadlocks()
        return self.violations

    def tell_deadlocks(self):
        """They cost an answer and no data, so they are no violation; but each is a fault of ours to be found."""
        lines = self.cluster.log().splitlines()
        for number, line in enumerate(lines):
            if "deadlock detected" in line:
                self.stories += lines[number:number + 12]

    def populate(self):
        with open(os.path.join(ROOT, "test", "data", "play.sql")) as file:
            self.cluster.psql(file.read())
        self.cluster.psql(KEEP)
        for n, (name, kind) in enumerate((("clinic", "healthcare"), ("lawyer", "legal"), ("nurse", "healthcare"))):
            self.cluster.psql("SELECT play.helper(%s, %s, %s, 36.82, 40)", [name, kind, -1.28 - n / 1000])
        for name in self.names:
            self.cluster.psql("SELECT play.register(%s)", [name])
        self.people = {name: (token, account, team) for name, token, account, team in
                       self.cluster.psql("SELECT name, token, id, provider FROM play.person")}

    def api(self, name):
        return self.gateway.api(token=self.people[name][0], timeout=20, headers={"X-Device-Id": "desk"})

    def start_listeners(self):
        """Everybody's app has a socket, and one phone of each survivor one that only pokes."""
        modes = [(name, "delta") for name in (*HELPERS, *self.names)] + [(name, "poke") for name in self.names]
        self.listeners = [Listener(self.gateway, name, self.people[name][0], mode, self.counts) for name, mode in modes]
        threads = [threading.Thread(target=self.listen, args=(listener,)) for listener in self.listeners]
        for thread in threads:
            thread.start()
        wait_until(lambda: all(listener.begun for listener in self.listeners))
        return threads

    def listen(self, listener):
        rng = random.Random("%s/%s" % (self.seed, listener))
        while not self.silence.is_set():
            try:
                self.stopping.wait(listener.step(None if self.stopping.is_set() else rng))
            except Exception as error:  # nobody is there after a kill
                self.counts["troubles of listeners %s" % type(error).__name__] += 1
                self.silence.wait(0.1)
        if listener.socket is not None:
            listener.leave()

    def live(self):
        threads = [threading.Thread(target=self.guarded, args=(self.help, name)) for name in HELPERS]
        threads += [threading.Thread(target=self.guarded, args=(self.write_slowly, n)) for n in range(2)]
        threads.append(threading.Thread(target=self.guarded, args=(self.write_news,)))
        threads.append(threading.Thread(target=self.guarded, args=(self.watch, self.names[0])))
        self.copies = {name: Copy() for name in (*HELPERS, self.names[0])}
        for thread in threads:
            thread.start()
        rng = random.Random("%s/strikes" % self.seed)
        strikes = list(self.strikes)
        begin = time.monotonic()
        pauses = [self.seconds * (n + 1) / (len(strikes) + 1) for n in range(len(strikes))]
        for at, what in zip(pauses, strikes):
            self.stopping.wait(max(0, begin + at + rng.uniform(-0.5, 0.5) - time.monotonic()))
            self.strike(what)
        self.stopping.wait(max(0, begin + self.seconds - time.monotonic()))
        # a slow machine takes longer to see of each what must be seen
        while not self.helped_enough() and time.monotonic() < begin + 3 * self.seconds:
            self.stopping.wait(0.2)
        self.stopping.set()
        for thread in threads:
            thread.join()

    def helped_enough(self):
        return all(self.counts[fault] for fault in FAULTS if fault.startswith("helpers: "))

    def strike(self, what):
        begin = time.monotonic()
        if what == "clock":
            wanted = CLOCK_BACK * (self.counts["clock of the server set back"] + 1)
            self.clock.set(wanted)
            behind = self.cluster.value("SELECT EXTRACT(epoch FROM clock_timestamp())::float8") - time.time()
            self.counts["clock of the server set back"] += abs(behind - wanted) < 2
            return
        if what == "postgres":
            self.kill_server()
        elif what == "gateway":
            self.gateway.kill()
            self.gateway.start(wait=False)
            self.counts["kills of gateway"] += 1
        else:
            self.counts["kills of worker"] += len(self.cluster.psql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'kintaraa worker'"))
        self.struck.append((begin, time.monotonic() + HEARD_AGAIN))

    def kill_server(self):
        """The gateway is back before the worker, which finds no keys until then and looks again a second later."""
        keys = self.cluster.folder + "/keys/keyring"
        self.counts["kills that took back a tick"] += crash(self.cluster, self.is_told)
        os.rename(keys, keys + ".away")
        try:
            self.cluster.start()
            wait_until(self.gateway_is_connected)
        finally:
            os.rename(keys + ".away", keys)
        self.counts["kills of postgres"] += 1

    def gateway_is_connected(self):
        if self.gateway.process.poll() is not None:
            raise RuntimeError("seed %s: the gateway ended:\n%s" % (self.seed, self.gateway.log()[-2000:]))
        return self.cluster.psql("SELECT 1 FROM pg_stat_activity WHERE usename = 'kintaraa_gateway'")

    def is_told(self, tick):
        return any(socket and socket.frames and socket.frames[-1].get("cursor") == tick
                   for socket in [listener.socket for listener in self.listeners])

    def guarded(self, work, *args):
        """Whoever meets a kill comes again."""
        rng = random.Random("%s/%s/%s" % (self.seed, work.__name__, args))
        state = {}
        while not self.stopping.is_set():
            try:
                work(rng, state, *args)
            except Exception as error:  # connections die by design here
                self.counts["troubles of " + work.__name__ + " " + type(error).__name__] += 1
                state.clear()
            self.stopping.wait(rng.uniform(0, 0.15))

    def help(self, rng, state, name):
        api = state.setdefault("api", self.api(name))
        copy = self.copies[name]
        if rng.random() < 0.5 and copy.pull(api):
            if rng.random() < 0.2:
                copy.save()
        status, _, answer = api.get("/api/assignments?limit=100")
        offers = answer["items"] if status == 200 else []
        for offer in offers:
            move = next((move for move, at_most in MOVES.get(offer["status"], ()) if rng.random() < at_most), None)
            if move is None:
                continue
            self.stopping.wait(MEET - time.monotonic() % MEET)  # two teams want the same case at once
            status = self.move(rng, api, move, offer)
            self.counts["helpers: %s %d" % (move, status)] += 1

    def move(self, rng, api, move, offer):
        if move in ("completed", "in_progress"):
            return self.post_twice(rng, api, "/api/incidents/%s/status" % offer["incidentId"],
                                   {"status": move, "reason": "helped"} if move == "completed" else {"status": move})
        body = {"accept": {}, "decline": {"reason": "capacity"}, "release": {"reason": "fell ill"}}[move]
        return self.post_twice(rng, api, "/api/assignments/%s/%s" % (offer["id"], move), body)

    def post_twice(self, rng, api, path, body):
        """As an app does that got no answer and was impatient: half of the time, and at once."""
        again = self.gateway.api(token=api.token, timeout=20, headers=api.headers)
        thread = threading.Thread(target=self.post_quietly, args=(again, path, body))
        if rng.random() < 0.5:
            thread.start()
            self.counts["helpers: sent twice at once"] += 1
        status = api.post(path, body).status
        if thread.ident is not None:
            thread.join()
        again.close()
        return status

    def post_quietly(self, api, path, body):
        try:
            api.post(path, body)
        except Exception as error:
            self.counts["troubles of second requests " + type(error).__name__] += 1

    def watch(self, rng, state, name):
        """A survivor's desk: pulls as JSON, at odd moments."""
        if self.copies[name].pull(state.setdefault("api", self.api(name))) and rng.random() < 0.3:
            self.copies[name].save()

    def write_slowly(self, rng, state, n):
        """A writer in psql whose commit comes late, or never."""
        number = next(self.late_writes)
        held = (0.05, 0.4, 2.5)[number % 3]
        done = self.notify(rng, 3, held, number % 5 != 4)
        self.counts["late commits" if done else "late rollbacks"] += 1
        if done and held > 2 and not self.stopping.is_set():
            self.counts["commits held open for seconds"] += 1

    def write_news(self, rng, state):
        self.notify(rng, 1, 0, True)

    def notify(self, rng, n, held, commits):
        news = [str(uuid.uuid4()) for _ in range(n)]
        connection = self.cluster.connect(autocommit=False)
        try:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO kintaraa.notification (id, account_id, class) "
                               "SELECT unnest(%s::uuid[]), %s, 'system'", [news, self.people[rng.choice(self.names)][1]])
                cursor.execute("SELECT kintaraa.change_flush()")
            self.stopping.wait(held)
            if not commits:
                connection.rollback()
                return False
            connection.commit()
            self.written.update(dict.fromkeys(news, time.monotonic()))
            return True
        finally:
            connection.close()

    def settle(self, phones):
        wait_until(lambda: self.gateway.api().get("/readyz").status == 200)
        self.cluster.psql("SELECT kintaraa.dispatch_refresh()")
        for _ in range(2):  # what one phone still sends, the other one still has to hear of
            self.cluster.psql("SELECT kintaraa.tick_write(true)")
            for answer in phones.ask("sync"):
                if answer["good"] < 2:
                    self.violation("I1", "%s could not sync" % answer["synced"])

    def hear_all(self):
        """I12: nothing that was committed is in no frame, whatever was killed meanwhile."""
        lost = {}

        def silent():
            ticks = redelivery.Ticks(self.cluster)
            lost.clear()
            for listener in self.listeners:
                for record in listener.lost(ticks, self.news_for(listener)):
                    lost.setdefault(str(listener), []).append(record)
            return not lost

        try:
            wait_until(silent, 10)
        except DeadlineMissed:
            for listener, records in lost.items():
                self.violation("I12", "%s never heard of %d records: %s" % (listener, len(records), records[:5]))

    def news_for(self, listener):
        """(noun, id, state, x) of all that this listener must have heard of, x of the stamp that was last."""
        token, account, team = self.people[listener.name]
        if team is not None:
            rows = self.cluster.psql("SELECT 'assignment', a.id::text, a.status, c.x::text FROM kintaraa.assignment a "
                                     "  JOIN kintaraa.change c ON c.noun = 'assignment' AND c.id = a.id "
                                     " WHERE a.provider_id = %s", [team])
        elif listener.mode == "poke":
            rows = self.cluster.psql("SELECT noun, id::text, NULL, x::text FROM kintaraa.change WHERE bucket = %(a)s "
                                     "    OR bucket IN (SELECT id FROM kintaraa.incident WHERE owner_id = %(a)s)",
                                     {"a": account})
        else:
            rows = self.cluster.psql("SELECT 'notification', id::text, NULL, x::text FROM kintaraa.change "
                                     " WHERE bucket = %s AND noun = 'notification'", [account])
            keys = Keys(self.cluster)
            stamps = {keys.open(account, "incident.spelling", row, sealed) or row: x for row, sealed, x in
                      self.cluster.psql(
                "SELECT i.id::text, i.spelling_sealed, max(c.x::text::bigint) FROM kintaraa.incident i "
                "  JOIN kintaraa.change c ON c.bucket = i.id AND c.noun IN ('incident', 'need') "
                " WHERE i.owner_id = %s GROUP BY i.id", [account])}
            full = self.gateway.api(token=token).get("/api/sync/pull").body["changes"]["incidents"]["updated"]
            rows += [("incident", row["id"], row["status"], stamps[row["id"]]) for row in full]
        return [(noun, row, state, int(x)) for noun, row, state, x in rows]

    # ---- what must hold ----

    def check(self, dumps):
        self.dumps = dumps
        self.read_history()
        ticks = redelivery.Ticks(self.cluster)
        for dump in dumps:
            self.count(dump["log"])
            self.check_phone(dump)
            self.check_writes(dump)
            stamps = redelivery.Stamps(self.cluster, self.people[dump["name"].split("-")[0]][1])
            for why in redelivery.check(dump, stamps, ticks, self.counts):
                self.violation("I14", "%s %s" % (dump["name"], why))
        self.check_listeners()
        self.check_faults()
        self.check_history()
        self.check_archive()
        for name, copy in self.copies.items():
            self.check_copy(name, copy)
        broken = self.cluster.psql("SELECT what, id FROM play.broken")
        for what, bucket in broken:
            self.violation("state", "%s %s" % (what, bucket))

    def count(self, log):
        self.counts["edits"] += len(log["edits"])
        self.counts["pulls"] += len(log["answers"])
        self.counts["pushed records"] += len(log["pushes"])
        self.counts["rows pulled"] += sum(len(answer["rows"]) for answer in log["answers"])
        self.counts.update(log["faults"])
        self.counts.update({"trouble: " + kind: n for kind, n in log["errors"].items()})

    def check_faults(self):
        for what, n in collections.Counter(self.strikes).items():
            name = "clock of the server set back" if what == "clock" else "kills of " + what
            if self.counts[name] != n:
                self.violation("faults", "%s %d times instead of %d" % (name, self.counts[name], n))

    def check_listeners(self):
        """I12: commits are heard of within a second, unless something was killed or the socket was cut."""
        times = []
        for listener in self.listeners:
            for fault in listener.faults:
                self.violation("I12", fault)
            for row, heard in listener.times().items():
                begin = self.written.get(row)
                if begin is None or listener.was_away(begin, heard):
                    continue
                if not any(begin <= to and heard >= since for since, to in self.struck):
                    times.append(heard - begin)
        if len(times) < 20:
            self.violation("faults", "only %d commits were timed" % len(times))
            return
        for share in (0.5, 0.99):
            self.counts["ms until %d%% of %d commits were heard of" % (share * 100, len(times))] = round(
                percentile(times, share) * 1000)
        if percentile(times, 0.99) >= COMMITTED_TO_HEARD:
            self.violation("I12", "1%% of commits were heard of later than after %.2f s, %d of %d after a second" % (
                percentile(times, 0.99), sum(t >= 1 for t in times), len(times)))

    def read_history(self):
        keys = Keys(self.cluster)
        self.spelt = {}  # ids as phones spell them, by row
        self.versions = collections.defaultdict(list)
        self.numbers = collections.defaultdict(list)  # of those versions: a report also has those of its case
        for noun, owner, row, spelling in self.cluster.psql(
                "SELECT DISTINCT ON (id) noun, owner, id, spelling FROM kept.version WHERE client_id IS NULL"):
            place = "incident" if noun == "incident" else "personal"
            self.spelt[row] = keys.open(owner, place + ".spelling", row, spelling) or row
            self.cluster.psql("UPDATE kept.version SET client_id = %s WHERE id = %s", [self.spelt[row], row])
        for noun, owner, row, client_id, body, place, deleted, version in self.cluster.psql(
                "SELECT noun, owner, id, client_id, body, place, deleted, "
                "       (SELECT max(version) FROM kept.stamp s WHERE s.noun = v.noun AND s.id = v.id AND s.x = v.x) "
                "  FROM kept.version v ORDER BY n"):
            if noun == "incident":
                text = "\n".join(keys.open(owner, "incident." + name, row, value) or ""
                                 for name, value in (("description", body), ("address", place)))
            else:
                text = keys.open(owner, "personal.body", row, body) or ""
            self.versions[owner, noun, client_id].append((text, deleted))
            self.numbers[owner, noun, client_id].append(version)
        self.archived = []
        for archive, owner, device, noun, row, payload, base, reason in self.cluster.psql(
                "SELECT id, owner_id, device, noun, row_id_sealed, payload_sealed, base_version, reason "
                "FROM kintaraa.archive ORDER BY at"):
            row = keys.open(owner, "archive.row_id", archive, row)
            text = keys.open(owner, "archive.payload", archive, payload) or ""
            self.archived.append((owner, device, noun, row, base, reason, {m.group(0) for m in MARK.finditer(text)}))
        self.stamps = {(bucket, noun, row): (version, deleted) for bucket, noun, row, version, deleted in
                       self.cluster.psql("SELECT bucket, noun, id, version, deleted FROM kintaraa.change")}

    def truth(self, account):
        """What the account sees, from the tables: {table: {id: version}}."""
        rows = self.cluster.psql("""
            SELECT 'incidents', i.id::text, c.version FROM kintaraa.incident i
              JOIN kintaraa.change c ON c.bucket = i.id AND c.noun = 'incident' AND c.id = i.id
             WHERE i.owner_id = %(a)s AND i.deleted_at IS NULL
            UNION ALL SELECT p.noun, p.id::text, c.version FROM kintaraa.personal p
              JOIN kintaraa.change c ON c.bucket = p.owner_id AND c.noun = p.noun AND c.id = p.id
             WHERE p.owner_id = %(a)s AND p.deleted_at IS NULL
            UNION ALL SELECT 'notifications', n.id::text, c.version FROM kintaraa.notification n
              JOIN kintaraa.change c ON c.bucket = n.account_id AND c.noun = 'notification' AND c.id = n.id
             WHERE n.account_id = %(a)s
            UNION ALL SELECT 'profiles', %(a)s::text, c.version FROM kintaraa.change c
             WHERE c.bucket = %(a)s::uuid AND c.noun = 'account'""", {"a": account})
        tables = {noun: table for table, noun in NOUNS.items()}
        result = collections.defaultdict(dict)
        for noun, row, version in rows:
            result[tables.get(noun, noun)][self.spelt.get(row, row)] = version
        return result

    def check_phone(self, dump):
        name = dump["name"].split("-")[0]
        token, account, _ = self.people[name]
        truth = self.truth(account)
        full = self.gateway.api(token=token).get("/api/sync/pull").body["changes"]
        for table, rows in dump["rows"].items():
            held = {row["id"]: row for row in rows}
            for row in rows:
                if row["_status"] != "synced":
                    self.violation("I1", "%s %s %s is still %s" % (dump["name"], table, row["id"], row["_status"]))
                if row["removed"]:
                    self.violation("I2", "%s keeps the removed %s %s" % (dump["name"], table, row["id"]))
            for row in sorted(set(held) - set(truth[table])):
                self.violation("I2", "%s has the ghost %s %s" % (dump["name"], table, row))
            for row in sorted(set(truth[table]) - set(held)):
                self.violation("I1", "%s misses %s %s" % (dump["name"], table, row))
            sent = {row["id"]: row for row in full[table]["updated"]}
            if set(sent) != set(truth[table]):
                self.violation("I13", "a full pull of %s differs from the tables in %s: %s" % (
                    name, table, sorted(set(sent) ^ set(truth[table]))))
            for row in set(held) & set(sent):
                differing = {column: (value, sent[row].get(column)) for column, value in held[row].items()
                             if column not in ("_status", "_changed") and value != sent[row].get(column)}
                if differing:
                    self.violation("I8", "%s differs in %s %s: %s" % (dump["name"], table, row, differing))
        for table, rows in dump["deleted"].items():
            for row in rows:
                self.violation("I5", "%s has not sent the deletion of %s %s" % (dump["name"], table, row))
        for stray in dump["log"]["strays"]:
            self.violation("I11", "%s: %s" % (dump["name"], stray))
        cursors = [answer["cursor"] for answer in dump["log"]["answers"]]
        if any(later < earlier for earlier, later in zip(cursors, cursors[1:])):
            self.violation("I10", "%s: cursors went back" % dump["name"])

    def check_writes(self, dump):
        """I3, I5: nothing that was pushed is nowhere, nothing that was written was never pushed."""
        account = self.people[dump["name"].split("-")[0]][1]
        archived = {mark for owner, _, _, _, _, _, marks in self.archived if owner == account for mark in marks}
        pushed = {mark for push in dump["log"]["pushes"] for text in push["marks"]
                  for mark in (m.group(0) for m in MARK.finditer(text))}
        mine = {}
        for n, edit in enumerate(dump["log"]["edits"]):
            mine.setdefault((edit["table"], edit["id"]), []).append(edit)
        for (table, row), edits in mine.items():
            history = self.versions.get((account, NOUNS[table], row), [])
            applied = {m.group(0) for text, _ in history for m in MARK.finditer(text)}
            for n, edit in enumerate(edits):
                later = edits[n + 1:]
                if edit["op"] == "delete":
                    if not edit["seen"] and not applied & {other["mark"] for other in edits[:n]}:
                        continue  # made and deleted between two requests that arrived: another one's is another one
                    if history and not history[-1][1] and not self.refused_delete(account, dump["name"], table, row):
                        self.violation("I5", "%s deleted %s %s, and it stays" % (dump["name"], table, row))
                        self.tell_story((account, NOUNS[table], row))
                    continue
                if any(other["op"] == "delete" or other["column"] == edit["column"] for other in later):
                    continue  # overwritten on the phone; what was pushed before is looked at below
                if edit["mark"] not in pushed:
                    self.violation("I3", "%s never pushed %s of %s %s" % (dump["name"], edit["mark"], table, row))
                elif edit["mark"] not in applied and edit["mark"] not in archived:
                    self.violation("I3", "%s %s of %s %s is neither stored nor kept" % (
                        dump["name"], edit["mark"], table, row))

    def refused_delete(self, account, phone, table, row):
        return any(entry[0] == account and entry[1] == phone and entry[2] == NOUNS[table] and entry[3] == row and
                   not entry[6] for entry in self.archived)

    def check_history(self):
        """I4: each version once, each mark once.  I6: no write over a version its author had not seen."""
        bases = collections.defaultdict(set)
        for dump in self.dumps:
            account = self.people[dump["name"].split("-")[0]][1]
            for edit in dump["log"]["edits"]:  # what she saw as she wrote, whatever the phone says it had
                if edit["op"] != "delete":
                    bases[account, NOUNS[edit["table"]], edit["id"], edit["mark"]].add(edit["seen"] or 0)
        ids = {(owner, noun, client): row for owner, noun, client, row in self.cluster.psql(
            "SELECT DISTINCT owner, noun, client_id, id FROM kept.version")}
        for (owner, noun, client), history in self.versions.items():
            stamp = self.stamps.get((ids[owner, noun, client] if noun == "incident" else owner, noun,
                                     ids[owner, noun, client]))
            if noun != "incident" and (stamp is None or stamp[0] != len(history)):
                self.violation("I4", "%s %s has version %s after %d writes" % (noun, client, stamp, len(history)))
            authors, seen, before = collections.defaultdict(set), set(), set()
            for version, (text, _) in zip(self.numbers[owner, noun, client], history):
                marks = {m.group(0) for m in MARK.finditer(text)}
                fresh = marks - before
                authors[version] |= {MARK.match(mark).group(1) for mark in fresh}
                if noun not in LAST_WRITE_WINS:
                    for mark in fresh & seen:
                        self.violation("I4", "%s %s: %s came back in version %d" % (noun, client, mark, version))
                    self.check_bases(bases, (owner, noun, client), fresh, authors, version)
                seen |= marks
                before = marks

    def check_bases(self, bases, record, fresh, authors, version):
        for mark in fresh:
            phone = MARK.match(mark).group(1)
            known = max(bases.get(record + (mark,), {0}))
            over = [v for v in range(known + 1, version) if authors[v] - {phone}]
            if over:
                self.violation("I6", "%s %s: %s of base %d lies over versions %s" % (
                    record[1], record[2], mark, known, over))
                self.tell_story(record)

    def tell_story(self, record):
        """All that is known of a record, for whoever looks for the fault."""
        for version, (text, deleted) in enumerate(self.versions[record], 1):
            self.stories.append("%s version %d%s: %s" % (record[2], version, " deleted" if deleted else "",
                                                         [m.group(0) for m in MARK.finditer(text)]))
        pushes = [(push["at"], dump["name"], push.get("base"), push["marks"], push.get("deleted", False))
                  for dump in self.dumps for push in dump["log"]["pushes"]
                  if push["id"] == record[2] and self.people[dump["name"].split("-")[0]][1] == record[0]]
        self.stories += ["%s push %s" % (record[2], push) for push in sorted(pushes, key=lambda push: push[0])]
        self.stories += ["%s archived %s" % (record[2], entry) for entry in self.archived
                         if (entry[0], entry[2], entry[3]) == record]

    def check_archive(self):
        """I7: what was refused met somebody else's version; nothing is kept twice."""
        kept = collections.Counter()
        for owner, device, noun, row, base, reason, marks in self.archived:
            self.counts["conflicts " + reason] += 1
            history = self.versions.get((owner, noun, row), [])
            if noun == "incident" or reason == "deleted":
                continue
            before, foreign = set(), False
            for version, (text, deleted) in enumerate(history, 1):
                now = {m.group(0) for m in MARK.finditer(text)}
                others = {mark for mark in now - before if MARK.match(mark).group(1) != device}
                foreign = foreign or (version > (base or 0) and bool(others or deleted))
                before = now
            if not foreign:
                self.violation("I7", "%s %s of %s was refused (%s, base %s) with nobody else in between" % (
                    noun, row, device, reason, base))
            if marks:  # a deletion has none, and may be refused more than once
                kept[owner, device, noun, row, base, tuple(sorted(marks))] += 1
        for entry, n in kept.items():
            if n > 1:
                self.violation("I4", "%s %s of %s is kept %d times" % (entry[2], entry[3], entry[1], n))
                self.tell_story((entry[0], entry[2], entry[3]))

    def check_copy(self, name, copy):
        """I13: a pull since any cursor brings any copy to the present state; I2 and I11 for helpers."""
        api = self.api(name)
        full = Copy()
        full.pull(api)
        copy.save()
        rng = random.Random("%s/%s" % (self.seed, name))
        saved = rng.sample(copy.saved, min(len(copy.saved), REPLAYED)) + self.foreign_cursors(name, rng)
        for cursor, records in saved:
            then = Copy()
            then.cursor, then.records = cursor, dict(records)
            then.pull(api)
            for key in set(then.records) | set(full.records):
                one, other = then.records.get(key), full.records.get(key)
                if one != other:
                    self.violation("I13", "%s since %s: %s is %s" % (name, cursor, key, difference(one, other)))
        self.counts["cursors replayed"] += len(saved)
        account, team = self.people[name][1:]
        if team is None:
            return
        shared = {row for (row,) in self.cluster.psql(
            "SELECT i.id::text FROM kintaraa.incident i JOIN kintaraa.member m ON m.bucket = i.id "
            " WHERE m.principal = %s AND NOT m.revoked AND i.deleted_at IS NULL", [team])}
        held = {row for noun, row in full.records if noun == "incident"}
        if held != shared:
            self.violation("I2" if held - shared else "I1", "%s holds cases %s, shared are %s" % (name, held, shared))

    def foreign_cursors(self, name, rng):
        """As of a phone on which somebody else signed in.  Of 999 accounts two share the marks of their cursors, and
        one has none: hers are like those of before there were marks."""
        mine = mark_of(self.people[name][1])
        return [rng.choice(copy.saved) for other, copy in self.copies.items()
                if copy.saved and mark_of(self.people[other][1]) not in (mine, 0)]


def mark_of(account):
    return uuid.UUID(account).int % 999
