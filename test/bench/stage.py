"""The stage of all rows: a cluster with the facilities of Kenya, a gateway, survivors, teams, and what they send."""
import contextlib
import json
import os
import shutil
import tempfile
import time
import uuid

import measure
from harness import ROOT, Cluster, Gateway

SURVIVORS = 8
SIGN_IN_AFTER = 240  # seconds; an access token lasts fifteen minutes
PASSWORD = "correct horse battery staple"
FACILITIES = os.path.join(ROOT, "test", "data", "facilities-kenya.csv")
# Reports come from within a tenth of a degree of these towns.
TOWNS = [(-1.2921, 36.8219), (-4.0435, 39.6682), (-0.0917, 34.7680), (0.5143, 35.2698),
         (-0.3031, 36.0800), (-0.4532, 39.6461), (3.1191, 35.5973), (-0.4201, 36.9476)]
CONTEXT = ('{"requestId": "\' || gen_random_uuid() || \'", "network": "127.0.0.0/24", "language": "en"}')

# %s are an id, a latitude and a longitude.  Blanks after colons: pgbench would take :false for a variable.
REPORT = ('{"id": "%s", "type": "physical", "description": "He came home drunk and beat me with a stick. My arm may be '
          'broken and I am bleeding from the head.", "urgencyLevel": "immediate", "supportServices": ["medical"], '
          '"isAnonymous": false, "location": {"coordinates": {"latitude": %s, "longitude": %s}, "accuracyM": 25, '
          '"address": "Behind the market", "source": "gps"}, "providerPreferences": {"communicationMethod": "sms", '
          '"preferredGender": "no_preference"}}')


