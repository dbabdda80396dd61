"""What tests stand on: clusters, gateways, HTTP and WebSocket clients, and TAP.

    import os, sys
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    from harness import Cluster, Gateway, Socket, run_tests, wait_until

    def test_stranger_is_not_let_in():
        status, headers, body = api.get("/api/me", token="x")
        assert status == 401, body

    with Cluster() as cluster, Gateway(cluster) as gateway:
        api = gateway.api()
        sys.exit(run_tests(globals()))

Cluster()            a copy of the prepared data directory, started on a free port in about a second.
    .psql(sql, args, database=, role=)   rows of one statement as the DBA (or with SET ROLE), committed
    .connect(database=, role=)           a psycopg2 connection; .dsn(role) its conninfo
    .gateway_dsn                         conninfo of the gateway's own login
    .restart(mode)  .stop()  .start()  .kill()   mode is fast or immediate; kill is SIGKILL
    .settings(name=value, ...)           written to extra.conf, in force after restart() or reload()
    .log()                               the server's log so far
Kept()               the one cluster that stays after a developer's single test, for those that make databases of
                     their own; make stop stops it.
Gateway(cluster)     the built program on a free port; settings are passed as KINTARAA_ names.
    .url  .ws  .port  .pid  .log()  .stop()  .kill()  .start()  .api()
Api(host, port)      keep-alive HTTP: get post put patch delete request; each (path, json, token, headers)
                     returns Answer(status, headers, body); JSON bodies come back parsed.
Socket(gateway, token, cursor)   a WebSocket that has said hello.
    .expect(type, deadline)  takes the first frame of that type; .frames are all that came
    .send(message)  .close()  .wait_closed(deadline) returns the close code
wait_until(condition, deadline)  polls; returns what the condition returned, raises when time is up.
Tap, run_tests(namespace)        print TAP; run_tests runs every test_ function and returns the exit status.

Everything that was started is stopped when its block or the program ends.
"""
import asyncio
import atexit
import collections
import http.client
import json as json_module
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
import uuid

import psycopg2
import psycopg2.extensions
import websockets

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCAL = os.path.join(ROOT, "test", "local")
PROGRAM = os.path.join(ROOT, ".build", "gateway", "kintaraa-gateway")
DEADLINE = float(os.environ.get("KN_DEADLINE", "20"))

Answer = collections.namedtuple("Answer", "status headers body")


class DeadlineMissed(AssertionError):
    """A condition did not become true in time."""


def wait_until(condition, deadline=None, what=None):
    """Polls until condition() is true; an AssertionError inside counts as not yet."""
    end = time.monotonic() + (DEADLINE if deadline is None else deadline)
    pause = 0.005
    while True:
        failure = None
        try:
            result = condition()
        except AssertionError as error:
            result, failure = None, error
        if result:
            return result
        if time.monotonic() > end:
            name = what or getattr(condition, "__name__", "condition")
            raise DeadlineMissed("not in time: %s%s" % (name, ": %s" % failure if failure else ""))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def free_port():
    """A port nobody listens on, below the range the kernel hands out to clients."""
    for _ in range(100):
        port = 15000 + int.from_bytes(os.urandom(2), "big") % 16000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port in a hundred tries")


