"""Settings, arguments, several workers, and few descriptors."""
import asyncio
import json
import os
import socket
import subprocess
import sys

import websockets

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from doors import Doors, metric
from harness import PROGRAM, Cluster, Gateway, run_tests, wait_until


def run(*arguments, **settings):
    """Exit status and words of a program that is expected to end at once."""
    environment = {"PATH": "/usr/bin:/bin", "KINTARAA_LISTEN": "127.0.0.1:1", **settings}
    done = subprocess.run([os.environ.get("KN_GATEWAY_PROGRAM") or PROGRAM, *arguments], env=environment,
                          text=True, capture_output=True, timeout=20)
    return done.returncode, done.stdout, done.stderr


def test_help_lists_the_settings_in_order():
    status, out, _ = run("--help")
    names = [line.split()[0] for line in out.splitlines() if line.startswith("KINTARAA_")]
    assert status == 0 and len(names) > 30 and names == sorted(names), names
    assert "default \"127.0.0.1:8080\"" in out


def test_version_is_told():
    status, out, _ = run("--version")
    assert status == 0 and out.startswith("kintaraa-gateway 1."), out


def test_argument_that_is_none_ends_with_2():
    status, _, words = run("--listen=8080")
    assert status == 2 and "takes no argument" in words


def test_bad_values_end_with_2_and_one_sentence():
    for name, value in (("KINTARAA_WORKERS", "0"), ("KINTARAA_WORKERS", "17"), ("KINTARAA_WORKERS", "two"),
                        ("KINTARAA_WORKERS", ""), ("KINTARAA_WORKERS", "1x"), ("KINTARAA_WORKERS", "-1"),
                        ("KINTARAA_WORKERS", "99999999999999999999"), ("KINTARAA_HEAD_TIMEOUT", "10h"),
                        ("KINTARAA_HEAD_TIMEOUT", "49ms"), ("KINTARAA_HEAD_TIMEOUT", "61min"),
                        ("KINTARAA_MAX_BODY", "0"), ("KINTARAA_MAX_BODY", "67108865"), ("KINTARAA_LOG_LEVEL", "loud"),
                        ("KINTARAA_LISTEN", "8080"), ("KINTARAA_LISTEN", "localhost:8080"), ("KINTARAA_LISTEN", ""),
                        ("KINTARAA_LISTEN", "127.0.0.1:0"), ("KINTARAA_LISTEN", "127.0.0.1:65536"),
                        ("KINTARAA_LISTEN", "[::1:8080"), ("KINTARAA_METRICS_ALLOW", "10.0.0.0/33"),
                        ("KINTARAA_METRICS_ALLOW", "ten"), ("KINTARAA_PROXIES", "::1/129"),
                        ("KINTARAA_TLS_CERT", "/only/one")):
        status, out, words = run(**{name: value})
        assert status == 2, (name, value, status, words)
        assert words.startswith(name) and words.count("\n") == 1 and not out, (name, value, words)


def test_address_in_use_ends_with_2():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, _, words = run(KINTARAA_LISTEN="127.0.0.1:%d" % taken.getsockname()[1])
    assert status == 2 and "event=port_taken" in words, words
    assert words.splitlines()[-1].startswith("KINTARAA_LISTEN: cannot listen on"), words


def test_values_at_their_bounds_are_taken():
    with Gateway(doors, {"KINTARAA_HEAD_TIMEOUT": "60min", "KINTARAA_BODY_TIMEOUT": "50ms",
                         "KINTARAA_MAX_BODY": 67108864, "KINTARAA_WORKERS": 16,
                         "KINTARAA_NORMAL_CONNECTIONS": 1, "KINTARAA_SOS_CONNECTIONS": 1}) as gateway:
        assert gateway.api().get("/healthz").status == 200


def test_unknown_setting_is_named_in_the_log():
    with Gateway(doors, {"KINTARAA_LISTENN": "x"}) as gateway:
        assert "settings_unknown names=KINTARAA_LISTENN" in gateway.log()


def test_several_addresses_are_listened_on():
    port = wait_until(lambda: free())
    with Gateway(doors, {"KINTARAA_LISTEN": "127.0.0.1:%d, 127.0.0.2:%d,[::1]:%d" % (port, port, port)},
                 port=port) as gateway:
        assert gateway.api().get("/healthz").status == 200
        for family, address in ((socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as wire:
                wire.settimeout(10)
                wire.connect((address, port))
                wire.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                assert b" 200 " in wire.recv(100), address


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_workers_share_the_load_and_all_hear_news():
    async def one():
        wire = await websockets.connect(gateway.ws, ping_interval=None)
        await wire.send(json.dumps({"type": "hello", "token": token}))
        assert json.loads(await wire.recv())["type"] == "hello.result"
        return wire

    async def everybody():
        wires = await asyncio.gather(*[one() for _ in range(40)])
        doors.tell({"type": "all"})
        frames = await asyncio.gather(*[asyncio.wait_for(wire.recv(), 10) for wire in wires])
        assert {json.loads(frame)["type"] for frame in frames} == {"all"}
        assert metric(gateway, "sockets_open") == 40
        for wire in wires:
            wire.transport.abort()

    token = doors.token("many")
    with Gateway(doors, {"KINTARAA_WORKERS": 3}) as gateway:
        wait_until(lambda: gateway.log().count("feed_up") == 3)
        asyncio.run(everybody())
        gateways = doors.value("SELECT count(DISTINCT gateway) FROM kintaraa_api.subscription WHERE topic = 'many'")
        assert gateways > 1, gateways
        before = metric(gateway, "requests_total", 'route="GET /healthz",status="2xx"')
        for _ in range(50):
            assert gateway.api().get("/healthz").status == 200
        assert metric(gateway, "requests_total", 'route="GET /healthz",status="2xx"') == before + 50


def test_few_descriptors_are_shared_out_and_nothing_spins():
    def spent():
        with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
            worker = file.read().split()[0]
        with open("/proc/%s/stat" % worker) as file:
            return sum(int(ticks) for ticks in file.read().rpartition(")")[2].split()[11:13])

    with Gateway(doors, {"KINTARAA_HEAD_TIMEOUT": "5s"}, wrapper=["prlimit", "--nofile=110:110"]) as gateway:
        wires = [socket.create_connection((gateway.host, gateway.port), timeout=10) for _ in range(60)]
        begin = spent()
        answer = None
        try:
            wires[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = wires[0].recv(100)
            # Those above the limit are served as soon as others leave.
            for wire in wires[:50]:
                wire.close()
            wires[55].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b" 200 " in wires[55].recv(100)
        finally:
            for wire in wires:
                wire.close()
        assert b" 200 " in answer and spent() - begin < 50, spent() - begin
        assert wait_until(lambda: gateway.api().get("/me/api").status == 404)


def test_no_core_and_no_look_from_outside():
    with Gateway(doors) as gateway:
        with open("/proc/%d/task/%d/children" % (gateway.pid, gateway.pid)) as file:
            worker = file.read().split()[0]
        with open("/proc/%s/limits" % worker) as file:
            core = [line.split()[4:6] for line in file if line.startswith("Max core")]
        assert core == [["0", "0"]], core
        if "asan" not in gateway.program and "sanit" not in gateway.program:
            assert os.stat("/proc/%s/environ" % worker).st_uid == 0


with Cluster() as cluster, Doors(cluster) as doors:
    sys.exit(run_tests(globals()))
