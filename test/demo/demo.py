"""The main job, played on a running instance with real places and real facilities, and printed.

    demo.py RUN_FOLDER      RUN_FOLDER holds gateway.env and psql, as make run leaves them

Survivors report from places in Kenya, some from an offline queue with repeats and a lost answer; the extension
routes each need among all facilities; helpers hear of it on WebSockets, one declines, one lets its offer lapse, the
next accepts; the survivor sees the status. Ends with latencies and a check that nothing was lost or doubled.
Exit status 0 only when the check holds.
"""
import json
import math
import os
import secrets
import socket
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import Api, Socket, wait_until  # noqa: E402

PLACES = [
    ("Kibera, Nairobi", -1.3133, 36.7876),
    ("Likoni, Mombasa", -4.0837, 39.6560),
    ("Nyalenda, Kisumu", -0.1172, 34.7617),
    ("Langas, Eldoret", 0.4856, 35.2680),
    ("Lodwar, Turkana", 3.1191, 35.5973),
    ("Garissa town", -0.4532, 39.6461),
]
TEAMS = [  # demo data: the open data set knows health facilities only
    ("police", "Gender desk"), ("legal", "Legal aid"), ("counseling", "Counselling team"),
    ("social", "Social services"), ("gbv_rescue", "Rescue centre"), ("chw", "Community health team"),
]
QUICK = 0.06  # minutes an urgent offer stays open while the demo runs


