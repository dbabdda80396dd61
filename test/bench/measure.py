"""Reads what things cost: processor time from /proc, rates from pgbench and wrk, the disk from pg_test_fsync."""
import os
import re
import statistics
import subprocess
import time

PG_BIN = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True).stdout.strip()
TICK = os.sysconf("SC_CLK_TCK")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class BenchFailed(Exception):
    """A run did not do what it was to measure."""


def median(values):
    return statistics.median(values) if values else float("nan")


def _stat(pid):
    with open("/proc/%d/stat" % pid) as file:
        return file.read().rsplit(")", 1)[1].split()


def children(pid):
    """Processes whose parent is pid."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if int(_stat(int(name))[1]) == pid:
                    found.append(int(name))
            except (OSError, IndexError):
                continue
    return found


def seconds_of(pid):
    """Processor seconds of a process and of all its children, those that have ended included."""
    own = _stat(pid)
    ticks = sum(int(value) for value in own[11:15])
    for child in children(pid):
        try:
            ticks += sum(int(value) for value in _stat(child)[11:13])
        except (OSError, IndexError):
            continue
    return ticks / TICK


def memory_kb(pid):
    """Resident memory of a process and its children."""
    total = 0
    for one in [pid, *children(pid)]:
        try:
            with open("/proc/%d/status" % one) as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1))
        except (OSError, AttributeError):
            continue
    return total


class Cpu:
    """Processor time between start() and stop() of the server, the gateway and the load generator, in seconds."""

    def __init__(self, server, gateway, idle=0.0):
        self.server, self.gateway, self.idle = server, gateway, idle

    def start(self):
        time.sleep(0.1)
        self.backends = len(children(self.server))
        self.before = [seconds_of(self.server), seconds_of(self.gateway) if self.gateway else 0.0,
                       sum(os.times()[2:4]), time.monotonic()]

    def stop(self, wait_backends=False):
        """With wait_backends it waits for those of pgbench to be counted by their parent."""
        lasted = time.monotonic() - self.before[3]
        end = time.monotonic() + 2
        while wait_backends and len(children(self.server)) > self.backends and time.monotonic() < end:
            time.sleep(0.01)
        idle = self.idle * (time.monotonic() - self.before[3])
        return {"server": max(0.0, seconds_of(self.server) - self.before[0] - idle),
                "gateway": (seconds_of(self.gateway) if self.gateway else 0.0) - self.before[1],
                "load": sum(os.times()[2:4]) - self.before[2], "seconds": lasted}


def idle_rate(server, seconds=2.0):
    """Processor seconds a second of a server that nobody asks anything."""
    time.sleep(0.5)  # backends that have just ended are counted late
    before = seconds_of(server)
    time.sleep(seconds)
    return (seconds_of(server) - before) / seconds


def pgbench(dsn, scripts, clients, seconds, more=()):
    """Runs pgbench; returns transactions done and their rate."""
    command = [os.path.join(PG_BIN, "pgbench"), "-n", "-M", "prepared", "-j", "1", "-c", str(clients),
               "-T", str(seconds), *more]
    for script in scripts:
        command += ["-f", script]
    done = subprocess.run([*command, dsn], capture_output=True, text=True, check=False)
    count = re.search(r"actually processed: (\d+)", done.stdout)
    rate = re.search(r"^tps = ([0-9.]+)", done.stdout, re.M)
    if done.returncode != 0 or not count or not rate:
        raise BenchFailed("pgbench: %s" % done.stderr.strip()[-600:])
    return int(count.group(1)), float(rate.group(1))


def _milliseconds(text):
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()
    return float(number) * UNITS[unit]


def wrk(url, script, stage, row, connections, seconds):
    """Runs wrk; returns requests done, their rate, and p50 and p99 in ms.  Any other answer than 2xx fails."""
    done = subprocess.run(["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "--latency", "--timeout", "10s",
                           "-s", script, url, "--", stage, row], capture_output=True, text=True, check=False)
    count = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if done.returncode != 0 or not count or not rate:
        raise BenchFailed("wrk: %s" % (done.stderr + done.stdout).strip()[-600:])
    bad = re.search(r"(Non-2xx.*|Socket errors:.*)", done.stdout)
    if bad:
        raise BenchFailed("wrk: %s" % bad.group(1))
    points = {name: _milliseconds(value) for name, value in re.findall(r"(50|99)%\s+([0-9.]+[a-z]+)", done.stdout)}
    return int(count.group(1)), float(rate.group(1)), points["50"], points["99"]


def fsync_rate(folder, user):
    """What a durable write of 8 KB costs here: fdatasyncs a second."""
    path = os.path.join(folder, "fsync.probe")
    command = [os.path.join(PG_BIN, "pg_test_fsync"), "-s", "1", "-f", path]
    if os.geteuid() == 0:
        command = ["setpriv", "--reuid=%s" % user, "--regid=%s" % user, "--clear-groups", *command]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        for line in process.stdout:
            found = re.search(r"fdatasync\s+([0-9.]+) ops/sec", line)
            if found:
                process.terminate()
                break
        process.wait()
    if os.path.exists(path):
        os.remove(path)
    return float(found.group(1)) if found else float("nan")


def load_average():
    return float(open("/proc/loadavg").read().split()[0])


def processor():
    found = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    return found.group(1).strip() if found else "unknown processor"
