# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as a server: commands from stdin, messages to stdout, one job at a time; a file or the end of stdin cancels it.

A model stays loaded between jobs, and goes when none has come for a while.
"""

import os
import select
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import (
    Chunk,
    Failed,
    FileBegins,
    Finished,
    Generate,
    JobCancelled,
    Message,
    Progress,
    Shutdown,
    Warned,
    decode,
    encode,
)

from . import config
from .kept_model import KeptModel
from .uploads import Uploads

REPORT_INTERVAL = 0.05  # seconds between two progress messages of one stage
LONGEST_LINE = 262_144  # bytes; the longest message, a chunk of a file, has a sixth of that
_WAITING = 4 * LONGEST_LINE  # bytes taken in while a job runs; more waits in the pipe
_CHUNK = 65536
_SHOWN = 100  # bytes of a line that is too long
_GLANCE = 0.05  # seconds between two looks at a pipe, where no call waits for it


def serve(session: Path, *, idle: float = config.IDLE_SECONDS) -> int:
    """Answer commands until told to shut down or until stdin ends; returns the exit code.

    After `idle` seconds without a command a model's memory is given back.
    """
    write = _claim_stdout()
    commands = _Commands(sys.stdin.fileno())
    models, uploads = KeptModel(), Uploads()

    def send(message: Message) -> None:
        write.write(encode(message) + "\n")
        write.flush()

    send(config.hello())
    try:
        while (line := _next_line(commands, models, idle)) is not None:
            if not line.strip():
                continue
            try:
                command = decode(line)
            except PianoHandsError as error:
                send(_failure(None, error))
                continue
            if isinstance(command, Shutdown):
                break
            if isinstance(command, Generate):
                send(_run(command, _Job(command.job, session, send=send, ended=commands.ended), models, uploads))
            else:
                send(_take_in(command, uploads))
    finally:
        uploads.close()
    return 0


def _take_in(command: Message, uploads: Uploads) -> Message:
    """A piece of an upload."""
    if not isinstance(command, FileBegins | Chunk):
        return _failure(None, PianoHandsError("bad-message", f"Not a command: {type(command).__name__}."))
    try:
        return uploads.begin(command) if isinstance(command, FileBegins) else uploads.take(command)
    except PianoHandsError as error:
        return _failure(command.job, error)


def _next_line(commands: "_Commands", models: KeptModel, idle: float) -> bytes | None:
    if models.held and not commands.come_within(idle) and models.let_go():
        print(f"idle for {idle:g} s: the model's memory is given back", file=sys.stderr, flush=True)
    return commands.next_line()


def _run(request: Generate, job: "_Job", models: KeptModel, uploads: Uploads) -> Message:
    from . import pipeline

    try:
        if not request.carried:
            return Finished(request.job, str(pipeline.generate(request, job, models)))
        request = uploads.received(request)
        made = pipeline.generate(request, job, models)
        uploads.send_back(request, job.send, job.ended)
        return Finished(request.job, made.name)
    except Cancelled:
        return JobCancelled(request.job)
    except PianoHandsError as error:
        return _failure(request.job, error)
    except MemoryError:
        return _failure(
            request.job,
            PianoHandsError("out-of-memory", "The memory ran out.", "Limit the seconds, or cut the file into its movements."),
        )
    except Exception as error:
        traceback.print_exc()
        return _failure(
            request.job,
            PianoHandsError(
                "internal", f"Something went wrong inside: {type(error).__name__}: {error}.", "Copy the report and send it to us."
            ),
        )
    finally:
        uploads.forget(request.job)


class _Job:
    """The wire's end of a job: progress goes out, a wish to cancel comes in."""

    def __init__(self, name: str, session: Path, *, send: Callable[[Message], None], ended: Callable[[], bool]) -> None:
        self._name = name
        self._cancel_file = session / f"cancel-{name}"
        self.send = send
        self.ended = ended
        self._last = ("", -1.0)  # stage and time of the last progress message

    def report(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        last_stage, last_time = self._last
        if stage == last_stage and done < total and now - last_time < REPORT_INTERVAL:
            return
        self._last = (stage, now)
        self.send(Progress(self._name, stage, int(done), int(total)))

    def warn(self, warning: PianoHandsError) -> None:
        self.send(Warned(self._name, warning.code, warning.message, warning.hint))

    def cancelled(self) -> bool:
        return self._cancel_file.exists() or self.ended()


class _Commands:
    """Lines from a pipe, and whether it has ended, looked up without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read = b""
        self._over = False

    def next_line(self) -> bytes | None:
        """Wait for the next line; None at the end. Of a line that is too long the beginning alone, which is no message."""
        while b"\n" not in self._read and not self._over and len(self._read) <= LONGEST_LINE:
            self._take()
        if b"\n" not in self._read and not self._over:
            return self._cut_off()
        line, _, self._read = self._read.partition(b"\n")
        return line if line or self._read or not self._over else None

    def _cut_off(self) -> bytes:
        """Pass over the rest of a line that nobody can mean."""
        beginning = self._read[:_SHOWN]
        while b"\n" not in self._read and not self._over:
            self._read = b""
            self._take()
        self._read = self._read.partition(b"\n")[2]
        return beginning

    def ended(self) -> bool:
        while not self._over and len(self._read) < _WAITING and _readable(self._descriptor):
            self._take()
        return self._over

    def come_within(self, seconds: float) -> bool:
        """Wait for something to read, or for the end; returns whether it came in time."""
        return bool(self._read) or self._over or _readable(self._descriptor, within=seconds)

    def _take(self) -> None:
        chunk = os.read(self._descriptor, _CHUNK)
        self._over = not chunk
        self._read += chunk


def _readable(descriptor: int, *, within: float = 0.0) -> bool:
    """Whether a read would return at once, be it with the end; now, or before so many seconds have passed."""
    if os.name != "nt":
        return bool(select.select([descriptor], [], [], within)[0])
    # Windows has no select for pipes.
    until = time.monotonic() + within
    while not (come := _peek(descriptor)) and time.monotonic() < until:
        time.sleep(_GLANCE)
    return come


def _peek(descriptor: int) -> bool:
    assert sys.platform == "win32"
    import _winapi
    import msvcrt

    try:
        return _winapi.PeekNamedPipe(msvcrt.get_osfhandle(descriptor), 0)[0] > 0
    except BrokenPipeError:
        return True
    except OSError:
        return False  # a console, which ends only by hand


def _claim_stdout() -> TextIO:
    """Keep the real stdout for messages; what prints from here on, Python or C, goes to stderr."""
    messages = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return messages


def _failure(job: str | None, error: PianoHandsError) -> Failed:
    return Failed(job, error.code, error.message, error.hint)
