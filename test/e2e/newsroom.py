"""People, cases and gateways for tests of the feed, without the program that is the gateway.

World(cluster) has one survivor (her), one team with a helper, a second team, a dispatcher and their tokens.
Rows are written by the DBA and stamped with kintaraa.change_flush(), so that each test decides what commits when.
Reader(world) is what a gateway is to the database: feed_start, feed_join, feed_next.
"""
import json
import uuid

PASSWORD = "a long enough sentence"


def new_id():
    return str(uuid.uuid4())


class World:
    def __init__(self, cluster):
        self.cluster = cluster
        self.connection = cluster.connect()
        self.gateway_connection = cluster.connect("kintaraa_gateway")
        self.organisation = new_id()
        self.run("INSERT INTO kintaraa.organisation (id, kind, name) VALUES (%s, 'helper', 'Helpers')",
                 self.organisation)
        self.team = self.make_team("Clinic One")
        self.other_team = self.make_team("Clinic Two")
        self.her, self.her_token = self.register("survivor")
        self.stranger, self.stranger_token = self.register("survivor")
        self.helper, self.helper_token = self.register("provider", self.team)
        self.dispatcher, self.dispatcher_token = self.register("dispatcher")
        self.centre = self.value("SELECT centre_id FROM kintaraa.account WHERE id = %s", self.dispatcher)

    def run(self, sql, *args, connection=None):
        with (connection or self.connection).cursor() as cursor:
            cursor.execute(sql, args)
            return cursor.fetchall() if cursor.description else []

    def value(self, sql, *args):
        return self.run(sql, *args)[0][0]

    def write(self, *statements, connection=None):
        """Statements (sql, args…) and their stamp; one transaction unless the connection is in one."""
        connection = connection or self.connection
        own = connection.autocommit
        if own:
            connection.autocommit = False
        for sql, *args in statements:
            self.run(sql, *args, connection=connection)
        self.run("SELECT kintaraa.change_flush()", connection=connection)
        if own:
            connection.commit()
            connection.autocommit = True

    def door(self, name, token=None, path=None, query=None, body=None, context=None, connection=None):
        rows = self.run("SELECT outcome, body::text FROM kintaraa_api.%s(%%s, %%s, %%s, %%s, %%s)" % name,
                        token, path or [], json.dumps(query or {}), json.dumps(body or {}),
                        json.dumps({"network": "10.0.0.0/24", "requestId": new_id(), **(context or {})}),
                        connection=connection or self.gateway_connection)
        return rows[0][0], json.loads(rows[0][1])

    def make_team(self, name):
        team = new_id()
        self.write(("INSERT INTO kintaraa.provider (id, organisation_id, provider_type, name, latitude, longitude) "
                    "VALUES (%s, %s, 'healthcare', %s, -1.28, 36.82)", team, self.organisation, name))
        return team

    def register(self, role, provider=None):
        body = {"email": "%s@example.org" % new_id(), "password": PASSWORD, "role": role,
                "firstName": "First", "lastName": "Last"}
        if role != "survivor":
            body["invitation"] = self.value("SELECT kintaraa.invite(%s, %s)", role, provider)
        outcome, answer = self.door("auth_register", body=body, context={"network": new_id()})
        assert outcome == "created", answer
        return answer["user"]["id"], answer["tokens"]["access"]

    def incident_statements(self, incident, status="new"):
        return [("INSERT INTO kintaraa.incident (id, owner_id, client_key, case_number, status, urgency_level, "
                 "created_hash, spelling_sealed) VALUES (%s, %s, kintaraa.client_key(%s, 'incident', %s), %s, %s, "
                 "'urgent', '', kintaraa.spelling_seal(%s, 'incident.spelling', %s, %s))",
                 incident, self.her, self.her, "phone-" + incident[:8], incident[:13], status, self.her, incident,
                 "phone-" + incident[:8]),
                ("INSERT INTO kintaraa.member (principal, bucket, relation) VALUES (%s, %s, 'owner')",
                 self.her, incident),
                ("INSERT INTO kintaraa.member (principal, bucket, relation) VALUES (%s, %s, 'dispatcher')",
                 self.centre, incident)]

    def report(self, **kinds):
        incident = new_id()
        self.write(*self.incident_statements(incident, **kinds))
        return incident

    def offer_statements(self, incident, assignment, team=None, urgency="urgent"):
        need = new_id()
        return [("INSERT INTO kintaraa.need (bucket, id, service, state, urgency_level, due_at) "
                 "VALUES (%s, %s, %s, 'offered', %s, now() + interval '1 hour')",
                 incident, need, "medical " + need[:4], urgency),
                ("INSERT INTO kintaraa.assignment (id, provider_id, incident_bucket, need_id, service, status, "
                 "urgency_level, level, round, due_at) "
                 "VALUES (%s, %s, %s, %s, 'medical', 'pending', %s, 1, 1, now() + interval '1 hour')",
                 assignment, team or self.team, incident, need, urgency)]

    def offer(self, incident, team=None, urgency="urgent"):
        assignment = new_id()
        self.write(*self.offer_statements(incident, assignment, team, urgency))
        return assignment

    def accept(self, incident, assignment, team=None):
        self.write(("UPDATE kintaraa.assignment SET status = 'accepted', responded_at = now() WHERE id = %s",
                    assignment),
                   ("INSERT INTO kintaraa.member AS m (principal, bucket, relation) VALUES (%s, %s, 'helper') "
                    "ON CONFLICT (principal, bucket) DO UPDATE SET revoked = false, "
                    "gx = pg_current_xact_id()", team or self.team, incident),
                   ("UPDATE kintaraa.incident SET status = 'in_progress' WHERE id = %s", incident))

    def close(self):
        self.connection.close()
        self.gateway_connection.close()


class Reader:
    """One gateway; frames come per subscription, in order."""

    def __init__(self, world):
        self.world = world
        self.connection = world.cluster.connect("kintaraa_gateway")
        outcome, answer = world.door("feed_start", connection=self.connection)
        assert outcome == "ok", answer
        self.gateway, self.cursor = answer["gateway"], answer["cursor"]
        self.frames = {}
        self.columns = []

    def join(self, token, cursor=None):
        outcome, answer = self.world.door("feed_join", token, connection=self.connection,
                                          body={"gateway": self.gateway, "cursor": cursor})
        if outcome == "ok":
            self.frames.setdefault(answer["subscription"], [])
        return outcome, answer

    def subscribe(self, token):
        outcome, answer = self.join(token)
        assert outcome == "ok", answer
        return answer["subscription"]

    def read(self):
        """One read of the feed; returns how many frames came."""
        count = 0
        for subscriptions, frame, cursor in self.world.run(
                "SELECT subscriptions, frame, cursor FROM kintaraa_api.feed_next(%s, %s)",
                self.gateway, self.cursor, connection=self.connection):
            if frame is None:
                self.cursor = cursor
                continue
            count += 1
            self.columns.append(cursor)
            for subscription in subscriptions:
                self.frames.setdefault(subscription, []).append(json.loads(frame))
        return count

    def read_to(self, tick):
        """Reads until it has reached that tick."""
        if self.cursor < tick:
            self.read()
        return self.cursor >= tick

    def take(self, subscription):
        frames = self.frames.get(subscription, [])
        self.frames[subscription] = []
        return frames

    def close(self):
        self.connection.close()
