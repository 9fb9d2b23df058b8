# SPDX-License-Identifier: GPL-3.0-or-later
"""A handle on a running backend: say something, hear what was said since, cancel, end. Never waits but in `close`; no bpy."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..wire.errors import PianoHandsError
from ..wire.messages import Failed, Finished, Generate, Hello, JobCancelled, Message, Shutdown, decode, encode
from . import process
from .carrier import Carrier
from .process import Remote, Target

HELLO_PATIENCE = 30.0  # seconds; a cold start from a slow disk takes a few
CANCEL_PATIENCE = 5.0
KILL_PATIENCE = 2.0  # after asking the process to terminate
CLOSE_PATIENCE = 2.0
TAIL_BYTES = 4000  # of the log


@dataclass(frozen=True, slots=True)
class Died:
    """The backend is gone without having been asked to."""

    exit_code: int
    log_tail: str
    greeted: bool = True  # whether it had said hello


Event: TypeAlias = Message | Died


class Backend:
    """One backend process and its session folder."""

    def __init__(self, child: "subprocess.Popen[bytes]", session: Path, *, remote: bool = False) -> None:
        self.session = session
        self.hello: Hello | None = None
        self._child = child
        self._events = open(session / process.EVENTS, "rb")  # noqa: SIM115 - closed in close()
        self._partial = b""
        self._remote = remote
        self._carrier: Carrier | None = None  # of the job whose files travel
        self._deadline: float | None = time.monotonic() + HELLO_PATIENCE
        self._terminated = False
        self._gone = False

    @staticmethod
    def start(sessions: Path, *, python: Target = None, root: Path = process.ROOT) -> "Backend":
        """Start a backend with Blender's Python, the one named, or a command. Raises PianoHandsError('no-python', 'no-session')."""
        session = process.new_session(sessions)
        return Backend(process.start(python, session, root=root), session, remote=isinstance(python, Remote))

    @property
    def alive(self) -> bool:
        listening = self._child.stdin is not None and not self._child.stdin.closed
        return not self._gone and listening and self._child.poll() is None

    @property
    def carrying(self) -> bool:
        """Whether files may be on their way: then a look at short intervals is worth it."""
        return self._carrier is not None

    @property
    def pid(self) -> int:
        return self._child.pid

    def generate(self, request: Generate) -> None:
        """Raises PianoHandsError('no-file', 'too-large') for what cannot be sent to another machine."""
        if not self._remote:
            self._send(request)
            return
        self._carrier = Carrier(request, self._send)
        if self.hello is not None:  # else when it comes: before, nobody may be there to read
            self._carrier.begin()

    def cancel(self, job: str) -> None:
        """Ask for the end of the job; `poll` ends the process if there is no answer in five seconds."""
        if self._remote:  # which sees no file of ours
            self._close_stdin()
        else:
            self.session.mkdir(exist_ok=True)
            (self.session / f"cancel-{job}").touch()
        if self._deadline is None or self.hello is not None:
            self._deadline = time.monotonic() + CANCEL_PATIENCE

    def poll(self) -> list[Event]:
        """What was said since the last time, in order. A backend that died says so once, after its last words."""
        if self._gone:
            return []
        exit_code = self._child.poll()  # before reading, so that nothing said in between is lost
        events = [self._known(self._heard(line)) for line in self._new_lines()]
        if exit_code is not None:
            self._gone = True
            self._carry_no_more()
            events.append(Died(exit_code, self.log_tail(), self.hello is not None))
        elif self._deadline is not None and time.monotonic() > self._deadline:
            self._end_by_force()
        return events

    def log_tail(self) -> str:
        """The end of what the backend wrote to its log."""
        try:
            with open(self.session / process.LOG, "rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - TAIL_BYTES))
                return log.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""

    def close(self) -> None:
        """End the backend: ask it, close its stdin, which cancels a running job, and kill it when it takes too long."""
        self._gone = True
        self._carry_no_more()
        self._send(Shutdown())
        self._close_stdin()
        try:
            self._child.wait(CLOSE_PATIENCE)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._events.close()
        if self._remote:
            process.thin_out(self.session)

    def _close_stdin(self) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(OSError):  # a dead child's pipe
                self._child.stdin.close()

    def _known(self, message: Message) -> Message:
        """What the message means to the job, after the files that travel with it."""
        if isinstance(message, Hello) and self._carrier is not None:
            self._carrier.begin()
        if self._carrier is None:
            return message
        try:
            message = self._carrier.hear(message)
        except PianoHandsError as error:
            message = Failed(self._carrier.job, error.code, error.message, error.hint)
            self._close_stdin()  # the other side would go on for nothing
        if isinstance(message, Finished | JobCancelled | Failed):
            self._carry_no_more()
        return message

    def _carry_no_more(self) -> None:
        if self._carrier is not None:
            self._carrier.drop()
        self._carrier = None

    def _send(self, message: Message) -> None:
        if self._child.stdin is None or self._child.stdin.closed:
            return
        with contextlib.suppress(OSError):  # it died: the next poll says so
            self._child.stdin.write(encode(message).encode("ascii") + b"\n")
            self._child.stdin.flush()

    def _new_lines(self) -> list[bytes]:
        *lines, self._partial = (self._partial + self._events.read()).split(b"\n")
        lines = [line for line in lines if line.strip()]
        if self._remote and self.hello is None:  # a shell on the way may print its greetings
            lines = [line for line in lines if line.startswith(b"{")]
        return lines

    def _heard(self, line: bytes) -> Message:
        try:
            message = decode(line)
        except PianoHandsError as error:
            if error.code == "wrong-protocol":
                self._child.kill()  # nothing it says can be relied upon
            return Failed(None, error.code, error.message, error.hint)
        if isinstance(message, Hello):
            self.hello = message
        if isinstance(message, Hello | Finished | JobCancelled | Failed):
            self._deadline = None
        return message

    def _end_by_force(self) -> None:
        if self._terminated:
            self._child.kill()
        else:
            self._child.terminate()
        self._terminated = True
        self._deadline = time.monotonic() + KILL_PATIENCE
