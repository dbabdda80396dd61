"""Forged access tokens, each with the reason why it is wrong.

    from forgeries import forgeries
    for name, token in forgeries(valid_token, jwks):
        assert refused(token), name

valid_token is an access token that is accepted, jwks the parsed set of public keys.  sign, when the caller
holds the signing key, makes the raw 64 byte signature of some bytes: then a token that is wrong in what it
says carries a true signature, and its words alone must get it refused.  Without sign it keeps the signature of
valid_token.  signer_of(path) makes one from a key ring file.  fits_header(token) tells which can be sent in a
header of HTTP.
"""
import base64
import hashlib
import hmac
import json
import re
import zlib

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
YEAR_9999 = 253402300799


def encode(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    return value.to_bytes(32, "big")


def fits_header(token):
    return bool(re.fullmatch(r"[\x21-\x7e]+", token))


def public_key(jwk):
    x, y = (int.from_bytes(decode(jwk[name]), "big") for name in "xy")
    return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()


def pem_of(jwk):
    return public_key(jwk).public_bytes(serialization.Encoding.PEM,
                                        serialization.PublicFormat.SubjectPublicKeyInfo)


def raw_signature(private_key, data, size=32, digest=None):
    """The signature of another key, r and s behind each other."""
    r, s = decode_dss_signature(private_key.sign(data, ec.ECDSA(digest or hashes.SHA256())))
    if size == 32 and s > ORDER // 2:
        s = ORDER - s
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def signer_of(path):
    """sign() by the newest signing key of a key ring file."""
    with open(path) as file:
        rows = [line.split() for line in file if line.startswith("sign ")]
    secret = decode(max(rows, key=lambda row: int(row[1]))[3])
    key = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    return lambda data: raw_signature(key, data)


class Valid:
    """A valid token taken apart, and ways to put others together."""

    def __init__(self, token, jwks, sign):
        self.token = token
        self.head64, self.body64, self.sig64 = token.split(".")
        self.header, self.payload = decode(self.head64).decode(), decode(self.body64).decode()
        self.claims = json.loads(self.payload)
        self.signature = decode(self.sig64)
        self.r, self.s = (int.from_bytes(part, "big") for part in (self.signature[:32], self.signature[32:]))
        kid = json.loads(self.header)["kid"]
        self.jwk = next(key for key in jwks["keys"] if key["kid"] == kid)
        self.sign = sign or (lambda data: self.signature)

    def put(self, header, payload, signature=None):
        """A token of any header and payload text, truly signed when that is possible."""
        data = encode(header) + "." + encode(payload)
        return data + "." + encode(self.sign(data.encode()) if signature is None else signature)

    def head(self, text):
        """With another header."""
        return self.put(text, self.payload)

    def head_with(self, **members):
        """With header members replaced, added, or left out (None)."""
        return self.head(changed(self.header, members))

    def body(self, text):
        """With another payload."""
        return self.put(self.header, text)

    def body_with(self, **members):
        return self.body(changed(self.payload, members))

    def body_text(self, member, text):
        """With the value of a member replaced by a text that json.dumps would not write."""
        old = json.dumps(self.claims[member])
        return self.body(self.payload.replace('"%s":%s' % (member, old), '"%s":%s' % (member, text)))

    def signed_by(self, private_key, **kwargs):
        data = self.head64 + "." + self.body64
        return data + "." + encode(raw_signature(private_key, data.encode(), **kwargs))

    def with_signature(self, signature):
        return "%s.%s.%s" % (self.head64, self.body64, encode(signature))


def changed(text, members):
    value = json.loads(text)
    for name, member in members.items():
        value.pop(name, None) if member is None else value.__setitem__(name, member)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def stray_bits(text):
    """Another spelling of the same bytes: bits set that carry nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1]


def algorithm_forgeries(v):
    jwk_text = json.dumps(v.jwk, separators=(",", ":"))
    secrets = [("the public key's PEM", pem_of(v.jwk)), ("the public key as a JWK", jwk_text.encode()),
               ("the public point", b"\x04" + decode(v.jwk["x"]) + decode(v.jwk["y"])),
               ("x", decode(v.jwk["x"])), ("an empty text", b""), ("the kid", v.jwk["kid"].encode())]

    for alg in ("none", "None", "NONE", "nOnE"):
        yield "alg %s without a signature: nobody vouches for it" % alg, \
            v.put(changed(v.header, {"alg": alg}), v.payload, b"")
    yield "alg none with the signature kept: the header chose the algorithm", v.head_with(alg="none")
    yield "no signature under alg ES256: nobody vouches for it", "%s.%s." % (v.head64, v.body64)
    for what, secret in secrets:
        data = encode(changed(v.header, {"alg": "HS256"})) + "." + v.body64
        yield "HS256 with %s as its secret: everybody knows that secret" % what, \
            data + "." + encode(hmac.new(secret, data.encode(), hashlib.sha256).digest())
    data = v.head64 + "." + v.body64
    yield "an HMAC under alg ES256: the signature is none", \
        data + "." + encode(hmac.new(pem_of(v.jwk), data.encode(), hashlib.sha256).digest() * 2)
    for alg in ("RS256", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "HS512", "es256", "ES256 ", "", "ES-256"):
        yield "alg %r: there is one algorithm" % alg, v.head_with(alg=alg)
    for alg in (0, True, ["ES256"], {"name": "ES256"}):
        yield "alg is %r: it is a string" % (alg,), v.head_with(alg=alg)
    yield "alg is null: it is a string", v.head(v.header.replace('"ES256"', "null"))
    yield "no alg: it must be said", v.head_with(alg=None)


def header_forgeries(v):
    own = ec.generate_private_key(ec.SECP256R1())
    numbers = own.public_key().public_numbers()
    own_jwk = {"kty": "EC", "crv": "P-256", "x": encode(number(numbers.x)), "y": encode(number(numbers.y))}
    kid = v.jwk["kid"]

    for bad in ("AAAAAAAAAAAAAAAA", kid[:-1], kid + "A", kid.swapcase(), "", "1", "../../../../dev/null",
                "/dev/null", "' OR '1'='1", "x' UNION SELECT secret FROM key --", "http://127.0.0.1/key",
                kid + "\x00", "A" * 600, kid + "\u00e9"):
        yield "kid %.40r: a key is found by its exact name only" % bad, v.head_with(kid=bad)
    for bad in (7, [kid], {"kid": kid}, True):
        yield "kid is %.40r: it is a string" % (bad,), v.head_with(kid=bad)
    yield "no kid: the key must be named", v.head_with(kid=None)
    for members in ({"jku": "http://127.0.0.1:1/jwks"}, {"x5u": "http://127.0.0.1:1/cert"}, {"jwk": own_jwk},
                    {"x5c": ["MIIB"]}, {"x5t": "AAAA"}, {"crit": ["exp"]}, {"crit": ["b64"], "b64": False},
                    {"cty": "JWT"}, {"zip": "DEF"}, {"enc": "A256GCM"}, {"nonce": "1"}, {"iss": "kintaraa"}):
        yield "a header with %s: nothing but alg, kid and typ is ours" % " and ".join(members), v.head_with(**members)
    header = changed(v.header, {"jwk": own_jwk, "kid": None})
    data = encode(header) + "." + v.body64
    yield "signed by the key it brings along: the bearer made it", \
        data + "." + encode(raw_signature(own, data.encode()))
    yield "signed by another key under our kid: we did not make it", v.signed_by(own)
    own_typ = json.loads(v.header)["typ"]
    for typ in {"JWT", "at+jwt", own_typ.swapcase(), "application/" + own_typ, own_typ + " ", "refresh", "", None,
                1} - {own_typ}:
        yield "typ %r: another kind of token" % (typ,), v.head_with(typ=typ)
    yield "alg twice, the second none: two readers would differ", \
        v.head(v.header.replace('"alg":"ES256"', '"alg":"ES256","alg":"none"'))
    yield "alg twice, the first none: two readers would differ", \
        v.head(v.header.replace('"alg":"ES256"', '"alg":"none","alg":"ES256"'))
    yield "kid twice: two readers would differ", \
        v.head(v.header.replace('"kid":', '"kid":"AAAAAAAAAAAAAAAA","kid":'))
    yield "alg under a second, escaped name: two readers would differ", \
        v.head(v.header.replace('{"alg"', '{"\\u0061lg":"none","alg"'))
    yield "alg under a name in capitals: some readers take it", v.head(v.header.replace('"alg"', '"ALG"'))
    yield "header members in another order: not our spelling", v.head(json.dumps(
        dict(reversed(json.loads(v.header).items())), separators=(",", ":")))
    yield "blanks in the header: not our spelling", v.head(json.dumps(json.loads(v.header)))
    yield "a line end before the header: not our spelling", v.head("\n" + v.header)
    yield "bytes behind the header's object: not our spelling", v.head(v.header + "{}")
    yield "a byte order mark before the header: not our spelling", v.head("\ufeff" + v.header)
    yield "a header that is an array: no header", v.head("[" + v.header + "]")
    yield "a header that is null: no header", v.head("null")
    yield "an empty header object: no header", v.head("{}")
    yield "a header cut short: no header", v.head(v.header[:-1])
    yield "a header nested a thousand deep: no header", v.head("[" * 300 + "]" * 300)
    yield "a header in another encoding: no header", \
        encode(v.header.encode("utf-16")) + "." + v.body64 + "." + v.sig64


def form_forgeries(v):
    token, head, body, sig = v.token, v.head64, v.body64, v.sig64

    yield "two segments: the signature is missing", head + "." + body
    yield "one segment: no token", head
    yield "four segments: no token of ours", token + "." + sig
    yield "five segments: an encrypted token", ".".join([head, "", body, body, sig])
    yield "an empty fourth segment: no token of ours", token + "."
    yield "a dot in front: the header is empty", "." + token
    yield "an empty header: no header", ".%s.%s" % (body, sig)
    yield "an empty payload: a detached one is not ours", "%s..%s" % (head, sig)
    yield "dots alone: no token", ".."
    yield "header and payload exchanged: no header", "%s.%s.%s" % (body, head, sig)
    yield "the token behind itself: no token", token + token
    yield "two tokens with a comma: no token", token + "," + token
    yield "the token in base64 once more: no token", encode(token)
    yield "the JSON form of a JWS: only the compact one is ours", json.dumps(
        {"protected": head, "payload": body, "signature": sig})
    yield "the scheme left in front: no token", "Bearer " + token
    yield "dots written as %2E: no token", token.replace(".", "%2E")
    yield "dots of another alphabet: no token", token.replace(".", "\u3002".encode().decode("latin-1"))
    for name, junk in (("a blank", " "), ("a line end", "\n"), ("a carriage return", "\r\n"), ("a zero byte", "\0"),
                       ("!!", "!!"), ("a digit", "A"), ("a comma", ","), ("a semicolon", ";x=1"), ("a quote", '"'),
                       ("a byte that is no text", "\xff")):
        yield "%s behind it: a second spelling" % name, token + junk
        yield "%s before it: a second spelling" % name, junk + token
        yield "%s inside the signature: a second spelling" % name, head + "." + body + "." + sig[:40] + junk + sig[40:]
    for name, place in (("header", 0), ("payload", 1), ("signature", 2)):
        parts = [head, body, sig]
        parts[place] += "=" * (-len(parts[place]) % 4 or 4)
        yield "a padded %s: a second spelling" % name, ".".join(parts)
    yield "stray bits in the signature: a second spelling of the same bytes", "%s.%s.%s" % (head, body, stray_bits(sig))
    for name, place in (("header", 0), ("payload", 1)):
        parts = [head, body]
        parts[place] = stray_bits(parts[place]) if len(parts[place]) % 4 else parts[place] + "A"
        yield "stray bits in the %s: a second spelling of the same bytes" % name, \
            ".".join(parts) + "." + encode(v.sign(".".join(parts).encode()))
    plain = base64.b64encode(b"\xfb\xff" + v.signature[2:]).decode().rstrip("=")
    yield "a signature in plain base64: another alphabet", "%s.%s.%s" % (head, body, plain)
    yield "a payload compressed: not our spelling", v.put(v.header, zlib.compress(v.payload.encode())[2:-4])
    yield "a token longer than any of ours", v.body_with(more="x" * 1024)
    yield "a token of many dots", "." * 1000
    yield "a token of many thousand bytes", "A" * 8000


def signature_forgeries(v):
    zero, own = bytes(32), ec.generate_private_key(ec.SECP256R1())
    other = ec.generate_private_key(ec.SECP384R1())
    koblitz = ec.generate_private_key(ec.SECP256K1())
    data = (v.head64 + "." + v.body64).encode()

    def integer(value):
        raw = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + bytes([len(raw)]) + raw

    der = integer(v.r) + integer(v.s)
    yield "r and s zero: fits every text where nobody looks", v.with_signature(zero + zero)
    yield "r zero: not a signature", v.with_signature(zero + v.signature[32:])
    yield "s zero: not a signature", v.with_signature(v.signature[:32] + zero)
    yield "r and s one: not a signature", v.with_signature(number(1) + number(1))
    yield "r equal to the order: out of range", v.with_signature(number(ORDER) + v.signature[32:])
    yield "s equal to the order: out of range", v.with_signature(v.signature[:32] + number(ORDER))
    yield "r plus the order modulo 2^256: out of range", \
        v.with_signature(number((v.r + ORDER) % 2 ** 256) + v.signature[32:])
    yield "s below the order by one: not a signature", v.with_signature(v.signature[:32] + number(ORDER - 1))
    yield "the other s: it fits, and is a second spelling", v.with_signature(v.signature[:32] + number(ORDER - v.s))
    yield "r and s exchanged: not a signature", v.with_signature(v.signature[32:] + v.signature[:32])
    yield "all bits set: out of range", v.with_signature(b"\xff" * 64)
    yield "a signature in DER: another form", v.with_signature(b"\x30" + bytes([len(der)]) + der)
    yield "a signature one byte short: another form", v.with_signature(v.signature[:63])
    yield "a signature one byte long: another form", v.with_signature(v.signature + b"\0")
    yield "a signature with a zero byte in front: another form", v.with_signature(b"\0" + v.signature)
    yield "r and s of 48 bytes, zeros in front: another form", \
        v.with_signature(bytes(16) + v.signature[:32] + bytes(16) + v.signature[32:])
    yield "a signature on P-384: another curve", v.signed_by(other, size=48, digest=hashes.SHA384())
    yield "a signature on secp256k1: another curve", v.signed_by(koblitz)
    yield "a signature by somebody else: we did not make it", v.signed_by(own)
    yield "a signature under SHA-512: another hash", v.signed_by(own, digest=hashes.SHA512())
    yield "the payload's signature without the header: the header is not vouched for", \
        v.with_signature(v.sign(v.body64.encode()) if v.sign(data) != v.signature else zero + zero)
    yield "the signature of the decoded text: another text", \
        v.with_signature(v.sign((v.header + "." + v.payload).encode()) if v.sign(data) != v.signature else zero * 2)
    for bit in (0, 255, 256, 511):
        turned = bytearray(v.signature)
        turned[bit // 8] ^= 0x80 >> bit % 8
        yield "bit %d of the signature turned: not a signature" % bit, v.with_signature(bytes(turned))


def stolen_forgeries(v):
    """Words changed under a signature made for others: what whoever holds a token can do."""
    def keep(**members):
        return "%s.%s.%s" % (v.head64, encode(changed(v.payload, members)), v.sig64)

    for role in ("admin", "dispatcher", "analyst", "provider", "survivor"):
        if role != v.claims["role"]:
            yield "role %s under the old signature: nobody gave it" % role, keep(role=role)
    yield "a later exp under the old signature: nobody gave it", keep(exp=v.claims["exp"] + 3600)
    yield "another sub under the old signature: another person", keep(sub="00000000-0000-4000-8000-000000000000")
    yield "another sid under the old signature: another session", keep(sid="00000000-0000-4000-8000-000000000000")
    yield "an earlier iat under the old signature: nobody gave it", keep(iat=v.claims["iat"] - 1)


def time_forgeries(v):
    iat, exp = v.claims["iat"], v.claims["exp"]

    for what, text in (("a string", '"%d"' % exp), ("a real", "%d.0" % exp), ("a real with an exponent", "%de0" % exp),
                       ("negative", "-%d" % exp), ("null", "null"), ("true", "true"), ("an array", "[%d]" % exp),
                       ("empty", ""), ("with a leading zero", "0%d" % exp), ("with a plus", "+%d" % exp),
                       ("beyond 32 bits twice", str(exp + 2 ** 64)), ("the largest 64 bit number", str(2 ** 63 - 1)),
                       ("of 300 digits", "9" * 300), ("after year 9999", str(YEAR_9999 + 1)), ("NaN", "NaN"),
                       ("Infinity", "Infinity"), ("hexadecimal", hex(exp)), ("zero", "0"),
                       ("with a blank", " %d" % exp)):
        yield "exp %s: it is a whole number of seconds" % what, v.body_text("exp", text)
    yield "exp in the past: it has ended", v.body_with(iat=iat - 7200, exp=iat - 3600)
    yield "exp before iat: it never lived", v.body_with(exp=iat - 1)
    yield "exp equal to iat: it never lived", v.body_with(exp=iat)
    yield "a life of a year: none of ours lives so long", v.body_with(exp=iat + 31536000)
    yield "no exp: it would never end", v.body_with(exp=None)
    yield "iat far in the future: it has not begun", v.body_with(iat=iat + 36000, exp=exp + 36000)
    for what, text in (("a string", '"%d"' % iat), ("a real", "%d.5" % iat), ("negative", "-1"), ("null", "null")):
        yield "iat %s: it is a whole number of seconds" % what, v.body_text("iat", text)
    yield "no iat: it must be said", v.body_with(iat=None)
    yield "a nbf beside: not our spelling", v.body_with(nbf=iat)


def claim_forgeries(v):
    sub, role = v.claims["sub"], v.claims["role"]
    letters = re.sub("[0-9]", "a", sub)

    for name in ("iss", "aud"):
        for bad in ("", "kintara", "kintaraa ", "Kintaraa", "https://kintaraa", None, ["kintaraa"],
                    ["kintaraa", "other"], {"kintaraa": True}, 0):
            yield "%s %r: not from us, or not for us" % (name, bad), v.body_with(**{name: bad})
    for bad in (letters.upper(), "{%s}" % sub, sub.replace("-", ""), sub[:-1], sub + "0", "urn:uuid:" + sub, "",
                "' OR 1=1 --", "../" + sub[3:], sub[:8] + "\u2010" + sub[9:], "g" + sub[1:], 1, None, [sub],
                sub + "\x00"):
        yield "sub %.50r: an id has one spelling" % (bad,), v.body_with(sub=bad)
        yield "sid %.50r: an id has one spelling" % (bad,), v.body_with(sid=bad)
    for bad in ("", "root", "superuser", role.upper(), role + " ", "admin,analyst", "administrator", "kintaraa_system",
                None, ["admin"], 1, "admin\x00"):
        yield "role %r: there is no such role" % (bad,), v.body_with(role=bad)
    yield "a member more: not our spelling", v.body_with(admin=True)
    yield "a prototype beside: not our spelling", v.body_with(__proto__={"role": "admin"})
    for name, second in (("sub", '"00000000-0000-4000-8000-000000000000"'), ("role", '"admin"'),
                         ("exp", str(v.claims["exp"] + 600))):
        yield "%s twice, the other first: two readers would differ" % name, \
            v.body(v.payload.replace('"%s":' % name, '"%s":%s,"%s":' % (name, second, name)))
        yield "%s twice, the other last: two readers would differ" % name, \
            v.body(v.payload[:-1] + ',"%s":%s}' % (name, second))
    yield "claims in another order: not our spelling", v.body(json.dumps(
        dict(reversed(v.claims.items())), separators=(",", ":")))
    yield "blanks between claims: not our spelling", v.body(json.dumps(v.claims))
    yield "a line end behind the claims: not our spelling", v.body(v.payload + "\n")
    yield "a comma behind the last claim: not our spelling", v.body(v.payload[:-1] + ",}")
    yield "a remark among the claims: not our spelling", v.body(v.payload.replace("{", "{/**/", 1))
    yield "a letter escaped: not our spelling", v.body(v.payload.replace("kintaraa", "k\\u0069ntaraa", 1))
    yield "bytes behind the claims: not our spelling", v.body(v.payload + v.payload)
    yield "a zero byte behind the claims: not our spelling", v.body(v.payload + "\0")
    yield "a zero byte among the claims: not our spelling", v.body(v.payload.replace(",", "\0,", 1))
    yield "a byte order mark before the claims: not our spelling", v.body("\ufeff" + v.payload)
    yield "bytes that are no UTF-8: no claims", \
        v.put(v.header, v.payload.encode().replace(b"kintaraa", b"kint\xffraa", 1))
    for text in ("", "{}", "[]", "null", '"%s"' % sub, "[%s]" % v.payload, v.payload[:-1], v.payload[1:], "{" * 300):
        yield "a payload of %.30s: no claims" % text, v.body(text)


def forgeries(valid_token, jwks, sign=None):
    v = Valid(valid_token, jwks, sign)
    made = [forgery for kind in (algorithm_forgeries, header_forgeries, form_forgeries, signature_forgeries,
                                 stolen_forgeries, time_forgeries, claim_forgeries) for forgery in kind(v)]
    seen = {}
    for name, token in made:
        assert token != valid_token, "%s is the valid token" % name
        assert name not in seen, "two forgeries are called %s" % name
        seen[name] = token
    return made
