"""Survivors with two phones each, helpers, slow writers and kills: random, repeatable, and held against invariants.

    violations = Simulation(seed, seconds, kills=True).run()

The phones are threads of simulation.js with real WatermelonDB databases; they talk to the built gateway.  Every
edit carries a mark.  A trigger of the test keeps each version of a record, still sealed, and is read with the key
ring afterwards, so that what became of each mark is known from outside.  The invariants are those of docs/sync.md.
"""
import collections
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path[:0] = [os.path.join(ROOT, "test"), HERE]

from harness import Cluster, Gateway, wait_until  # noqa: E402
from sealed import Keys  # noqa: E402

NODE = os.path.join(ROOT, ".build", "node", "watermelon")
MARK = re.compile(r"<([a-z]+-\d+)\.(\d+)>")
NOUNS = {"safety_plans": "safety_plan", "emergency_contacts": "emergency_contact", "preferences": "preference",
         "mood_entries": "mood_entry", "journal_entries": "journal_entry", "incidents": "incident"}
LAST_WRITE_WINS = ("preference", "mood_entry")

KEEP = """
CREATE SCHEMA kept;
CREATE TABLE kept.version (n bigserial PRIMARY KEY, noun text, owner uuid, id uuid, client_id text, body bytea,
                           place bytea, deleted boolean);
CREATE FUNCTION kept.personal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO kept.version (noun, owner, id, client_id, body, deleted)
    VALUES (NEW.noun, NEW.owner_id, NEW.id, NEW.client_id, NEW.body_sealed, NEW.deleted_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER INSERT OR UPDATE ON kintaraa.personal FOR EACH ROW EXECUTE FUNCTION kept.personal();
CREATE FUNCTION kept.incident() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO kept.version (noun, owner, id, client_id, body, place, deleted)
    VALUES ('incident', NEW.owner_id, NEW.id, NEW.client_id, NEW.description_sealed, NEW.address_sealed,
            NEW.deleted_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER a_kept AFTER INSERT OR UPDATE ON kintaraa.incident FOR EACH ROW EXECUTE FUNCTION kept.incident();
"""


