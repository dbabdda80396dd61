"""Phones that pull and push at a server's doors, as apps of ours do, and the tools of a DBA."""
import hashlib
import json
import os
import subprocess

import psycopg2
import psycopg2.extensions

from harness import wait_until

PROGRAMS = "/usr/lib/postgresql/15/bin"
NOUNS = {"incidents": "incident", "assignments": "assignment", "notes": "note", "notifications": "notification",
         "profiles": "account", "safetyPlans": "safety_plan", "emergencyContacts": "emergency_contact",
         "preferences": "preference", "moodEntries": "mood_entry", "journalEntries": "journal_entry"}

tokens = {}  # by name of the person


class Refused(Exception):
    """A door raised; code is its SQLSTATE."""

    def __init__(self, code, text):
        super().__init__("%s %s" % (code, text))
        self.code = code


def door(server, name, token, query=None, body=None, device=None):
    """As the gateway's role, on a connection of its own."""
    dsn = psycopg2.extensions.make_dsn(host=server.host, port=server.port, user="postgres", dbname="kintaraa",
                                       options="-c role=kintaraa_gateway")
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    context = {"requestId": "epochs", "network": "192.0.2.0", **({"device": device} if device else {})}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT outcome, body FROM kintaraa_api.%s(%%s, NULL, %%s, %%s, %%s)" % name,
                           (token, json.dumps(query or {}), None if body is None else json.dumps(body),
                            json.dumps(context)))
            return cursor.fetchone()
    except psycopg2.Error as error:
        raise Refused(error.pgcode, str(error)) from error
    finally:
        connection.close()


def code_of(function, *arguments):
    """The SQLSTATE that it raises, or None."""
    try:
        function(*arguments)
    except Refused as refused:
        return refused.code
    return None


class Phone:
    """What an app of ours keeps: versions by noun and id, a cursor, and what it wrote itself."""

    def __init__(self, who, name, server=None):
        self.token, self.name = tokens[who], name
        self.rows, self.written, self.cursor, self.seq = {}, {}, None, 0
        if server:
            self.pull(server)

    def copy(self):
        other = object.__new__(Phone)
        other.__dict__.update(self.__dict__, rows=dict(self.rows), written=dict(self.written))
        return other

    def updates(self, server, since, page=None):
        query = {"since": str(since)} if since else {}
        query.update({"pageToken": page} if page else {})
        outcome, answer = door(server, "sync_updates", self.token, query, device=self.name)
        assert outcome == "ok", (outcome, answer)
        return answer

    def pull(self, server):
        """Pulls and applies; the answer."""
        answer = self.updates(server, self.cursor)
        assert not answer["hasMore"]
        if answer["resync"]:
            self.rows = {}
        for member, noun in NOUNS.items():
            for record in answer[member]:
                self.rows[noun, record["id"]] = record["serverVersion"]
        for gone in answer["removed"]:
            self.rows.pop((gone["noun"], gone["id"]), None)
        self.cursor = answer["cursor"]
        return answer

    def push(self, server, *records):
        """Sends them as made here; their results."""
        self.seq += 1
        body = {"seq": self.seq, "records": [{"table": noun, "id": name, "data": data} for noun, name, data in records]}
        outcome, answer = door(server, "sync_batch", self.token, body=body, device=self.name)
        assert outcome == "ok", (outcome, answer)
        for (noun, name, data), result in zip(records, answer["results"]):
            self.written[noun, name] = data
            self.rows[noun, name] = result["serverVersion"]
        return answer["results"]

    def write(self, server, name):
        """A journal entry of that name."""
        return self.push(server, ("journal_entry", name, {"title": name, "content": name}))

    def is_whole(self, server):
        """Whether the digest of the server is that of its own rows."""
        mine = {}
        for (noun, name), version in self.rows.items():
            entry = mine.setdefault(noun, [0, 0])
            entry[0] += 1
            entry[1] ^= int(hashlib.sha256(("%s/%s/%d" % (noun, name, version)).encode()).hexdigest()[:16], 16)
        theirs = door(server, "sync_digest", self.token)[1]["nouns"]
        return {noun: {"count": n, "hash": "%x" % xor} for noun, (n, xor) in mine.items()} == theirs

    def offer_lost(self, server):
        """What it wrote and the server does not have any more, sent as made here; the results."""
        lost = []
        for noun in sorted({noun for noun, _ in self.written}):
            items = door(server, "sync_manifest", self.token, {"noun": noun})[1]["items"]
            known = {item["id"] for item in items}
            lost += [(noun, name, data) for (of, name), data in self.written.items()
                     if of == noun and name not in known]
        return self.push(server, *lost) if lost else []


def check_has_all(phone, server, *names):
    """The phone has exactly what somebody who begins anew is sent, these entries among it."""
    whole = Phone.__new__(Phone)
    whole.__dict__.update(phone.__dict__, rows={}, cursor=None)
    whole.pull(server)
    assert phone.rows == whole.rows, (set(phone.rows.items()) ^ set(whole.rows.items()))
    for name in names:
        assert ("journal_entry", name) in phone.rows, name


def ready(server):
    """Until its worker has looked at the epoch."""
    return wait_until(lambda: code_of(door, server, "sync_digest", tokens["amina"]) is None
                      and code_of(Phone("amina", "probe").updates, server, None) is None, 30, "pulls are answered")


def settle(server):
    """Everything committed is in a tick, which is returned."""
    return server.value("SELECT kintaraa.tick_write(true)")


def epochs(server):
    return server.psql("SELECT tag, reason, last_tick FROM kintaraa.epoch ORDER BY tag")


def is_refused_to_adopt(server):
    try:
        server.psql("SELECT kintaraa.adopt_epoch()")
    except psycopg2.errors.ObjectNotInPrerequisiteState:
        return True
    return False


# Servers

def run(*command, folder="/"):
    """As the owner of the clusters; what it printed."""
    if os.geteuid() == 0:
        command = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder, text=True)
    assert done.returncode == 0, "%s: %s" % (command, (done.stdout + done.stderr)[-2000:])
    return done.stdout


def tool(server, name, *arguments):
    return run(os.path.join(PROGRAMS, name), "-h", server.host, "-p", str(server.port), "-U", "postgres", *arguments)


def dump_of(server, database="kintaraa"):
    """A file that goes with the server."""
    path = os.path.join(server.folder, "log", "dump")
    tool(server, "pg_dump", "-Fc", "-d", database, "-f", path)
    return path


def give_ring(source, server):
    with open(os.path.join(source.folder, "keys", "keyring"), "rb") as ring, \
            open(os.path.join(server.folder, "keys", "keyring"), "r+b") as place:
        place.write(ring.read())
        place.truncate()
