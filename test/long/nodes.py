"""Three PostgreSQL servers on loopback, one the primary, each behind a relay; every commit waits for one standby."""
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import psycopg2
import psycopg2.extensions
from harness import LOCAL, Cluster, wait_until
from phones import give_ring, run, tool
from relay import Relay


class Node(Cluster):
    def __init__(self, name):
        super().__init__(name)
        self.name = name
        self.backup = os.path.join(self.folder, "log", "backup")
        with open(os.path.join(self.folder, "data", "pg_hba.conf"), "a") as file:
            file.write("local replication all peer map=owner\n")
        self.reload()
        self.relay = Relay("127.0.0.1", self.port)

    def processes(self):
        with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as file:
            return [self.pid, *(int(pid) for pid in file.read().split())]

    def pause(self):
        """Nothing of this server moves."""
        for pid in self.processes():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self):
        for pid in reversed(self.processes()):
            os.kill(pid, signal.SIGCONT)

    def end(self):
        """As by a failover manager that makes sure."""
        try:
            self.go_on()
        except OSError:
            pass
        self.kill()

    def received(self):
        return self.value("SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')")

    def follow(self, primary):
        """A fresh copy of the primary that follows it; this server is down."""
        data = os.path.join(self.folder, "data")
        shutil.rmtree(self.backup, ignore_errors=True)
        tool(primary, "pg_basebackup", "-D", self.backup, "-c", "fast", "-X", "stream")
        for name in os.listdir(data):
            run("rm", "-r", os.path.join(data, name))
        run("cp", "-a", self.backup + "/.", data)
        run("rm", "-r", self.backup)
        give_ring(primary, self)
        self.settings(primary_conninfo=self.way_to(primary))
        run("touch", os.path.join(data, "standby.signal"))
        self.start()
        self.relay.target = ("127.0.0.1", self.port)

    def way_to(self, primary):
        return "host=%s port=%d user=postgres application_name=%s" % (primary.host, primary.port, self.name)

    def turn_to(self, primary):
        self.settings(primary_conninfo=self.way_to(primary))
        self.reload()

    def promote(self, standbys):
        """What the script said; "" when it is the primary now."""
        done = subprocess.run([os.path.join(LOCAL, "promote"), self.folder, ",".join(node.name for node in standbys)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert (done.returncode == 0) == (done.stdout == ""), done.stdout
        return done.stdout

    def takes_writes(self):
        """It is the primary, and a standby confirms its commits."""
        try:
            return self.value("SELECT NOT pg_is_in_recovery() AND EXISTS (SELECT FROM pg_stat_replication "
                              "WHERE sync_state IN ('sync', 'quorum'))")
        except psycopg2.Error:
            return False


class Nodes:
    """Looks like a cluster to Gateway(): all three hosts in the order of their names."""

    def __init__(self):
        self.all = [Node("node%d" % number) for number in (1, 2, 3)]
        self.primary = self.all[0]
        for node in self.all[1:]:
            node.stop()
            node.follow(self.primary)
        self.primary.psql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (node2,node3)'")
        self.primary.reload()
        wait_until(self.primary.takes_writes)

    @property
    def gateway_dsn(self):
        relays = [node.relay for node in self.all]
        return psycopg2.extensions.make_dsn(self.primary.gateway_dsn, host=",".join(relay.host for relay in relays),
                                            port=",".join(str(relay.port) for relay in relays))

    def standbys(self):
        """Who has received most comes first: what was acknowledged is there."""
        others = [node for node in self.all if node is not self.primary]
        return sorted(others, key=lambda node: node.received(), reverse=True)

    def destroy(self):
        for node in self.all:
            node.relay.destroy()
            node.destroy()
