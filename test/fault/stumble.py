"""A gateway one of whose calls of the system fails, and what its clients see of it.

    with Stumbling(doors) as gateway:
        gateway.trip("send", 3)      the third send() from now on fails
"""
import atexit
import http.client
import mmap
import os
import shutil
import struct
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import Gateway, Socket, home, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTIONS = ("malloc", "calloc", "realloc", "recv", "send", "sendmsg", "readv", "writev", "accept4", "connect",
             "epoll_ctl", "epoll_wait", "fcntl", "socket")
LANE = 1
MOST = LANE + 1.5 + 2  # seconds: the caller's wait at the most, and two
SETTINGS = {"KINTARAA_SOS_TIMEOUT": "1s", "KINTARAA_NORMAL_TIMEOUT": "1s", "KINTARAA_QUEUE_TIMEOUT": "1s",
            "KINTARAA_SOS_CONNECTIONS": 2, "KINTARAA_NORMAL_CONNECTIONS": 2, "KINTARAA_LOG_LEVEL": "warn"}


def library():
    """Built once for this program, where whoever runs the gateway may read it."""
    folder = os.path.join(home(), "stumble-%d" % os.getpid())
    path = os.path.join(folder, "stumble.so")
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o755, exist_ok=True)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        subprocess.run(["gcc", "-std=gnu11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", path,
                        os.path.join(HERE, "stumble.c")], check=True)
    return path


class Stumbling(Gateway):
    def __init__(self, doors, settings=None):
        self.doors = doors
        self.token = doors.token()
        self.order = os.path.join(os.path.dirname(library()), "order-" + uuid.uuid4().hex[:8])
        with open(self.order, "wb") as file:
            file.write(bytes(32))
        os.chmod(self.order, 0o666)
        with open(self.order, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 32)
        self.told = {}
        self.silences = []
        self.ends = []
        super().__init__(doors, {**SETTINGS, "LD_PRELOAD": library(), "KN_STUMBLE": self.order, **(settings or {})})
        self.worker = self.worker_pid()

    def worker_pid(self):
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as file:
            return int((file.read().split() or [0])[0])

    def trip(self, function, number):
        self.memory[:] = struct.pack("<iiqqq", self.worker, FUNCTIONS.index(function), number, 0, 0)

    def shorten(self, most):
        """Until the next trip every realloc() for more than so many bytes fails."""
        self.memory[:] = struct.pack("<iiqqq", self.worker, 0, 0, 0, most)

    def has_fired(self):
        return struct.unpack("<iiqqq", self.memory[:])[3] > 0

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.worker))

    def resident(self):
        with open("/proc/%d/statm" % self.worker) as file:
            return int(file.read().split()[1]) * 4096

    def traffic(self, function):
        """A report, a reading, a socket, and where connections are made anew a backend that ends."""
        if function in ("connect", "socket", "fcntl", "epoll_ctl", "recv", "calloc"):
            self.doors.psql("SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity "
                            "WHERE application_name LIKE 'kintaraa-%'")
        mark = uuid.uuid4().hex
        self.ask(function, "POST", "/api/incidents", {"mark": mark, "outcome": "created"}, mark)
        # one answer is longer than a socket takes at once
        self.ask(function, "GET", "/api/dispatch/queue?bytes=4000000" if function == "writev" else "/api/me")
        begin = time.monotonic()
        try:
            socket = Socket(self, self.token)
            socket.abort()
        except Exception:  # refused, cut or never greeted: it shall only not last
            pass
        self.note(function, "socket", begin)

    def ask(self, function, method, path, body=None, mark=None):
        begin = time.monotonic()
        try:
            answer = self.api(token=self.token, timeout=20).request(method, path, body)
            if mark is not None:
                self.told[mark] = answer.status
        except (OSError, http.client.HTTPException):
            pass
        self.note(function, path, begin)

    def note(self, function, what, begin):
        seconds = time.monotonic() - begin
        if seconds > MOST:
            self.silences.append((function, what, round(seconds, 1)))

    def stumble(self, function, number):
        """Traffic until the call has failed; False when there are not so many calls."""
        self.trip(function, number)
        for _ in range(6):
            self.traffic(function)
            if self.has_fired():
                break
        fired = self.has_fired()
        self.trip(function, 0)
        if self.worker_pid() != self.worker:
            self.ends.append("%s, call %d" % (function, number))
            self.worker = wait_until(self.worker_pid)
            self.wait_ready()
        return fired

    def is_whole(self):
        return all(self.count("lane_idle", lane) == self.count("lane_ready", lane) == 2 for lane in ("sos", "normal"))

    def count(self, name, lane):
        wanted = 'kintaraa_gateway_%s{lane="%s"} ' % (name, lane)
        text = self.api().get("/metrics").body.decode()
        return next((float(line[len(wanted):]) for line in text.splitlines() if line.startswith(wanted)), -1)

    def check(self, descriptors, resident, more):
        """After it all: nothing false was told, nothing lost, nothing kept."""
        assert not self.ends, "the worker ended: %s\n%s" % (self.ends, self.log()[-1000:])
        wait_until(self.is_whole, 15, "the lanes are whole")
        stored = {row[0] for row in self.doors.psql("SELECT mark FROM kintaraa_api.note")}
        false = [mark for mark, status in self.told.items() if status == 201 and mark not in stored]
        assert not false, "acknowledged and not stored: %s" % false
        assert not self.silences, self.silences
        wait_until(lambda: self.descriptors() <= descriptors, 15, "descriptors come back")
        assert self.resident() <= resident + more, (self.resident(), resident)
