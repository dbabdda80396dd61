"""make run and its refusals, in a tree of its own whose path has blanks."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import PROGRAM, ROOT, Api, free_port, run_tests, wait_until


def make_tree(parent):
    """A clone as a person would have it, with what is built already."""
    tree = os.path.join(parent, "a tree", "kin taraa")
    os.makedirs(tree)
    names = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True,
                           stdout=subprocess.PIPE).stdout.decode().split("\0")
    for name in filter(None, names):
        if os.path.isfile(os.path.join(ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
            shutil.copy2(os.path.join(ROOT, name), os.path.join(tree, name))
    for part in ("extension", "gateway"):
        shutil.copytree(os.path.join(ROOT, ".build", part), os.path.join(tree, ".build", part))
    return tree


def fake(name, text):
    """A folder that shadows one command."""
    folder = tempfile.mkdtemp(dir=scratch)
    path = os.path.join(folder, name)
    with open(path, "w") as file:
        file.write("#!/bin/sh\n" + text + "\n")
    os.chmod(path, 0o755)
    return folder


def run(*command, **environment):
    return subprocess.run(command, cwd=tree, env={**os.environ, **environment}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def refused(done, *words):
    """It ends with one sentence that has these words, and says so by its status."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("kintaraa: ")]
    assert done.returncode != 0, done.stdout
    assert len(lines) == 1, done.stdout
    assert all(word in lines[0] for word in words), done.stdout


def psql(sql):
    done = run(os.path.join(tree, ".run", "psql"), "-X", "-A", "-t", "-c", sql)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def port_of_gateway():
    with open(os.path.join(tree, ".run", "gateway.env")) as file:
        values = dict(line.strip().split("=", 1) for line in file)
    return int(values["KINTARAA_LISTEN"].rpartition(":")[2])


def pids():
    result = []
    for path in ("gateway.pid", "cluster/pid"):
        with open(os.path.join(tree, ".run", path)) as file:
            result.append(int(file.read().split()[0]))
    return result


def is_running(pid):
    with contextlib.suppress(OSError), open("/proc/%d/stat" % pid) as file:
        return file.read().rpartition(")")[2].split()[0] != "Z"
    return False


def test_an_old_server_is_refused():
    old = fake("postgres", "echo 'postgres (PostgreSQL) 15.18 (Debian 15.18-0)'")
    refused(run("test/local/server", "make", KN_PG_BINDIR=old), "15.19", "15.18")


def test_another_major_version_is_refused():
    new = fake("postgres", "echo 'postgres (PostgreSQL) 16.20'")
    refused(run("test/local/server", "make", KN_PG_BINDIR=new), "16.20")


def test_a_missing_server_is_named():
    refused(run("test/local/server", "make", KN_PG_BINDIR="/nonexistent"), "PostgreSQL 15 is missing")


def test_a_package_that_cannot_be_installed_is_named():
    answers = fake("dpkg-query", "case \"$*\" in *libjwt-dev*) exit 1 ;; *) echo installed ;; esac")
    with open(os.path.join(answers, "apt-get"), "w") as file:
        file.write("#!/bin/sh\necho 'E: Unable to locate package libjwt-dev' >&2\nexit 100\n")
    with open(os.path.join(answers, "sudo"), "w") as file:
        file.write("#!/bin/sh\n[ \"$1\" = -v ] || \"$@\"\n")
    for name in ("mkdir", "tee", "rm"):
        with open(os.path.join(answers, name), "w") as file:
            file.write("#!/bin/sh\ncase \"$*\" in *createcluster*) cat >/dev/null </dev/null ;; "
                       "*) exec /bin/%s \"$@\" ;; esac\n" % name)
    for name in os.listdir(answers):
        os.chmod(os.path.join(answers, name), 0o755)
    refused(run("test/local/packages", KN_PATH=answers), "libjwt-dev", "Unable to locate")


def test_a_full_disk_is_named():
    full = fake("df", "printf 'Avail\\n12\\n'")
    refused(run("test/local/run", KN_PATH=full), "12 MB left")


def test_a_taken_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(run("make", "run", "PORT=" + port), port, "taken")


def test_what_is_no_port_is_refused():
    for port in ("0", "65536", "x", "-1"):
        refused(run("test/local/run", PORT=port), "not a port")


def test_a_cluster_on_a_taken_port_leaves_nothing():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused(run("test/local/cluster", "copy", ".build/cluster/taken", port), port, "taken")


def test_make_stop_before_make_run_is_fine():
    done = run("make", "stop")
    assert done.returncode == 0, done.stdout


