"""What a pull reads, while the tables, the cases of its caller, and what others wrote grow around it."""
import json

import play

COLUMNS = "bucket, noun, id, x, version, foreign_version, deleted, updated_at, audience"
CONTEXT = '{"requestId": "cost", "network": "192.0.2.0"}'
READ = ("SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables "
        " WHERE schemaname = 'kintaraa' AND relname = ANY (%s)")
TABLES = ("change", "member", "case_news", "barred", "incident", "need", "assignment")


class Pulls:
    """A survivor with three reports, and a team that helps with them; old stamps and cases are made as rows."""

    def __init__(self, cluster):
        self.cluster = cluster
        play.load(cluster)
        stage = play.Stage(cluster)
        stage.value("SELECT play.register('amina')")
        self.team = stage.value("SELECT play.helper('clinic', 'healthcare', -1.2801, 36.8201, 100)")
        self.amina = cluster.value("SELECT id FROM play.person WHERE name = 'amina'")
        cluster.psql("SELECT kintaraa.epoch_check(), kintaraa.tick_write(true)")
        self.cases = {"amina": 3, "clinic": 3}
        self.connections = {"made when nothing was known": self.connect()}
        cluster.psql("VACUUM ANALYZE")
        self.connections["made for empty tables"] = self.connect()
        for connection in self.connections.values():
            for who in ("amina", "clinic"):
                self.pull(connection, who, self.tick() - 1000)
        for n in range(3):
            stage.value("SELECT play.report('amina', 'r%d')" % n)
        for (offer,) in stage.rows("SELECT id FROM kintaraa.assignment"):
            stage.rows("SELECT play.outcome('assignment_accept', 'clinic', ARRAY['%s'])" % offer)

    def connect(self):
        return self.cluster.connect(autocommit=False)

    def tick(self):
        return self.cluster.value("SELECT kintaraa.tick_write(true)")

    def pull(self, connection, who, since):
        """The records that a pull brings, and the rows it read."""
        token = self.cluster.value("SELECT token FROM play.person WHERE name = %s", [who])
        with connection.cursor() as cursor:
            cursor.execute(READ, [list(TABLES)])
            before = int(cursor.fetchone()[0])
            cursor.execute("SELECT outcome, body FROM kintaraa_api.sync_updates(%s, NULL, %s, NULL, %s)",
                           (token, json.dumps({"since": str(since)}), CONTEXT))
            outcome, answer = cursor.fetchone()
            assert outcome == "ok" and not answer["resync"], answer
            cursor.execute(READ, [list(TABLES)])
            read = int(cursor.fetchone()[0]) - before
        connection.rollback()
        return len(answer["incidents"]) + len(answer["removed"]), read

    def strangers(self, n, now=False):
        """Stamps of others: long ago, or since the last tick."""
        self.cluster.psql("INSERT INTO kintaraa.change (%s) SELECT gen_random_uuid(), 'incident', "
                          "    gen_random_uuid(), %s, 1, 0, false, now(), gen_random_uuid() FROM generate_series(1, %s)"
                          % (COLUMNS, "pg_current_xact_id()" if now else "'3'", n))

    def grow(self, cases):
        """Old cases of hers, and old ones that the team helped with, up to so many of each."""
        for who, principal, relation, audience in (("amina", self.amina, "owner", "'%s'" % self.amina),
                                                   ("clinic", self.team, "helper", "gen_random_uuid()")):
            self.cluster.psql(
                "WITH c AS MATERIALIZED (SELECT gen_random_uuid() AS id FROM generate_series(1, %d)), "
                "m AS (INSERT INTO kintaraa.member (principal, bucket, relation, gx) SELECT '%s', id, '%s', '3' FROM c "
                "      RETURNING principal, bucket, relation), "
                "n AS (INSERT INTO kintaraa.case_news SELECT principal, bucket, '3' FROM m WHERE relation = 'helper') "
                "INSERT INTO kintaraa.change (%s) SELECT c.id, noun, c.id, '3', 1, 0, false, now(), %s "
                "  FROM c, unnest(ARRAY['incident', 'need']) noun"
                % (cases - self.cases[who], principal, relation, COLUMNS, audience))
            self.cases[who] = cases

    def change(self):
        """The three reports, each by its owner."""
        for n in range(3):
            outcome = self.cluster.value("SELECT play.outcome('incident_update', 'amina', ARRAY['r%d'], "
                                         " jsonb_build_object('description', gen_random_uuid()))" % n)
            assert outcome == "ok", outcome

    def measure(self, sizes, strangers):
        """Rows read, by who pulls and how many records come: a set, which has one member when nothing else counts."""
        costs = {}
        self.strangers(strangers)
        for cases in sizes:
            self.grow(cases)
            self.cluster.psql("ANALYZE")
            self.connections["made for %d cases" % cases] = self.connect()
            since = self.tick()
            self.note(costs, since, 0)
            for others in (10, 10000):
                self.strangers(others, now=True)
                self.note(costs, since, 0)
            self.change()
            self.note(costs, since, 3)
        return costs

    def note(self, costs, since, wanted):
        for plan, connection in self.connections.items():
            for who in ("amina", "clinic"):
                came, read = self.pull(connection, who, since)
                assert came == wanted, (who, plan, came)
                costs.setdefault((who, wanted), {}).setdefault(read, []).append((plan, dict(self.cases)))