class Stage:
    def __init__(self, **settings):
        self.folder = tempfile.mkdtemp(prefix="kn-bench-")
        self.cluster = Cluster("bench", shared_buffers="256MB", max_wal_size="2GB", **settings)
        self.cluster.psql("SELECT kintaraa.provider_import('Kenya', 'healthcare', %s)",
                          [open(FACILITIES, encoding="utf-8").read()])
        self.gateway = Gateway(self.cluster)
        self.api = self.gateway.api()
        self.survivors = [self._register("survivor%d" % i) for i in range(SURVIVORS)]
        self.reports = [[self._report(i) for _ in range(20)] for i in range(SURVIVORS)]
        self.admin = self._register("admin", role="admin", invitation=self._invite("admin"))
        self.team = self._staff()
        self._write_all()
        self.cluster.psql("VACUUM ANALYZE")
        self.idle = measure.idle_rate(self.cluster.pid)

    def sign_in(self):
        """Fresh tokens once the present ones are a few minutes old."""
        if time.monotonic() - self.signed_in < SIGN_IN_AFTER:
            return
        self.survivors = [self._log_in("survivor%d" % i) for i in range(SURVIVORS)]
        self.admin, self.team = self._log_in("admin"), self._log_in("team")
        self._write_all()

    def settle(self):
        """Nobody answers what earlier rows reported: without this the worker would escalate it in all later rows."""
        self.cluster.psql("SET session_replication_role = replica; "
                          "UPDATE kintaraa.need SET due_at = due_at + interval '1 day' WHERE level > 0 "
                          "AND due_at < now() + interval '12 hours'")
        self.cluster.psql("VACUUM ANALYZE")  # or autovacuum does it, and is counted

    def _write_all(self):
        self.signed_in = time.monotonic()
        self.files = {"create": self._create_scripts(), "get": self._get_scripts(), "list": self._list_scripts(),
                      "assignments": self._assignment_scripts()}
        self.lua = self._write("stage.lua", self._lua())

    @contextlib.contextmanager
    def without_budget(self):
        """A gateway at which no account has to earn what it reads."""
        self.gateway.stop()
        self.gateway.given["KINTARAA_READ_SHARE"] = 0
        self.gateway.start()
        try:
            yield
        finally:
            self.gateway.stop()
            del self.gateway.given["KINTARAA_READ_SHARE"]
            self.gateway.start()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ok(self, answer, what):
        if answer.status not in (200, 201, 204):
            raise SystemExit("%s: %d %s" % (what, answer.status, answer.body))
        return answer.body

    def _register(self, name, **more):
        body = {"email": name + "@bench.example", "password": PASSWORD, "firstName": name, "lastName": "Bench",
                "language": "sw", **more}
        return self._ok(self.api.post("/api/auth/register", body), "register")["tokens"]["access"]

    def _log_in(self, name):
        body = {"email": name + "@bench.example", "password": PASSWORD}
        return self._ok(self.api.post("/api/auth/login", body), "login")["tokens"]["access"]

    def _invite(self, role):
        return self.cluster.value("SELECT kintaraa.invite(%s)", [role])

    def report_body(self, survivor, identity, spread=(0.0, 0.0)):
        latitude, longitude = TOWNS[survivor]
        return REPORT % (identity, "%.5f" % (latitude + spread[0]), "%.5f" % (longitude + spread[1]))

    def _report(self, survivor):
        body = json.loads(self.report_body(survivor, uuid.uuid4()))
        return self._ok(self.api.post("/api/incidents", body, token=self.survivors[survivor]), "report")["id"]

    def _staff(self):
        """Somebody of the team that was offered most."""
        provider = self.cluster.value("SELECT provider_id::text FROM kintaraa.assignment "
                                      "GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
        invited = self._ok(self.api.post("/api/admin/invitations", {"role": "provider", "providerId": provider},
                                         token=self.admin), "invite")
        return self._register("team", role="provider", invitation=invited["code"])

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def yardstick(self):
        """us of PostgreSQL's processor time for SELECT 1: by it the figures of two machines, or days, compare."""
        cpu = measure.Cpu(self.cluster.pid, None, self.idle)
        cpu.start()
        count, _ = measure.pgbench(self.cluster.gateway_dsn, [self._write("one.sql", "SELECT 1;\n")], 4, 2)
        return cpu.stop(wait_backends=True)["server"] / count * 1e6

    def door(self, name, token, path="NULL", body="NULL"):
        return ("SELECT outcome, body FROM kintaraa_api.%s('%s', %s, NULL, %s, ('%s')::jsonb);\n"
                % (name, token, path, body, CONTEXT))

    def pull_script(self, name, token, since):
        return self._write(name + ".sql", "SELECT outcome, body FROM kintaraa_api.sync_updates('%s', NULL, "
                           "'{\"since\": \"%s\"}'::jsonb, NULL, ('%s')::jsonb);\n" % (token, since, CONTEXT))

    def batch_script(self, name, token, count):
        """New reports of one place in one trip of a phone."""
        name_of_one = "' || half || lpad(to_hex(i), 12, '0') || '"
        record = ('{"table": "incidents", "op": "upsert", "id": "%s", "data": %s}'
                  % (name_of_one, REPORT % (name_of_one, *TOWNS[1])))
        return self._write(name + ".sql",
                           "SELECT outcome, answer.body FROM (SELECT ('{\"device\": \"bench\", \"records\": [' || "
                           "string_agg('%s', ', ') || ']}')::jsonb AS body "
                           "FROM (SELECT left(gen_random_uuid()::text, 24) AS half) a, generate_series(1, %d) i) sent, "
                           "LATERAL kintaraa_api.sync_batch('%s', NULL, NULL, sent.body, ('%s')::jsonb) answer;\n"
                           % (record, count, token, CONTEXT))

    def mood_script(self, name, token):
        """A new row of a table without needs, offers or members."""
        path = "ARRAY['mood_entry', gen_random_uuid()::text]"
        body = "jsonb_build_object('mood', 'sad', 'intensity', 7)"
        return self._write(name + ".sql", self.door("personal_put", token, path, body))

    def name_script(self, name, token):
        """Changes the same row again and again."""
        return self._write(name + ".sql", self.door("me_update", token,
                                                    body="jsonb_build_object('firstName', gen_random_uuid())"))

    def _create_scripts(self):
        """The same reports as load.lua makes, with random ids and places made by the server."""
        scripts = []
        for i, token in enumerate(self.survivors):
            parts = ["' || gen_random_uuid() || '"]
            parts += ["' || (%f + random() / 5 - 0.1) || '" % degrees for degrees in TOWNS[i]]
            body = "('%s')::jsonb" % (REPORT % tuple(parts))
            scripts.append(self._write("create%d.sql" % i, self.door("incident_create", token, body=body)))
        return scripts

    def _get_scripts(self):
        return [self._write("get%d.sql" % i, self.door("incident_get", token, "ARRAY['%s']" % self.reports[i][0]))
                for i, token in enumerate(self.survivors)]

    def _list_scripts(self):
        return [self._write("list%d.sql" % i, self.door("incident_list", token))
                for i, token in enumerate(self.survivors)]

    def _assignment_scripts(self):
        return [self._write("assignments.sql", self.door("assignment_list", self.team))]

    def _lua(self):
        """Tables for load.lua: tokens, reports to read, towns, and the report with places to fill in."""
        lines = ["tokens = {%s}" % ", ".join('"%s"' % token for token in self.survivors),
                 'team = "%s"' % self.team,
                 "reads = {%s}" % ", ".join('"%s"' % ids[0] for ids in self.reports),
                 "towns = {%s}" % ", ".join("{%f, %f}" % town for town in TOWNS),
                 "report = [==[%s]==]" % (REPORT % ("%s", "%9.5f", "%9.5f"))]
        return "\n".join(lines) + "\n"
