"""A server whose wall clock can be set while it runs.

    with Clock() as clock, Cluster(environment=clock.environment) as cluster:
        clock.set(-10)
"""
import os
import shutil
import struct
import subprocess
import uuid

from harness import home

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")


class Clock:
    def __init__(self):
        self.folder = os.path.join(home(), "clock-%d-%s" % (os.getpid(), uuid.uuid4().hex[:6]))
        self.file = os.path.join(self.folder, "ahead")
        library = os.path.join(self.folder, "clock.so")
        os.makedirs(self.folder)
        os.chmod(self.folder, 0o755)
        self.set(0)
        os.chmod(self.file, 0o644)
        subprocess.run(["cc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", library,
                        SOURCE], check=True)
        self.environment = {"LD_PRELOAD": library, "KN_CLOCK": self.file}

    def set(self, seconds):
        """The running server has that time from its next look at the clock on."""
        with open(self.file, "r+b" if os.path.exists(self.file) else "wb", buffering=0) as file:
            file.write(struct.pack("=q", int(seconds * 1000000)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)