class Instance:
    """The running gateway and the administrator's psql."""

    def __init__(self, folder):
        self.folder = folder
        settings = dict(line.rstrip("\n").split("=", 1) for line in open(os.path.join(folder, "gateway.env")))
        self.host, port = settings["KINTARAA_LISTEN"].rsplit(":", 1)
        self.port = int(port)
        self.ws = f"ws://{self.host}:{self.port}/ws"
        self.api = Api(self.host, self.port)

    def sql(self, text):
        """Rows of a query as lists of strings, as the DBA."""
        done = subprocess.run([os.path.join(self.folder, "psql"), "-d", "kintaraa", "-XAtqF", "\t", "-v",
                               "ON_ERROR_STOP=1", "-c", text], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"the demo's query failed: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def ok(self, answer, *statuses):
        if answer.status not in (statuses or (200, 201, 204)):
            raise SystemExit(f"the demo expected {statuses or '2xx'} and got {answer.status}: {answer.body}")
        return answer.body


class Cast:
    """Accounts of the demo; kept in accounts.json so that people can use them."""

    def __init__(self, instance):
        self.on = instance
        self.path = os.path.join(instance.folder, "accounts.json")
        self.accounts = json.load(open(self.path)) if os.path.exists(self.path) else []
        self.tokens = {}

    def save(self):
        descriptor = os.open(self.path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as out:
            json.dump(self.accounts, out, indent=1)
        os.replace(self.path + ".new", self.path)

    def sign_in(self, account):
        body = self.on.ok(self.on.api.post("/api/auth/login", {"email": account["email"],
                                                               "password": account["password"]}))
        return body["tokens"]["access"]

    def find(self, role, provider_type=None, team=None):
        for account in self.accounts:
            if (account["role"], account["providerType"]) == (role, provider_type) and \
                    (team is None or account.get("providerId") == team):
                return account
        return None

    def join(self, role, name, code=None, provider_type=None, language="en"):
        """Registers somebody; returns a token."""
        password = secrets.token_urlsafe(12)
        email = f"{name}.{secrets.token_hex(3)}@demo.kintaraa.example".lower().replace(" ", ".")
        body = {"email": email, "password": password, "firstName": name.split()[0].title(), "lastName": "Demo",
                "language": language}
        if code:
            body.update(role=role, invitation=code)
        answer = self.on.ok(self.on.api.post("/api/auth/register", body), 201)
        self.accounts.append({"email": email, "password": password, "role": role, "providerType": provider_type,
                              "providerId": answer["user"].get("providerId")})
        self.save()
        return answer["tokens"]["access"]

    def get(self, role, name, make_code=None):
        account = self.find(role)
        return self.sign_in(account) if account else self.join(role, name, make_code() if make_code else None)

    def admin(self):
        return self.get("admin", "admin", lambda: self.on.sql("SELECT kintaraa.invite('admin')")[0][0])

    def invite(self, admin, body):
        return self.on.ok(self.on.api.post("/api/admin/invitations", body, token=admin), 201)

    def team(self, admin, provider_type, provider=None, place=None):
        """Staff of a facility, or of a demo team that is made at a place; returns (team id, token)."""
        known = self.find("provider", provider_type, provider) if provider else None
        if known:
            return provider, self.sign_in(known)
        body = {"role": "provider"}
        if provider:
            body["providerId"] = provider
        else:
            town, latitude, longitude = place
            title = dict(TEAMS)[provider_type]
            body["provider"] = {"name": f"{title}, {town} (demo)", "providerType": provider_type,
                                "organisation": f"{title} (demo)", "latitude": latitude, "longitude": longitude,
                                "capacity": 50}
        invited = self.invite(admin, body)
        team = invited["invitation"]["providerId"]
        return team, self.join("provider", provider_type, invited["code"], provider_type)


def open_socket(on, token):
    """A socket that was welcomed; while the service starts it says 1013, and a client comes again."""
    def welcomed():
        line = Socket(None, token, url=on.ws)
        try:
            line.expect("hello.result", 5)
        except AssertionError:
            line.close()
            raise
        return line
    return wait_until(welcomed, 30)


class Helper:
    """A team's staff with an open socket that notes when news arrived."""

    def __init__(self, instance, team, token, name):
        self.on, self.team, self.token, self.name = instance, team, token, name
        self.socket = open_socket(instance, token)

    def offer(self, incident, deadline=15):
        frame = self.socket.expect("assignment.new", deadline,
                                   where=lambda f: f["assignment"]["incidentId"] == incident)
        return dict(frame["assignment"], arrived=self.socket.arrived[id(frame)])

    def act(self, assignment, verb, body=None):
        return self.on.ok(self.on.api.post(f"/api/assignments/{assignment['id']}/{verb}", body, token=self.token))


def say(text=""):
    print(text, flush=True)


def title(text):
    say(f"\n── {text} " + "─" * max(3, 96 - len(text)))


def report(place, services, urgency, kind="physical", **more):
    name, latitude, longitude = place
    return {"id": str(uuid.uuid4()), "type": kind, "incidentDate": time.strftime("%Y-%m-%d"),
            "description": "Written offline by a person in need.", "urgencyLevel": urgency,
            "supportServices": services, "isAnonymous": more.get("anonymous", False),
            "location": {"address": name, "source": "gps",
                         "coordinates": {"latitude": latitude, "longitude": longitude}},
            "providerPreferences": {"communicationMethod": "secure_message", "preferredGender": "no_preference"}}


def send_and_lose_the_answer(on, token, body):
    """The request arrives, the connection breaks before the answer does."""
    text = json.dumps(body).encode()
    with socket.create_connection((on.host, on.port)) as line:
        line.sendall(b"POST /api/incidents HTTP/1.1\r\nHost: demo\r\nAuthorization: Bearer " + token.encode() +
                     b"\r\nContent-Length: " + str(len(text)).encode() + b"\r\n\r\n" + text)
        line.shutdown(socket.SHUT_WR)


def set_urgent_minutes(on, admin, minutes):
    """A new version of the escalation policy; running needs keep theirs."""
    current = on.ok(on.api.get("/api/admin/policies/escalation", token=admin))
    body = current["policy"]["body"] if "policy" in current else current["body"]
    kept = json.loads(json.dumps(body))
    for level in body["urgent"]["levels"][:2]:
        level["minutes"] = minutes
    on.ok(on.api.put("/api/admin/policies/escalation", {"body": body}, token=admin))
    return kept


def cell_of(degrees):
    """Routing of all but rescue needs works from the centre of a cell of about 5 km."""
    return (math.floor(degrees / 0.045) + 0.5) * 0.045


def staff_the_nearest(on, cast, admin, place, k, helpers):
    """Staff with open sockets for the k facilities that a report from the place reaches first."""
    tokens = {}
    for (facility,) in on.sql("SELECT provider_id FROM kintaraa.route_trace('medical', 'urgent', "
                              f"{cell_of(place[1])}, {cell_of(place[2])}, {k}, "
                              "preferred_languages => '{en}')"):
        if facility not in helpers:
            team, tokens[facility] = cast.team(admin, "healthcare", facility)
    open_sockets(on, tokens, helpers)


def open_sockets(on, tokens, helpers):
    if not tokens:
        return
    names = dict(on.sql(f"SELECT id, name FROM kintaraa.provider WHERE id = ANY ('{{{','.join(tokens)}}}')"))
    for team, token in tokens.items():
        on.ok(on.api.patch("/api/providers/me", {"languages": ["en", "sw"]}, token=token))
        helpers[team] = Helper(on, team, token, names[team])


def gather_helpers(on, cast, admin):
    title("Who helps")
    count = on.sql("SELECT count(*) FROM kintaraa.provider WHERE NOT is_demo AND provider_type = 'healthcare'")[0]
    say(f"{count[0]} real public health facilities are loaded. Staff join the ones these reports will reach;")
    say("the others are reached by telephone through the dispatch centre. Other teams are demo data.")
    helpers, tokens = {}, {}
    for number, (provider_type, _) in enumerate(TEAMS):
        known = cast.find("provider", provider_type)
        team, token = (known["providerId"], cast.sign_in(known)) if known else \
            cast.team(admin, provider_type, place=PLACES[number % len(PLACES)])
        tokens[team] = token
    open_sockets(on, tokens, helpers)
    for place in PLACES:
        staff_the_nearest(on, cast, admin, place, 3, helpers)
    say(f"{len(helpers)} teams are on their WebSockets.")
    return helpers


def flush_offline_queue(on, cast, latencies):
    title("Survivors report, some of them offline until now")
    sent = []
    for number, place in enumerate(PLACES):
        token = cast.join("survivor", f"survivor{number}", language="sw" if number % 2 else "en")
        services = [["medical"], ["medical", "police"], ["counseling"], ["medical", "legal"], ["emergency"],
                    []][number]
        body = report(place, services, ["urgent", "immediate", "routine"][number % 3],
                      kind=["physical", "sexual", "emotional"][number % 3], anonymous=number == 1)
        if number == 0:
            send_and_lose_the_answer(on, token, body)
        for repeat in range(3 if number == 0 else 2 if number == 1 else 1):
            began = time.monotonic()
            answer = on.api.post("/api/incidents", body, token=token)
            latencies.setdefault("create, or replay", []).append(time.monotonic() - began)
            on.ok(answer, 200, 201)
            if repeat == 0:
                first = answer
        note = "" if first.status == 201 else "  (had arrived although its answer was lost)"
        sent.append((body, token, first.body))
        say(f"{place[0]:18} {first.body['caseNumber']}  {', '.join(services) or 'no service named':18} "
            f"{first.body['urgencyLevel']:9} {first.status}{note}")
    say("Each answer names the hotlines: " +
        ", ".join(f"{h['number']} {h['name']}" for h in sent[0][2]["hotlines"]))
    return sent


def is_case(body):
    """What of row i of a report says that it is this one: the id she sent lies there as a keyed index."""
    return f"i.client_key = kintaraa.client_key(i.owner_id, 'incident', '{body['id']}')"


def show_routes(on, sent):
    title("Where each need went, and why (minutes)")
    for body, _, _ in sent:
        rows = on.sql("SELECT i.case_number, a.service, p.name, round(a.distance_km::numeric, 1), "
                      "round(a.cost_minutes::numeric, 1), a.components ->> 'travel', a.components ->> 'ack', "
                      "a.components ->> 'mismatch', p.by_telephone AND NOT EXISTS (SELECT FROM kintaraa.account s "
                      "WHERE s.provider_id = p.id) FROM kintaraa.assignment a "
                      "JOIN kintaraa.provider p ON p.id = a.provider_id "
                      "JOIN kintaraa.incident i ON i.id = a.incident_bucket "
                      f"WHERE {is_case(body)} ORDER BY a.service, a.cost_minutes")
        for case, service, name, km, cost, travel, ack, mismatch, telephone in rows:
            say(f"{case} {service:10} {name[:40]:40} {km:>5} km, cost {cost:>5} = travel {float(travel):4.1f}"
                f" + answer {float(ack):4.1f} + preference {float(mismatch):4.1f}"
                f"{'  (by telephone)' if telephone == 't' else ''}")
        waiting = on.sql("SELECT i.case_number, n.service FROM kintaraa.need n JOIN kintaraa.incident i "
                         f"ON i.id = n.bucket WHERE {is_case(body)} AND n.state = 'needs_dispatcher'")
        for case, service in waiting:
            say(f"{case} {service:10} nobody suitable in reach: a dispatcher has it, with a due time")


def one_case_to_its_end(on, cast, admin, helpers, latencies):
    title("One case: a refusal, a lapse, an acceptance")
    staff_the_nearest(on, cast, admin, PLACES[0], 8, helpers)
    token = cast.join("survivor", "survivor")
    survivor = open_socket(on, token)
    body = report(PLACES[0], ["medical"], "urgent")
    began = time.monotonic()
    case = on.ok(on.api.post("/api/incidents", body, token=token), 201)
    incident = on.sql(f"SELECT id FROM kintaraa.incident AS i WHERE {is_case(body)}")[0][0]
    asked = on.sql(f"SELECT provider_id FROM kintaraa.assignment WHERE incident_bucket = '{incident}' "
                   "ORDER BY cost_minutes")
    first, second = (helpers[row[0]] for row in asked[:2])
    offer, lapsing = first.offer(incident), second.offer(incident)
    latencies["report sent to frame at the helper"] = [offer["arrived"] - began, lapsing["arrived"] - began]
    say(f"{case['caseNumber']} is offered to {first.name} and {second.name} at once.")
    say(f"  what they see: {offer['service']}, {offer['urgencyLevel']}, {offer['distanceKm']} km, "
        f"no name, no story, no exact place")
    first.act(offer, "decline", {"reason": "capacity"})
    say(f"  {first.name} declines (she is never told).")
    say(f"  {second.name} does not answer; after {QUICK * 60:.0f} seconds the offer lapses.")
    third = wait_until(lambda: next((helpers[row[0]] for row in on.sql(
        f"SELECT provider_id FROM kintaraa.assignment WHERE incident_bucket = '{incident}' AND level = 2 "
        "AND status = 'pending' ORDER BY cost_minutes") if row[0] in helpers), None), 20)
    offer = third.offer(incident)
    began = time.monotonic()
    third.act(offer, "accept")
    frame = survivor.expect("incident.updated", 15, where=lambda f: f.get("status") == "in_progress")
    latencies["acceptance sent to frame at her"] = [survivor.arrived[id(frame)] - began]
    say(f"  {third.name} accepts. Her phone: status {frame['status']}, helper {frame['assignedProvider']}.")
    detail = on.ok(on.api.get(f"/api/incidents/{incident}", token=third.token))
    say(f"  Only now the team reads the report: “{detail['description']}”")
    late = on.api.post(f"/api/assignments/{lapsing['id']}/accept", token=second.token)
    gone = on.api.get(f"/api/incidents/{incident}", token=second.token)
    say(f"  {second.name} tries too late: {late.status}; the case itself is {gone.status} for it.")
    on.ok(on.api.post(f"/api/incidents/{incident}/status", {"status": "in_progress"}, token=third.token))
    on.ok(on.api.post(f"/api/incidents/{incident}/status", {"status": "completed", "reason": "helped"},
                     token=third.token))
    survivor.expect("incident.updated", 15, where=lambda f: f.get("status") == "completed")
    say("  The team helps and completes the case; she sees it.")
    shown = on.ok(on.api.get(f"/api/incidents/{body['id']}", token=token))
    return shown["status"] == "completed"


def check(on, sent, finished):
    title("Nothing lost, nothing doubled")
    ids = ",".join(f"'{body['id']}'" for body, _, _ in sent)
    rows = on.sql(f"SELECT count(*), count(DISTINCT client_key), count(DISTINCT case_number) FROM kintaraa.incident i "
                  f"JOIN unnest(ARRAY[{ids}]) AS n ON i.client_key = kintaraa.client_key(i.owner_id, 'incident', n)")[0]
    needs = on.sql("SELECT count(*) FROM kintaraa.need WHERE due_at IS NULL AND state NOT IN "
                   "('engaged', 'met', 'unmet', 'withdrawn')")[0][0]
    doubled = on.sql("SELECT count(*) FROM (SELECT need_id FROM kintaraa.assignment WHERE status = 'accepted' "
                     "GROUP BY need_id HAVING count(*) > 1) AS x")[0][0]
    wanted = [str(len(sent))] * 3
    say(f"reports sent {len(sent)}, stored {rows[0]}, different {rows[1]}, case numbers {rows[2]}")
    say(f"needs without owner and due time {needs}, needs with two helpers {doubled}")
    good = rows == wanted and needs == "0" and doubled == "0" and finished
    say("The main job holds." if good else "THE MAIN JOB DOES NOT HOLD.")
    return good


def print_latencies(latencies):
    title("Latencies on this machine (milliseconds)")
    for name, values in latencies.items():
        values = sorted(values)
        say(f"{name:34} n {len(values):3}  median {values[len(values) // 2] * 1000:8.1f}  "
            f"worst {values[-1] * 1000:8.1f}")


def main(folder):
    on = Instance(folder)
    cast = Cast(on)
    latencies = {}
    admin = cast.admin()
    cast.get("dispatcher", "dispatcher", lambda: cast.invite(admin, {"role": "dispatcher"})["code"])
    cast.get("analyst", "analyst", lambda: cast.invite(admin, {"role": "analyst"})["code"])
    helpers = gather_helpers(on, cast, admin)
    kept = set_urgent_minutes(on, admin, QUICK)
    try:
        sent = flush_offline_queue(on, cast, latencies)
        show_routes(on, sent)
        finished = one_case_to_its_end(on, cast, admin, helpers, latencies)
    finally:
        on.ok(on.api.put("/api/admin/policies/escalation", {"body": kept}, token=cast.admin()))
    good = check(on, sent, finished)
    print_latencies(latencies)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
