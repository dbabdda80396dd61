"""TLS: versions, keep-alive, sockets, the handshake's deadline, and a new certificate without a restart."""
import asyncio
import datetime
import http.client
import ipaddress
import json
import os
import shutil
import signal
import socket
import ssl
import sys
import tempfile
import time

import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors
from harness import Cluster, Gateway, free_port, run_tests, wait_until


def certificate_make(name):
    """Writes cert.pem and key.pem and returns the serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.utcnow()
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=30))
                   .add_extension(x509.SubjectAlternativeName([here]), False)
                   .sign(key, hashes.SHA256()))
    for file, data in (("cert.pem", certificate.public_bytes(serialization.Encoding.PEM)),
                       ("key.pem", key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                     serialization.NoEncryption()))):
        with open(os.path.join(folder, file), "wb") as out:
            out.write(data)
        os.chmod(os.path.join(folder, file), 0o644)
    return certificate.serial_number


def client(**how):
    context = ssl.create_default_context(cafile=os.path.join(folder, "cert.pem"))
    for name, value in how.items():
        setattr(context, name, value)
    return context


def dial(context=None):
    plain = socket.create_connection((gateway.host, gateway.port), timeout=10)
    return (context or client()).wrap_socket(plain, server_hostname="127.0.0.1")


def get(path="/healthz"):
    connection = http.client.HTTPSConnection(gateway.host, gateway.port, timeout=10, context=client())
    try:
        connection.request("GET", path, headers={"Authorization": "Bearer " + token})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


class TlsGateway(Gateway):
    def wait_ready(self, deadline=None):
        wait_until(lambda: is_serving(self), deadline)


def is_serving(one):
    try:
        with socket.create_connection((one.host, one.port), timeout=2) as plain:
            with client().wrap_socket(plain, server_hostname="127.0.0.1") as wire:
                wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return b"200" in wire.recv(100)
    except OSError:
        return False


def test_answers_come_over_tls_with_hsts():
    status, headers, body = get("/api/me")
    assert status == 200 and json.loads(body)["token"] == token
    assert headers["Strict-Transport-Security"].startswith("max-age=")


def test_versions_below_1_2_are_refused():
    for version, works in ((ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, True),
                           (ssl.TLSVersion.TLSv1_1, False)):
        context = client()
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        try:
            with dial(context) as wire:
                assert works and wire.version(), version
        except (ssl.SSLError, ConnectionError):
            assert not works, version


def test_one_connection_carries_many_requests_quickly():
    with dial() as wire:
        begin = time.monotonic()
        for _ in range(50):
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b'{"status":"ok"}' not in got:
                got += wire.recv(4096)
        assert time.monotonic() - begin < 1.5, "each answer waited for an acknowledgement"


def test_large_answer_arrives_whole():
    status, _, body = get("/api/incidents?bytes=3000000")
    assert status == 200 and len(body) == 3000002, (status, len(body))


def test_silent_handshake_is_ended():
    with socket.create_connection((gateway.host, gateway.port), timeout=20) as wire:
        begin = time.monotonic()
        assert wire.recv(1) == b""
        assert 8 < time.monotonic() - begin < 15


def test_plain_words_are_no_handshake():
    with socket.create_connection((gateway.host, gateway.port), timeout=10) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            got = wire.recv(100)
        except ConnectionError:
            got = b""
        assert b"HTTP" not in got


def test_refused_request_over_tls_gets_its_answer():
    with dial() as wire:
        wire.sendall(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 20000)
        assert b" 413 " in wire.recv(100)


def test_socket_works_over_tls():
    async def talk():
        async with websockets.connect("wss://127.0.0.1:%d/ws" % gateway.port, ssl=client()) as wire:
            await wire.send(json.dumps({"type": "hello", "token": token}))
            assert json.loads(await wire.recv())["type"] == "hello.result"
            for i in range(20):
                doors.tell({"type": "n", "n": i, "x": "y" * 20000})
            got = [json.loads(await asyncio.wait_for(wire.recv(), 10))["n"] for _ in range(20)]
            assert got == list(range(20)), got
    asyncio.run(talk())


def test_new_certificate_is_taken_on_sighup_and_a_broken_one_is_not():
    serial = certificate_make("renewed")

    def shown():
        with dial(ssl._create_unverified_context()) as wire:
            return x509.load_der_x509_certificate(wire.getpeercert(True)).serial_number
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: shown() == serial)
    with open(os.path.join(folder, "cert.pem"), "w") as file:
        file.write("broken")
    gateway.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "done=0 reason=KINTARAA_TLS_CERT:_" in gateway.log())
    assert "cannot_be_used:_" in gateway.log(), "and why"
    assert shown() == serial
    certificate_make("again")


def test_certificate_that_cannot_be_read_ends_the_program_with_2():
    other = Gateway(doors, {"KINTARAA_TLS_CERT": "/nowhere.pem", "KINTARAA_TLS_KEY": "/nowhere.pem"}, start=False)
    other.start(wait=False)
    assert other.process.wait(10) == 2 and "KINTARAA_TLS_CERT: /nowhere.pem cannot be used" in other.log(), other.log()
    other.destroy()


folder = tempfile.mkdtemp()
os.chmod(folder, 0o755)
try:
    certificate_make("first")
    settings = {"KINTARAA_TLS_CERT": folder + "/cert.pem", "KINTARAA_TLS_KEY": folder + "/key.pem"}
    with Cluster() as cluster, Doors(cluster) as doors, TlsGateway(doors, settings) as gateway:
        token = doors.token()
        wait_until(lambda: get("/.well-known/jwks.json")[0] == 200)
        status = run_tests(globals())
finally:
    shutil.rmtree(folder)
sys.exit(status)
