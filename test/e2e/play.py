"""The people and teams of test/data/play.sql in a cluster, and connections that call doors as them."""
import json
import os

import psycopg2

from harness import ROOT

DATA = os.path.join(ROOT, "test", "data")


def load(cluster, database="kintaraa", script="play.sql"):
    with open(os.path.join(DATA, script)) as file:
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

    def call(self, door, who, path=None, body=None, query=None, device=None):
        """outcome and body; the outcome is the SQLSTATE when the door raised."""
        context = {"requestId": "play", "network": "192.0.2.0", **({"device": device} if device else {})}
        self.cursor.execute("SELECT outcome, body FROM play.call(%s, %s, %s, %s, %s, %s)",
                            (door, who, path, None if body is None else json.dumps(body),
                             None if query is None else json.dumps(query), json.dumps(context)))
        return self.cursor.fetchone()

    def outcome(self, door, who, path=None, body=None, device=None):
        outcome, answer = self.call(door, who, path, body, None, device)
        return " ".join(filter(None, (outcome, (answer or {}).get("code"))))

    def dba(self, sql, *args):
        """In one transaction, with the stamps and the routing figures that psql has to ask for; ok, or why not."""
        self.value("BEGIN")
        try:
            self.value(sql, *args)
            self.value("SELECT kintaraa.dispatch_refresh()")
            self.value("SELECT kintaraa.change_flush()")
            self.value("COMMIT")
        except psycopg2.Error as error:
            self.value("ROLLBACK")
            return error.pgcode
        return "ok"

    def broken(self):
        return self.rows("SELECT what, id::text FROM play.broken")

    def close(self):
        self.connection.close()