def install():
    """The folder of the scripts, with the packages of its lock file; made anew when that changed."""
    with open(os.path.join(HERE, "package-lock.json"), "rb") as file:
        wanted = hashlib.sha256(file.read()).hexdigest()
    mark = os.path.join(NODE, "installed")
    os.makedirs(NODE, exist_ok=True)
    for name in ("package.json", "package-lock.json", "schema.js", "client.js", "phone.js", "simulation.js", "lost.js"):
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
    def __init__(self, seed, seconds, kills=(), survivors=3, adapter="loki", program=None, mutant=None):
        self.seed, self.seconds, self.kills, self.adapter = seed, seconds, kills, adapter
        self.cluster_options = {"program": program, **({"kn.mutant": mutant} if program else {})}
        self.client_mutant = None if program else mutant
        self.names = ["amina", "zawadi", "neema", "halima"][:survivors]
        self.violations = []
        self.stories = []
        self.counts = collections.Counter()
        self.stopping = threading.Event()

    def violation(self, invariant, text):
        self.violations.append("%s %s" % (invariant, text))

    # ---- the world ----

    def run(self):
        install()
        with Cluster("sync", **self.cluster_options) as self.cluster, Gateway(self.cluster) as self.gateway:
            self.populate()
            phones = Phones({"phones": [{"name": "%s-%d" % (name, n), "token": self.people[name][0]}
                                        for name in self.names for n in (1, 2)],
                             "url": self.gateway.url, "seed": self.seed, "adapter": self.adapter,
                             "folder": self.gateway.folder, "mutant": self.client_mutant})
            try:
                self.live()
                phones.ask("stop")
                self.settle(phones)
                dumps = [answer["dump"] for answer in phones.ask("dump")]
            finally:
                phones.close()
            self.check(dumps)
        return self.violations

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

    def live(self):
        helpers = ("clinic", "lawyer", "nurse")
        threads = [threading.Thread(target=self.guarded, args=(self.help, name)) for name in helpers]
        threads += [threading.Thread(target=self.guarded, args=(self.write_slowly, n)) for n in range(2)]
        threads.append(threading.Thread(target=self.guarded, args=(self.watch, self.names[0])))
        self.copies = {name: Copy() for name in (*helpers, self.names[0])}
        for thread in threads:
            thread.start()
        rng = random.Random("%s/kills" % self.seed)
        kills = list(self.kills)
        begin = time.monotonic()
        pauses = [self.seconds * (n + 1) / (len(kills) + 1) for n in range(len(kills))]
        for at, what in zip(pauses, kills):
            self.stopping.wait(max(0, begin + at + rng.uniform(-0.5, 0.5) - time.monotonic()))
            self.kill(what)
        self.stopping.wait(max(0, begin + self.seconds - time.monotonic()))
        self.stopping.set()
        for thread in threads:
            thread.join()

    def kill(self, what):
        self.counts["kills of " + what] += 1
        if what == "postgres":
            self.cluster.kill()
            self.cluster.start()
        elif what == "gateway":
            self.gateway.kill()
            self.gateway.start(wait=False)
        else:
            self.cluster.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE backend_type = 'kintaraa worker'")

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
        for offer in [offer for offer in offers if offer["status"] in ("pending", "accepted")]:
            path = "/api/assignments/%s/" % offer["id"]
            what = rng.random()
            if offer["status"] == "pending" and what < 0.5:
                status = api.post(path + "accept", {}).status
            elif offer["status"] == "pending" and what < 0.6:
                status = api.post(path + "decline", {"reason": "unavailable"}).status
            elif offer["status"] == "accepted" and what < 0.08:
                status = api.post(path + "release", {"reason": "fell ill"}).status
            elif offer["status"] == "accepted" and what < 0.12:
                status = api.post("/api/incidents/%s/status" % offer["incidentId"], {"status": "completed"}).status
            else:
                continue
            self.counts["moves of helpers %d" % status] += 1

    def watch(self, rng, state, name):
        """A survivor's desk: pulls as JSON, at odd moments."""
        if self.copies[name].pull(state.setdefault("api", self.api(name))) and rng.random() < 0.3:
            self.copies[name].save()

    def write_slowly(self, rng, state, n):
        """A writer in psql whose commit comes late, or never."""
        connection = self.cluster.connect(autocommit=False)
        try:
            account = self.people[rng.choice(self.names)][1]
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO kintaraa.notification (id, account_id, class) "
                               "SELECT gen_random_uuid(), %s, 'system' FROM generate_series(1, 3)", [account])
                cursor.execute("SELECT kintaraa.change_flush()")
            self.stopping.wait(rng.choice([0.05, 0.4, 2.5]))
            if rng.random() < 0.1:
                connection.rollback()
            else:
                connection.commit()
                self.counts["late commits"] += 1
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

    # ---- what must hold ----

    def check(self, dumps):
        self.dumps = dumps
        self.read_history()
        for dump in dumps:
            self.counts["edits"] += len(dump["log"]["edits"])
            self.counts["pulls"] += dump["log"]["pulls"]
            self.counts["pushed records"] += len(dump["log"]["pushes"])
            self.counts["rows pulled"] += dump["log"]["rows"]
            self.counts["rows pulled again"] += dump["log"]["again"]
            for kind, n in dump["log"]["errors"].items():
                self.counts["trouble: " + kind] += n
            self.check_phone(dump)
            self.check_writes(dump)
        self.check_history()
        self.check_archive()
        for name, copy in self.copies.items():
            self.check_copy(name, copy)
        broken = self.cluster.psql("SELECT what, id FROM play.broken")
        for what, bucket in broken:
            self.violation("state", "%s %s" % (what, bucket))

    def read_history(self):
        keys = Keys(self.cluster)
        self.versions = collections.defaultdict(list)
        for noun, owner, row, client_id, body, place, deleted in self.cluster.psql(
                "SELECT noun, owner, id, client_id, body, place, deleted FROM kept.version ORDER BY n"):
            if noun == "incident":
                text = "\n".join(keys.open(owner, "incident." + name, row, value) or ""
                                 for name, value in (("description", body), ("address", place)))
            else:
                text = keys.open(owner, "personal.body", row, body) or ""
            self.versions[owner, noun, client_id].append((text, deleted))
        self.archived = []
        for archive, owner, device, noun, row, payload, base, reason in self.cluster.psql(
                "SELECT id, owner_id, device, noun, row_id, payload_sealed, base_version, reason "
                "FROM kintaraa.archive ORDER BY at"):
            text = keys.open(owner, "archive.payload", archive, payload) or ""
            self.archived.append((owner, device, noun, row, base, reason, {m.group(0) for m in MARK.finditer(text)}))
        self.stamps = {(bucket, noun, row): (version, deleted) for bucket, noun, row, version, deleted in
                       self.cluster.psql("SELECT bucket, noun, id, version, deleted FROM kintaraa.change")}

    def truth(self, account):
        """What the account sees, from the tables: {table: {id: version}}."""
        rows = self.cluster.psql("""
            SELECT 'incidents', i.client_id, c.version FROM kintaraa.incident i
              JOIN kintaraa.change c ON c.bucket = i.id AND c.noun = 'incident' AND c.id = i.id
             WHERE i.owner_id = %(a)s AND i.deleted_at IS NULL
            UNION ALL SELECT p.noun, p.client_id, c.version FROM kintaraa.personal p
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
            result[tables.get(noun, noun)][row] = version
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
        cursors = dump["log"]["cursors"]
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
                    if history and not history[-1][1] and not self.refused_delete(account, dump["name"], table, row):
                        self.violation("I5", "%s deleted %s %s, and it stays" % (dump["name"], table, row))
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
            authors, seen, before = [None], set(), set()
            for version, (text, _) in enumerate(history, 1):
                marks = {m.group(0) for m in MARK.finditer(text)}
                fresh = marks - before
                authors.append({MARK.match(mark).group(1) for mark in fresh})
                if noun not in LAST_WRITE_WINS:
                    for mark in fresh & seen:
                        self.violation("I4", "%s %s: %s came back in version %d" % (noun, client, mark, version))
                    if noun != "incident":
                        self.check_bases(bases, (owner, noun, client), fresh, authors, version)
                seen |= marks
                before = marks

    def check_bases(self, bases, record, fresh, authors, version):
        for mark in fresh:
            phone = MARK.match(mark).group(1)
            known = max(bases.get(record + (mark,), {0}))
            over = [v for v in range(known + 1, version) if authors[v] and authors[v] != {phone}]
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
        """I13: a pull since any cursor brings its copy to the present state; I2 and I11 for helpers."""
        api = self.api(name)
        full = Copy()
        full.pull(api)
        copy.save()
        for cursor, records in copy.saved:
            then = Copy()
            then.cursor, then.records = cursor, dict(records)
            then.pull(api)
            for key in set(then.records) | set(full.records):
                one, other = then.records.get(key), full.records.get(key)
                if one != other:
                    self.violation("I13", "%s since %s: %s is %s" % (name, cursor, key, difference(one, other)))
        self.counts["cursors replayed"] += len(copy.saved)
        account, team = self.people[name][1:]
        if team is None:
            return
        shared = {row for (row,) in self.cluster.psql(
            "SELECT i.id::text FROM kintaraa.incident i JOIN kintaraa.member m ON m.bucket = i.id "
            " WHERE m.principal = %s AND NOT m.revoked AND i.deleted_at IS NULL", [team])}
        held = {row for noun, row in full.records if noun == "incident"}
        if held != shared:
            self.violation("I2" if held - shared else "I1", "%s holds cases %s, shared are %s" % (name, held, shared))