def _script(name, *arguments, data=None, environment=None):
    """Runs one of the scripts in test/local; its last words become the exception."""
    done = subprocess.run([os.path.join(LOCAL, name), *arguments], input=data, text=True,
                          env={**os.environ, **(environment or {})},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise RuntimeError("%s %s: %s" % (name, " ".join(arguments), done.stderr.strip()))
    return done.stdout


_home = None


def home():
    """The folder in which clusters can live."""
    global _home
    if _home is None:
        _home = _script("cluster", "home").strip()
    return _home


class _Started:
    """Something that must not outlive the program."""

    alive = []

    def _register(self):
        _Started.alive.append(self)

    def _unregister(self):
        if self in _Started.alive:
            _Started.alive.remove(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()

    @staticmethod
    def destroy_all():
        for thing in reversed(list(_Started.alive)):
            try:
                thing.destroy()
            except Exception:
                traceback.print_exc()


atexit.register(_Started.destroy_all)
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


class Cluster(_Started):
    def __init__(self, name="test", program=None, environment=None, **settings):
        self.environment = {**({"KN_POSTGRES": program} if program else {}), **(environment or {})}
        folder = "%s-%d-%s" % (name, os.getpid(), uuid.uuid4().hex[:6])
        self.folder = os.path.join(home(), "cluster", folder)
        self._cluster("copy")
        self._register()
        self._read_coordinates()
        if settings:
            self.settings(**settings)
            self.restart()

    def _cluster(self, command, *arguments):
        _script("cluster", command, self.folder, *arguments, environment=self.environment)

    def _read_coordinates(self):
        with open(os.path.join(self.folder, "cluster.env")) as file:
            values = dict(line.strip().split("=", 1) for line in file if "=" in line)
        self.host = values["KN_SOCKET"]
        self.port = int(values["KN_PORT"])
        self.gateway_dsn = values["KN_GATEWAY_DSN"]
        self.gateway_password = values["KN_GATEWAY_PASSWORD"]

    def dsn(self, role=None, database="kintaraa"):
        if role == "kintaraa_gateway":
            return self.gateway_dsn
        parts = {"host": self.host, "port": self.port, "user": "postgres", "dbname": database}
        if role:
            parts["options"] = "-c role=%s" % role
        return psycopg2.extensions.make_dsn(**parts)

    def connect(self, role=None, database="kintaraa", autocommit=True):
        connection = psycopg2.connect(self.dsn(role, database))
        connection.autocommit = autocommit
        return connection

    def psql(self, sql, args=None, database="kintaraa", role=None):
        connection = self.connect(role, database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, args)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql, args=None, **where):
        """The first column of the first row."""
        return self.psql(sql, args, **where)[0][0]

    def settings(self, **settings):
        path = os.path.join(self.folder, "data", "extra.conf")
        lines = "".join("%s = '%s'\n" % (name.replace("__", "."), str(value).replace("'", "''"))
                        for name, value in settings.items())
        owner = os.stat(os.path.dirname(path))
        with open(path, "a") as file:
            file.write(lines)
        if os.geteuid() == 0:
            os.chown(path, owner.st_uid, owner.st_gid)

    def reload(self):
        self.psql("SELECT pg_reload_conf()")

    def restart(self, mode="fast"):
        self._cluster("restart", mode)
        self._read_coordinates()

    def stop(self):
        self._cluster("stop")

    def kill(self):
        self._cluster("kill")

    def start(self):
        self._cluster("start")
        self._read_coordinates()

    @property
    def pid(self):
        with open(os.path.join(self.folder, "pid")) as file:
            return int(file.read().split()[0])

    def log(self):
        with open(os.path.join(self.folder, "log", "postgresql.log"), errors="replace") as file:
            return file.read()

    def destroy(self):
        self._unregister()
        self._cluster("destroy")


class Kept(Cluster):
    """For tests that run in databases which they create; the server goes on running after them."""

    def __init__(self):
        self.environment = {}
        self.folder = os.path.join(home(), "kept")
        self._cluster("keep")
        self._read_coordinates()

    def destroy(self):
        pass


class Gateway(_Started):
    def __init__(self, cluster, settings=None, program=None, wrapper=(), start=True, port=None):
        self.cluster = cluster
        self.port = port or free_port()
        self.host = "127.0.0.1"
        self.program = program or os.environ.get("KN_GATEWAY_PROGRAM") or PROGRAM
        self.wrapper = list(wrapper)
        self.folder = os.path.join(home(), "gateways", "%d-%s" % (os.getpid(), uuid.uuid4().hex[:6]))
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        self.given = dict(settings or {})
        self.process = None
        self._register()
        if start:
            self.start()

    @property
    def url(self):
        return "http://%s:%d" % (self.host, self.port)

    @property
    def ws(self):
        return "ws://%s:%d/ws" % (self.host, self.port)

    @property
    def pid(self):
        return self.process.pid

    def environment(self):
        values = {"PATH": "/usr/bin:/bin", "KINTARAA_LISTEN": "%s:%d" % (self.host, self.port)}
        if self.cluster is not None:
            values["KINTARAA_DATABASE"] = self.cluster.gateway_dsn
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                values[name] = os.environ[name]
        values.update({name: str(value) for name, value in self.given.items()})
        return values

    def _command(self):
        program = self.program
        if os.geteuid() != 0:
            return [*self.wrapper, program]
        if home() != os.path.join(ROOT, ".build"):
            copy = os.path.join(self.folder, os.path.basename(program))
            if not os.path.exists(copy):  # a worker of one that was killed may still run it, and then it is busy
                shutil.copy(program, copy)
            program = copy
        return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                *self.wrapper, program]

    def start(self, wait=True):
        log = open(os.path.join(self.folder, "gateway.log"), "ab")
        with log:
            self.process = subprocess.Popen(self._command(), env=self.environment(), cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_ready()

    def wait_ready(self, deadline=None):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError("gateway ended with %s:\n%s" % (self.process.returncode, self.log()[-2000:]))
            try:
                return self.api(timeout=2).get("/healthz").status == 200
            except OSError:
                return False
        wait_until(ready, deadline, "the gateway answers /healthz")
        if self.cluster is not None:
            self._wait_connected()

    def _wait_connected(self):
        """Its connections come up within moments; where they cannot, the test wants to see that."""
        end = time.monotonic() + 3
        while time.monotonic() < end and self.api(timeout=5).get("/readyz").status != 200:
            time.sleep(0.02)

    def api(self, **options):
        return Api(self.host, self.port, **options)

    def log(self):
        with open(os.path.join(self.folder, "gateway.log"), errors="replace") as file:
            return file.read()

    def stop(self, deadline=None):
        """Asks it to end and returns its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(DEADLINE if deadline is None else deadline)
            except subprocess.TimeoutExpired:
                self.kill()
                raise DeadlineMissed("the gateway did not end on SIGTERM")
        return self.process.returncode

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def destroy(self):
        self._unregister()
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class Api:
    """One keep-alive connection; a connection the server closed while idle is replaced."""

    def __init__(self, host, port, token=None, timeout=None, headers=None):
        self.host, self.port, self.token = host, port, token
        self.timeout = DEADLINE if timeout is None else timeout
        self.headers = dict(headers or {})
        self.connection = None

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _connection(self):
        if self.connection is not None:
            sock = self.connection.sock
            if sock is None or select.select([sock], [], [], 0)[0]:
                self.close()
        if self.connection is None:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        return self.connection

    def request(self, method, path, json=None, token=None, headers=None, body=None):
        """json is encoded; body is sent as it is.  token="" sends none although the Api has one."""
        send = dict(self.headers)
        token = self.token if token is None else token
        if token:
            send["Authorization"] = "Bearer " + token
        if json is not None:
            body = json_module.dumps(json).encode()
            send["Content-Type"] = "application/json"
        send.update(headers or {})
        connection = self._connection()
        try:
            connection.request(method, path, body=body, headers=send)
            response = connection.getresponse()
            data = response.read()
        except Exception:
            self.close()
            raise
        kind = response.headers.get("Content-Type", "")
        if kind.split(";")[0].endswith("json") and data:
            data = json_module.loads(data)
        return Answer(response.status, response.headers, data)

    def get(self, path, token=None, headers=None):
        return self.request("GET", path, None, token, headers)

    def post(self, path, json=None, token=None, headers=None):
        return self.request("POST", path, json, token, headers)

    def put(self, path, json=None, token=None, headers=None):
        return self.request("PUT", path, json, token, headers)

    def patch(self, path, json=None, token=None, headers=None):
        return self.request("PATCH", path, json, token, headers)

    def delete(self, path, json=None, token=None, headers=None):
        return self.request("DELETE", path, json, token, headers)


class _Loop:
    """The one event loop that all sockets of a program share, in a thread of its own."""

    loop = None
    lock = threading.Lock()

    @classmethod
    def run(cls, coroutine, deadline=None):
        with cls.lock:
            if cls.loop is None:
                cls.loop = asyncio.new_event_loop()
                threading.Thread(target=cls.loop.run_forever, daemon=True).start()
        future = asyncio.run_coroutine_threadsafe(coroutine, cls.loop)
        return future.result(DEADLINE if deadline is None else deadline)


class Socket(_Started):
    """A WebSocket; with a token it says hello at once."""

    def __init__(self, gateway, token=None, cursor=None, url=None, headers=None, hello=True):
        self.frames = []
        self.arrived = {}  # id of a frame's object: time.monotonic() when it came
        self.pending = collections.deque()
        self.news = threading.Condition()
        self.closed = threading.Event()
        self.close_code = None
        self.close_reason = None
        address = url or gateway.ws
        self.socket = _Loop.run(self._connect(address, headers or {}))
        self._register()
        if token is not None and hello:
            self.send({"type": "hello", "token": token, "cursor": cursor})

    async def _connect(self, address, headers):
        result = await websockets.connect(address, extra_headers=headers, max_size=None,
                                          ping_interval=None, open_timeout=DEADLINE)
        asyncio.get_running_loop().create_task(self._read(result))
        return result

    async def _read(self, source):
        try:
            async for text in source:
                frame = json_module.loads(text)
                with self.news:
                    self.arrived[id(frame)] = time.monotonic()
                    self.frames.append(frame)
                    self.pending.append(frame)
                    self.news.notify_all()
        except websockets.ConnectionClosed:
            pass
        with self.news:
            self.close_code, self.close_reason = source.close_code, source.close_reason
            self.closed.set()
            self.news.notify_all()

    def send(self, message):
        text = message if isinstance(message, (str, bytes)) else json_module.dumps(message)
        _Loop.run(self.socket.send(text))

    def ping(self):
        async def beat():
            await (await self.socket.ping())
        _Loop.run(beat())

    def _take(self, matches):
        for frame in self.pending:
            if matches(frame):
                self.pending.remove(frame)
                return frame
        return None

    def expect(self, kind=None, deadline=None, where=None):
        """Takes the first frame of that type (and for which where(frame) is true)."""
        def matches(frame):
            return (kind is None or frame.get("type") == kind) and (where is None or where(frame))
        end = time.monotonic() + (DEADLINE if deadline is None else deadline)
        with self.news:
            while True:
                frame = self._take(matches)
                if frame is not None:
                    return frame
                left = end - time.monotonic()
                if left <= 0 or self.closed.is_set():
                    seen = [frame.get("type") for frame in self.frames]
                    raise DeadlineMissed("no frame %s; seen %s, closed %s" % (kind, seen, self.close_code))
                self.news.wait(left)

    def cursor(self):
        """The last cursor that came."""
        return next((frame["cursor"] for frame in reversed(self.frames) if frame.get("cursor") is not None), None)

    def wait_closed(self, deadline=None):
        if not self.closed.wait(DEADLINE if deadline is None else deadline):
            raise DeadlineMissed("the socket was not closed")
        return self.close_code

    def abort(self):
        """Drops the TCP connection without a word."""
        async def drop():
            self.socket.transport.abort()
        self._unregister()
        _Loop.run(drop())

    def close(self):
        self._unregister()
        _Loop.run(self.socket.close())

    destroy = close


class Tap:
    """Counts and prints; done() prints the plan and returns the exit status."""

    def __init__(self):
        self.count = 0
        self.failed = 0
        self.lock = threading.Lock()

    def ok(self, condition, name):
        with self.lock:
            self.count += 1
            if not condition:
                self.failed += 1
            print("%sok %d - %s" % ("" if condition else "not ", self.count, name), flush=True)
        return bool(condition)

    def equal(self, got, wanted, name):
        if not self.ok(got == wanted, name):
            self.note("got    %r" % (got,))
            self.note("wanted %r" % (wanted,))
        return got == wanted

    def note(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def done(self):
        print("1..%d" % self.count, flush=True)
        return 1 if self.failed or not self.count else 0


def run_tests(namespace, tap=None):
    """Runs every test_ function in the order written; the name is the promise."""
    tap = tap or Tap()
    chosen = sys.argv[1:]
    for name, test in list(namespace.items()):
        if not name.startswith("test_") or not callable(test) or (chosen and name not in chosen):
            continue
        promise = name[len("test_"):].replace("_", " ")
        try:
            test()
            tap.ok(True, promise)
        except Exception:
            tap.ok(False, promise)
            tap.note(traceback.format_exc())
    return tap.done()
