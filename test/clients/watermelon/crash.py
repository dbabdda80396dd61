"""Kills a whole server at the worst moment: when somebody was just told of a tick that is not on the disk yet."""
import os
import signal
import time

PATIENCE = 5  # seconds until any moment is good


def crash(cluster, is_told):
    """Returns whether a tick was taken back that is_told(tick) had confirmed."""
    connection = cluster.connect()
    try:
        with connection.cursor() as cursor:
            found = wait_for_tick(cursor, is_told)
            os.kill(cluster.pid, signal.SIGSTOP)
            for pid in children(cluster.pid):
                os.kill(pid, signal.SIGKILL)
    finally:
        connection.close()
    cluster.kill()
    return found


def wait_for_tick(cursor, is_told):
    """Until there is a tick that was told and that lies behind what the log on the disk holds."""
    end = time.monotonic() + PATIENCE
    newest = begins = written = None
    while time.monotonic() < end:
        cursor.execute("SELECT (SELECT max(t) FROM kintaraa.tick), pg_current_wal_insert_lsn() - '0/0'::pg_lsn, "
                       "pg_current_wal_flush_lsn() - '0/0'::pg_lsn")
        tick, inserted, flushed = cursor.fetchone()
        if tick != newest:
            newest, begins = tick, written
        if begins is not None and flushed <= begins and is_told(tick):
            return True
        written = inserted
    return False


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]
