# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend as a server on pipes, for tests that speak to it line by line."""

import subprocess
import sys
from pathlib import Path

from s2c_blender.jobs import process
from s2c_blender.wire.messages import Progress, Warned, decode, encode

_BUSY = """
import pathlib, sys, time
from backend import pipeline, server
from s2c_blender.wire.errors import Cancelled
def generate(request, listener, models):
    listener.report("solving", 0, 1)
    while not listener.cancelled():
        time.sleep(0.001)
    raise Cancelled
pipeline.generate = generate
sys.exit(server.serve(pathlib.Path({session!r})))
"""


def busy(session: Path) -> str:
    """The program of a backend whose jobs end only when they are cancelled."""
    return _BUSY.format(session=str(session))


class Server:
    """A backend on pipes; reading waits for the next line."""

    def __init__(self, session: Path, *options: str, code: str | None = None):
        start = ["-c", code] if code else ["-m", "backend", "serve", "--session", str(session), *options]
        self.session = session
        self.log = open(session / "log", "wb")  # noqa: SIM115 - the child writes there as long as it lives
        self.child = subprocess.Popen(
            [sys.executable, "-s", "-u", *start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=process.ROOT,
            env=process.environment(),
        )

    def say(self, line):
        self.child.stdin.write((line if isinstance(line, bytes) else encode(line).encode()) + b"\n")
        self.child.stdin.flush()

    def hear(self):
        line = self.child.stdout.readline()
        assert line, f"the backend ended: {(self.session / 'log').read_text()}"
        return decode(line)

    def hear_outcome(self):
        while isinstance(message := self.hear(), Progress | Warned):
            pass
        return message

    def end(self):
        self.child.stdin.close()
        assert self.child.wait(10) == 0
        assert self.child.stdout.read() == b""

    def said_in_log(self, words):
        return words in (self.session / "log").read_text()
