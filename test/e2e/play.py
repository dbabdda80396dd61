"""The people and teams of test/data/play.sql in a cluster, and connections that call doors as them."""
import json
import os

from harness import ROOT

SCRIPT = os.path.join(ROOT, "test", "data", "play.sql")


def load(cluster, database="kintaraa"):
    with open(SCRIPT) as file:
        cluster.psql(file.read(), database=database)


class Stage:
    """One connection of the DBA that calls doors by name of a person."""

    def __init__(self, cluster, database="kintaraa", autocommit=True):
        self.connection = cluster.connect(database=database, autocommit=autocommit)
        self.cursor = self.connection.cursor()

    def value(self, sql, *args):
        self.cursor.execute(sql, args or None)
        row = self.cursor.fetchone() if self.cursor.description else None
        return row[0] if row else None

    def rows(self, sql, *args):
        self.cursor.execute(sql, args or None)
        return self.cursor.fetchall()

    def call(self, door, who, path=None, body=None, query=None):
        """outcome and body; the outcome is the SQLSTATE when the door raised."""
        self.cursor.execute("SELECT outcome, body FROM play.call(%s, %s, %s, %s, %s)",
                            (door, who, path, None if body is None else json.dumps(body),
                             None if query is None else json.dumps(query)))
        return self.cursor.fetchone()

    def outcome(self, door, who, path=None, body=None):
        outcome, answer = self.call(door, who, path, body)
        return " ".join(filter(None, (outcome, (answer or {}).get("code"))))

    def broken(self):
        return self.rows("SELECT what, id::text FROM play.broken")

    def close(self):
        self.connection.close()
