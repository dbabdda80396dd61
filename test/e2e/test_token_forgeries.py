#!/usr/bin/python3
"""Forged access tokens, held against the door in the database and against the gateway.

Each one is tried with the gateway's own login, as whoever has stolen that password would, and over HTTP.
"""
import json
import os
import sys

import psycopg2
from cryptography.hazmat.primitives.asymmetric import ec

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "clients", "tokens")]
import forgeries  # noqa: E402
from harness import Cluster, Gateway, Tap  # noqa: E402

CALL = "SELECT outcome, body FROM kintaraa_api.%s(%%s, '{}', '{}', %%s, '{}')"
tap = Tap()


class Signer:
    """The cluster's own signing key, read where only the tests may: in its key ring file."""

    def __init__(self, folder):
        with open(os.path.join(folder, "keys", "keyring")) as file:
            lines = [line.split() for line in file]
        secret = next(line[3] for line in lines if line[0] == "sign")
        self.key = ec.derive_private_key(int.from_bytes(self.decode(secret), "big"), ec.SECP256R1())

    @staticmethod
    def decode(text):
        return bytes.fromhex(text) if len(text) == 64 else forgeries.decode(text)

    def __call__(self, data):
        return forgeries.raw_signature(self.key, data)

    def jwks(self, token):
        """The set as published, with the name the server gave to the key."""
        numbers = self.key.public_key().public_numbers()
        kid = json.loads(forgeries.decode(token.split(".")[0]))["kid"]
        return {"keys": [{"kty": "EC", "crv": "P-256", "kid": kid, "x": forgeries.encode(forgeries.number(numbers.x)),
                          "y": forgeries.encode(forgeries.number(numbers.y))}]}


def call(line, door, token, body=None):
    with line.cursor() as cursor:
        cursor.execute(CALL % door, (token, body and json.dumps(body)))
        return cursor.fetchone()


def refused_by_door(line, token):
    """Bytes that cannot be a text of the database are refused before the door."""
    try:
        outcome, body = call(line, "me_get", token)
    except (ValueError, UnicodeEncodeError):
        return True
    except psycopg2.Error as error:
        return error.pgcode.startswith("22")
    return outcome == "unknown" and body["code"] in ("KN101", "KN102", "KN103", "KN104") and "user" not in body


def refused_by_gateway(api, token):
    answer = api.get("/api/me", headers={"Authorization": "Bearer " + token})
    return answer.status in (400, 401, 431) and "user" not in str(answer.body)


def register(line):
    outcome, body = call(line, "auth_register", None,
                         {"email": "amina@example.org", "password": "three wet goats"})
    assert outcome == "created", body
    return body["tokens"]["access"]


def other_claims(v):
    """Truly signed, and yet nobody's: what only the database knows to be wrong."""
    stranger = "00000000-0000-4000-8000-000000000000"
    yield "another account of this session", v.body_with(sub=stranger)
    yield "another session of this account", v.body_with(sid=stranger)
    for role in ("admin", "dispatcher", "provider", "analyst"):
        yield "the role %s of a survivor" % role, v.body_with(role=role)


def check_door(cluster, line, token, made):
    kept = [name for name, forged in made if not refused_by_door(line, forged)]
    tap.equal(kept, [], "the door refuses each of %d forgeries" % len(made))
    tap.ok(len(made) >= 40, "there are at least forty")
    tap.equal(call(line, "me_get", token)[0], "ok", "and still takes the valid one")
    outcome, body = call(line, "account_list", token)
    tap.equal((outcome, body["code"]), ("refused", "KN201"), "which does not make her an administrator")


def check_claims(line, token, signer):
    v = forgeries.Valid(token, signer.jwks(token), signer)
    for name, forged in other_claims(v):
        tap.ok(refused_by_door(line, forged), "truly signed, and refused: " + name)
        for door in ("account_list", "setting_list"):
            tap.equal(call(line, door, forged)[0], "unknown", "nor does %s open: %s" % (door, name))


def check_old_session(cluster, line, token):
    cluster.psql("UPDATE kintaraa.session SET revoked_at = now(); SELECT kintaraa.change_flush()")
    tap.ok(refused_by_door(line, token), "a token whose session has ended is refused, cached or not")
    cluster.psql("UPDATE kintaraa.session SET revoked_at = NULL, expires_at = now(); SELECT kintaraa.change_flush()")
    tap.ok(refused_by_door(line, token), "so is one whose session has expired")
    cluster.psql("UPDATE kintaraa.session SET expires_at = now() + interval '1 day'; SELECT kintaraa.change_flush()")
    tap.equal(call(line, "me_get", token)[0], "ok", "a session that lives opens again")
    # all of them: also the last dispatcher, who else would stay
    cluster.psql("ALTER TABLE kintaraa.account DISABLE TRIGGER dispatcher_moved;"
                 "UPDATE kintaraa.account SET is_active = false; SELECT kintaraa.change_flush();"
                 "ALTER TABLE kintaraa.account ENABLE TRIGGER dispatcher_moved")
    tap.ok(refused_by_door(line, token), "an account switched off does not")
    cluster.psql("UPDATE kintaraa.account SET is_active = true; SELECT kintaraa.change_flush()")


def check_gateway(cluster, token, made):
    with Gateway(cluster) as gateway:
        api = gateway.api()
        sent = [(name, forged) for name, forged in made if forgeries.fits_header(forged)]
        kept = [name for name, forged in sent if not refused_by_gateway(api, forged)]
        tap.equal(kept, [], "the gateway refuses each of the %d that fit a header" % len(sent))
        tap.equal(api.get("/api/me", token=token).status, 200, "and still takes the valid one")
        tap.ok(token.split(".")[2] not in gateway.log(), "no log holds a token")


def main():
    with Cluster("forgeries") as cluster:
        line = psycopg2.connect(cluster.gateway_dsn)
        line.autocommit = True
        token = register(line)
        signer = Signer(cluster.folder)
        made = forgeries.forgeries(token, signer.jwks(token), signer)
        check_door(cluster, line, token, made)
        check_claims(line, token, signer)
        check_old_session(cluster, line, token)
        if "door" not in sys.argv[1:]:
            check_gateway(cluster, token, made)
        line.close()
        return tap.done()


sys.exit(main())
