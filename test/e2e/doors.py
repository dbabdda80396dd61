"""A database of stand-in doors for tests of the gateway by itself, and tokens it accepts.

    with Cluster() as cluster, Doors(cluster) as doors, Gateway(doors) as gateway:
        api = gateway.api(token=doors.token())

The doors are those of test/http/doors.sql: what they shall do is said in the body or the query.
"""
import base64
import json
import os
import sys
import time
import uuid

import psycopg2.extensions
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
SCRIPT = os.path.join(HERE, "..", "http", "doors.sql")


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """A key as the extension makes them, and compact tokens signed with it."""

    def __init__(self, kid=None):
        self.kid = kid or uuid.uuid4().hex[:16]
        self.key = ec.generate_private_key(ec.SECP256R1())

    def jwk(self):
        numbers = self.key.public_key().public_numbers()
        return {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.kid,
                "x": base64url(numbers.x.to_bytes(32, "big")), "y": base64url(numbers.y.to_bytes(32, "big"))}

    def sign(self, text):
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return base64url(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def header(self):
        return '{"alg":"ES256","kid":"%s","typ":"JWT"}' % self.kid

    def token(self, role="survivor", lasts=900, header=None, **claims):
        now = int(time.time())
        payload = {"iss": "kintaraa", "aud": "kintaraa", "sub": str(uuid.uuid4()),
                   "sid": str(uuid.uuid4()), "role": role, "iat": now, "exp": now + lasts}
        payload.update(claims)
        payload = {name: value for name, value in payload.items() if value is not None}
        text = "%s.%s" % (base64url((header or self.header()).encode()),
                          base64url(json.dumps(payload, separators=(",", ":")).encode()))
        return "%s.%s" % (text, self.sign(text))


class Doors:
    """Looks like a cluster to Gateway()."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.signer = Signer()
        cluster.psql("CREATE DATABASE doors")
        with open(SCRIPT) as file:
            statements = [line for line in file if not line.startswith("\\")]
        self.psql("".join(statements))
        self.keys(self.signer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def gateway_dsn(self):
        return psycopg2.extensions.make_dsn(self.cluster.gateway_dsn, dbname="doors")

    def psql(self, sql, args=None):
        return self.cluster.psql(sql, args, database="doors")

    def value(self, sql, args=None):
        return self.psql(sql, args)[0][0]

    def connect(self):
        return self.cluster.connect(database="doors")

    def keys(self, *signers):
        """The keys the door jwks tells of."""
        self.psql("UPDATE kintaraa_api.jwk SET set = %s",
                  [json.dumps({"keys": [signer.jwk() for signer in signers]})])

    def token(self, role="survivor", lasts=900, **claims):
        return self.signer.token(role, lasts, **claims)

    def tell(self, frame, topic=None):
        self.psql("CALL kintaraa_api.tell(%s, %s)", [topic, json.dumps(frame)])

    def is_waiting_for(self, mark):
        """Is a statement of the gateway asleep?  mark is part of its door."""
        return self.value("SELECT count(*) FROM pg_stat_activity WHERE datname = 'doors' AND "
                          "application_name LIKE 'kintaraa-%%' AND state = 'active' AND query LIKE %s "
                          "AND wait_event = 'PgSleep'", ["%" + mark + "%"])


def metric(gateway, name, label=None):
    """One number from /metrics; 0 when it is not there."""
    wanted = "kintaraa_gateway_" + name + ("{%s}" % label if label else "")
    for line in gateway.api().get("/metrics").body.decode().splitlines():
        if line.startswith(wanted + " "):
            return float(line.rpartition(" ")[2])
    return 0
