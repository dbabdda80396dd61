#!/usr/bin/python3
"""Holds our tokens against python3-jwt, libjwt and jose: what we sign they accept, what is forged we refuse."""
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOKENS = os.path.join(HERE, "tokens")
sys.path[:0] = [os.path.dirname(HERE), TOKENS]

import jwt  # noqa: E402

import forgeries  # noqa: E402
from harness import Tap  # noqa: E402

BUILD = os.path.join(ROOT, ".build", "tokens")
NODE = os.path.join(ROOT, ".build", "node", "tokens")
KEYS = [os.path.join(ROOT, "extension", "keys", name + ".c")
        for name in ("base64url", "blind", "es256", "hash", "jws", "keyring", "keyring_file", "random", "refresh")]
ROLES = ["survivor", "provider", "dispatcher", "admin", "analyst"]
NOW = int(time.time())

tap = Tap()


def run(command, lines=(), **options):
    """The lines that a command prints for the lines it reads."""
    done = subprocess.run(command, input="".join(line + "\n" for line in lines), text=True,
                          stdout=subprocess.PIPE, check=True, timeout=120, **options)
    return done.stdout.splitlines()


def hexed(tokens):
    return [token.encode("latin-1").hex() for token in tokens]


def compile_program(source, libs, sources=()):
    program = os.path.join(BUILD, os.path.splitext(source)[0])
    run(["gcc", "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
         "-I" + os.path.join(ROOT, "extension"), os.path.join(TOKENS, source), *sources, "-o", program,
         *("-l" + lib for lib in libs)])
    return program


def install_jose():
    """The folder of the script, with the packages of its lock file beside it."""
    os.makedirs(NODE, exist_ok=True)
    for name in ("package.json", "package-lock.json", "jose_check.mjs"):
        shutil.copy(os.path.join(TOKENS, name), NODE)
    run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=NODE)


class Ours:
    """jws_tool on one key ring."""

    def __init__(self, program, ring):
        self.program, self.ring = program, ring
        run([program, ring, "create"])

    def __call__(self, verb, lines=(), *more):
        return run([self.program, self.ring, verb, *more], lines)

    def jwks(self):
        return json.loads(self("jwks")[0])

    def sign(self, data):
        return forgeries.decode(self("raw", [data.hex()])[0])

    def verify(self, tokens, now=NOW):
        return self("verify", hexed(tokens), str(now))


def pyjwt_accepts(token, jwks):
    try:
        kid = jwt.get_unverified_header(token)["kid"]
        key = next(key for key in jwks["keys"] if key["kid"] == kid)
        return jwt.decode(token, jwt.PyJWK(key).key, algorithms=["ES256"], issuer="kintaraa",
                          audience="kintaraa", options={"require": ["exp", "iat", "sub", "sid"]})
    except Exception:  # what a library raises on hostile bytes is its own affair: it did not accept
        return None


def libjwt_accepts(program, tokens, jwk):
    pem = os.path.join(BUILD, "public.pem")
    with open(pem, "wb") as file:
        file.write(forgeries.pem_of(jwk))
    return [line == "ok" for line in run([program, pem], hexed(tokens))]


def jose_accepts(tokens, jwks):
    path = os.path.join(BUILD, "jwks.json")
    with open(path, "w") as file:
        json.dump(jwks, file)
    return [line == "ok" for line in run(["node", "jose_check.mjs", path], hexed(tokens), cwd=NODE)]


def lines_to_sign(count):
    return ["%s %s %s %d %d" % (uuid.uuid4(), uuid.uuid4(), random.choice(ROLES), NOW - 5, NOW + 900)
            for _ in range(count)]


def check_jwks(ours):
    jwks = ours.jwks()
    thumb = json.dumps({name: jwks["keys"][0][name] for name in ("crv", "kty", "x", "y")}, separators=(",", ":"))
    digest = hashlib.sha256(thumb.encode()).digest()
    tap.equal(sorted(jwks["keys"][0]), ["alg", "crv", "kid", "kty", "use", "x", "y"],
              "the public keys say what they are for and hold nothing private")
    tap.equal(jwks["keys"][0]["kid"], forgeries.encode(digest[:12]), "a key is named by its thumbprint")


def check_accepted(ours):
    jwks, lines = ours.jwks(), lines_to_sign(200)
    tokens = ours("sign", lines)
    tap.equal(set(ours.verify(tokens)), {"ok"}, "200 tokens are accepted by ourselves")
    told = []
    for token in tokens:
        claims = pyjwt_accepts(token, jwks)
        told.append(claims and "%s %s %s %d %d" % tuple(claims[name] for name in ("sub", "sid", "role", "iat", "exp")))
    tap.equal(told, lines, "they are accepted by python3-jwt, claim by claim")
    tap.ok(all(jose_accepts(tokens, jwks)), "they are accepted by jose")
    tap.equal([ours.verify(tokens[:1], now) for now in (NOW - 6, NOW - 5, NOW + 899, NOW + 900)],
              [["early"], ["ok"], ["ok"], ["expired"]], "they begin with iat and end with exp, to the second")


