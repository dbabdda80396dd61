"""A copy of the private server with guards that can be broken: an extension built with KN_MUTANTS.

    Cluster("name", program=mutated.server(), kn__mutant="no_decoy_hash")

kn.mutant names the guard; which there are is in the sources, where kn_mutant() is called.  server("later-field",
"-DKN_LATER_FIELD") is another build of another name.
"""
import os
import shutil
import subprocess

from harness import ROOT, home


def server(name="mutants", flags="-DKN_MUTANTS"):
    """Builds it; the path of its postgres."""
    copy = os.path.join(home(), name + "-server")
    subprocess.run(["make", "-s", "-C", os.path.join(ROOT, "extension"), "BUILD=../.build/%s/extension" % name,
                    "EXTRA_CFLAGS=" + flags], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(os.path.join(home(), "server"), copy, symlinks=True)
    base = os.path.join(copy, "lib", "postgresql", "15")
    shutil.copy(os.path.join(ROOT, ".build", name, "extension", "kintaraa.so"),
                os.path.join(base, "lib", "kintaraa.so"))
    return os.path.join(base, "bin", "postgres")
