"""A copy of the sources with a server of its own, in which a test may change code, state and version."""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import harness

PARTS = ("extension", "sql", "migrations", os.path.join("test", "local"), os.path.join(".build", "extension"))
EXTENSIONS = os.path.join("share", "postgresql", "15", "extension")
LIBRARY = os.path.join("lib", "postgresql", "15", "lib", "kintaraa.so")


class Tree:
    def __init__(self, name):
        self.folder = os.path.join(harness.ROOT, ".build", "%s-%d" % (name, os.getpid()))
        for part in PARTS:
            shutil.copytree(os.path.join(harness.ROOT, part), os.path.join(self.folder, part), symlinks=True)
        shutil.copy(os.path.join(harness.ROOT, "Makefile"), self.folder)
        harness.LOCAL, harness._home = os.path.join(self.folder, "test", "local"), None
        self.run("test/local/server", "make")
        self.server = os.path.join(harness.home(), "server")

    def run(self, *command):
        done = subprocess.run(command, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-2000:]

    def write(self, path, text):
        with open(os.path.join(self.folder, path), "w") as file:
            file.write(text)

    def append(self, path, text):
        with open(os.path.join(self.folder, path), "a") as file:
            file.write(text)

    def replace(self, path, pattern, replacement):
        with open(os.path.join(self.folder, path)) as file:
            text, times = re.subn(pattern, replacement, file.read())
        assert times == 1, (path, pattern, times)
        self.write(path, text)

    def value_of(self, path, pattern):
        with open(os.path.join(self.folder, path)) as file:
            return re.search(pattern, file.read()).group(1)

    def install(self):
        """What make install does."""
        self.run("make", "-s", "-C", "extension")
        self.run("test/local/server", "make")

    def remove(self):
        for folder in {harness.home(), self.folder}:
            shutil.rmtree(folder, ignore_errors=True)
