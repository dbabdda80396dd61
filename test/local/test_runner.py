"""test/run counts what its programs say, and what they leave unsaid as a failure."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from harness import ROOT, run_tests


def count(command, files="-", seconds=20, jobs=1):
    """The last line for a table of one suite."""
    with tempfile.NamedTemporaryFile("w") as table:
        table.write("runner_self | %d | %d | %s | %s | itself\n" % (jobs, seconds, files, command))
        table.flush()
        done = subprocess.run([os.path.join(ROOT, "test", "run")], env={**os.environ, "KN_SUITES": table.name},
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    last = done.stdout.splitlines()[-1]
    assert (done.returncode == 0) == last.endswith(" 0 failed"), done.stdout
    return last


def tap(*lines, then=""):
    return "printf '%s'; %s" % ("".join(line + "\\n" for line in lines), then or "true")


def test_passes_are_counted():
    assert count(tap("1..2", "ok 1 - a", "ok 2")) == "2 passed, 0 failed"


def test_a_plan_may_come_last():
    assert count(tap("ok 1", "1..1")) == "1 passed, 0 failed"


def test_a_failure_is_counted():
    assert count(tap("1..2", "ok 1 - a", "not ok 2 - b", then="exit 1")) == "1 passed, 1 failed"


def test_a_short_plan_fails():
    assert count(tap("1..3", "ok 1", "ok 2")) == "2 passed, 1 failed"


def test_a_missing_plan_fails():
    assert count(tap("ok 1")) == "1 passed, 1 failed"


def test_an_empty_plan_fails():
    assert count(tap("1..0")) == "0 passed, 1 failed"


def test_a_bad_status_fails():
    assert count(tap("ok 1", "1..1", then="exit 3")) == "1 passed, 1 failed"


def test_a_crash_fails():
    assert count(tap("ok 1", then="kill -SEGV $$")) == "1 passed, 1 failed"


def test_a_program_that_overstays_is_ended_with_its_children():
    assert count(tap("ok 1", "1..1", then="sleep 300"), seconds=1) == "1 passed, 1 failed"


def test_skipped_and_postponed_tests_fail():
    assert count(tap("1..2", "ok 1 # SKIP no time", "not ok 2 # TODO later")) == "0 passed, 2 failed"


def test_a_bail_out_fails():
    assert count(tap("1..1", "ok 1", "Bail out! no server")) == "1 passed, 2 failed"


def test_a_missing_program_fails():
    assert count("/nonexistent") == "0 passed, 1 failed"


def test_a_suite_without_files_fails():
    assert count("{}", files="test/nonexistent/*.py") == "0 passed, 1 failed"


def test_each_file_has_its_own_plan():
    assert count(tap("ok 1 - {}", "1..1"), files="test/harness.py test/run", jobs=2) == "2 passed, 0 failed"


def test_an_unknown_suite_is_named():
    done = subprocess.run([os.path.join(ROOT, "test", "run"), "nonsense"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode != 0 and "nonsense" in done.stdout, done.stdout


sys.exit(run_tests(globals()))