def test_make_run_plays_the_main_job_and_stays():
    done = run("make", "run", "PORT=%d" % port)
    assert done.returncode == 0, done.stdout
    assert Api("127.0.0.1", port).get("/healthz").status == 200
    assert int(psql("SELECT count(*) FROM kintaraa.provider")) >= 6000
    assert int(psql("SELECT count(*) FROM kintaraa.incident")) > 0


def test_accounts_can_sign_in():
    with open(os.path.join(tree, ".run", "accounts.json")) as file:
        accounts = json.load(file)
    assert {account["role"] for account in accounts} >= {"survivor", "provider", "dispatcher", "admin"}
    for account in accounts:
        login = {"email": account["email"], "password": account["password"]}
        answer = Api("127.0.0.1", port).post("/api/auth/login", login)
        assert answer.status == 200, answer
        assert answer.body["user"]["role"] == account["role"]


def test_nobody_else_can_read_the_secrets():
    for name in ("gateway.env", "accounts.json", "cluster/cluster.env"):
        assert os.stat(os.path.join(tree, ".run", name)).st_mode & 0o077 == 0, name


def test_the_server_does_not_run_as_root():
    for pid in pids():
        assert os.stat("/proc/%d" % pid).st_uid != 0


def test_a_second_make_run_loses_nothing_and_restarts_nothing():
    before, incidents = pids(), psql("SELECT count(*) FROM kintaraa.incident")
    done = run("make", "run")
    assert done.returncode == 0, done.stdout
    assert pids() == before
    assert port_of_gateway() == port
    assert psql("SELECT count(*) FROM kintaraa.incident") == incidents


def test_another_port_can_be_chosen_later():
    other = free_port()
    done = run("make", "run", "PORT=%d" % other)
    assert done.returncode == 0, done.stdout
    assert Api("127.0.0.1", other).get("/healthz").status == 200
    assert pids()[1] == cluster_pid(), "the cluster was restarted"


def cluster_pid():
    with open(os.path.join(tree, ".run", "cluster", "data", "postmaster.pid")) as file:
        return int(file.readline())


def test_a_killed_instance_comes_back_with_everything():
    incidents = psql("SELECT count(*) FROM kintaraa.incident")
    for pid in pids():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids()), what="both are gone")
    done = run("make", "run")
    assert done.returncode == 0, done.stdout
    assert psql("SELECT count(*) FROM kintaraa.incident") == incidents


def test_make_stop_stops_what_it_started_and_nothing_else():
    started = pids()
    bystander = subprocess.Popen(["sleep", "600"])
    try:
        done = run("make", "stop")
        assert done.returncode == 0, done.stdout
        assert not any(is_running(pid) for pid in started)
        with open(os.path.join(tree, ".run", "gateway.pid"), "w") as file:
            file.write("%d 12345\n" % bystander.pid)
        done = run("make", "stop")
        assert done.returncode == 0, done.stdout
        assert bystander.poll() is None, "a process with a reused id was stopped"
    finally:
        bystander.kill()
        bystander.wait()


def test_make_clean_keeps_the_instance():
    done = run("make", "clean")
    assert done.returncode == 0, done.stdout
    assert not os.path.exists(os.path.join(tree, ".build"))
    assert os.path.exists(os.path.join(tree, ".run", "cluster", "data", "PG_VERSION"))


def test_a_closed_tree_keeps_its_data_elsewhere():
    parent = tempfile.mkdtemp(prefix="kn closed ")
    try:
        closed = os.path.join(parent, "tree")
        shutil.copytree(os.path.join(ROOT, "test", "local"), os.path.join(closed, "test", "local"))
        shutil.copy2(os.path.join(ROOT, "Makefile"), closed)
        os.chmod(parent, 0o700)
        place = subprocess.run([os.path.join(closed, "test", "local", "cluster"), "home"], check=True,
                               text=True, stdout=subprocess.PIPE).stdout.strip()
        if os.geteuid() == 0:
            assert place.startswith("/var/lib/kintaraa/"), place
            shutil.rmtree(place)
            with contextlib.suppress(OSError):
                os.rmdir(os.path.dirname(place))
        else:
            assert place == os.path.join(closed, ".build"), place
    finally:
        shutil.rmtree(parent)


scratch = tempfile.mkdtemp(prefix="kn scripts ")
os.chmod(scratch, 0o755)
try:
    if not os.path.exists(PROGRAM):
        sys.exit("the gateway is not built")
    tree = make_tree(scratch)
    port = free_port()
    status = run_tests(globals())
    run("make", "stop")
finally:
    shutil.rmtree(scratch)
sys.exit(status)