def check_libjwt(ours, libjwt):
    """libjwt 1.10 refuses every typ but JWT, so it is shown our words, our signature and its own typ."""
    jwks, tokens = ours.jwks(), ours("sign", lines_to_sign(50))
    valid = [forgeries.Valid(token, jwks, ours.sign) for token in tokens]
    retyped = [v.head_with(typ="JWT") for v in valid]
    tap.ok(all(libjwt_accepts(libjwt, retyped, jwks["keys"][0])),
           "50 tokens under its own typ are accepted by libjwt")
    tap.ok(not any(libjwt_accepts(libjwt, [token[:-8] + "AAAAAAAA" for token in retyped], jwks["keys"][0])),
           "with another signature they are not")
    tap.equal(any(libjwt_accepts(libjwt, tokens, jwks["keys"][0])), json.loads(valid[0].header)["typ"] == "JWT",
              "under any other typ libjwt accepts none, whoever signed")


def check_rotation(ours):
    """Leaves two signing keys in the ring."""
    old = ours("sign", lines_to_sign(3))
    ours("add")
    jwks, new = ours.jwks(), ours("sign", lines_to_sign(3))
    tap.equal(len(jwks["keys"]), 2, "after a rotation both public keys are told")
    tap.equal(jwt.get_unverified_header(new[0])["kid"], jwks["keys"][0]["kid"],
              "the newest key signs and is told first")
    tap.equal(set(ours.verify(old + new)), {"ok"}, "tokens of both keys are accepted by ourselves")
    tap.ok(all(pyjwt_accepts(token, jwks) for token in old + new), "and by python3-jwt, which picks the key by name")
    tap.ok(all(jose_accepts(old + new, jwks)), "and by jose")


def check_signed_by_others(ours):
    """A token in our spelling counts by its words and signature, whoever put it together."""
    v = forgeries.Valid(ours("sign", lines_to_sign(1))[0], ours.jwks(), ours.sign)
    tap.equal(ours.verify([v.put(v.header, v.payload)]), ["ok"], "the same words signed again are accepted")
    v.sign = forgeries.signer_of(ours.ring)
    tap.equal(ours.verify([v.put(v.header, v.payload)]), ["ok"], "signed outside with the file's key too")
    tap.equal(ours.verify([v.body_with(role="survivor")]), ["ok"], "json.dumps without blanks is our spelling")


def check_forgeries(ours, libjwt):
    jwks, valid = ours.jwks(), ours("sign", lines_to_sign(1))[0]
    forged = forgeries.forgeries(valid, jwks, ours.sign)
    unsigned = forgeries.forgeries(valid, jwks)
    tokens = [token for _, token in forged]
    verdicts = ours.verify(tokens)
    tap.ok(len(forged) >= 40, "there are %d forged tokens" % len(forged))
    for (name, _), verdict in zip(forged, verdicts):
        tap.ok(verdict != "ok", "%s: refused for its %s" % (name, verdict))
    tap.ok("ok" not in ours.verify([token for _, token in unsigned]),
           "all of them are refused too when made without our key")
    tap.equal(ours.verify([valid]), ["ok"], "the token they were made of is still accepted")
    tell_differences(forged, libjwt_accepts(libjwt, tokens, jwks["keys"][0]), "libjwt alone")
    tell_differences(forged, [bool(pyjwt_accepts(token, jwks)) for token in tokens], "python3-jwt")
    tell_differences(forged, jose_accepts(tokens, jwks), "jose")


def tell_differences(forged, accepted, library):
    """Others may be more lenient; nobody who relies on one should be surprised by it."""
    names = [name for (name, _), taken in zip(forged, accepted) if taken]
    tap.note("%s accepts %d of %d that we refuse" % (library, len(names), len(forged)))
    for name in names:
        tap.note("    " + name)


def main():
    os.makedirs(BUILD, exist_ok=True)
    tool = compile_program("jws_tool.c", ["crypto"], KEYS)
    libjwt = compile_program("libjwt_check.c", ["jwt"])
    install_jose()
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(tool, os.path.join(folder, "ring"))
        check_jwks(ours)
        check_accepted(ours)
        check_libjwt(ours, libjwt)
        check_rotation(ours)
        check_signed_by_others(ours)
        check_forgeries(ours, libjwt)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
