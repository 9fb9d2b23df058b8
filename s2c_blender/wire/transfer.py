# SPDX-License-Identifier: GPL-3.0-or-later
"""Files inside messages, for two sides that share no disk: cut into chunks, read as strictly as any other message.

Upwards each chunk waits until the one before was received: a pipe never holds more than one, so writing to it never blocks.
"""

import base64
import binascii
import re
from pathlib import Path

from .errors import PianoHandsError, write_failed
from .messages import Chunk, FileBegins, FileRole, Generate

CHUNK_BYTES = 32_768
LARGEST_UPLOAD = 1_000_000_000  # bytes: more than an hour and a half of a CD's sound
LARGEST_RESULT = 4_000_000_000  # a day of motion, six hours of sound

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')  # on one system or another
_LONGEST_NAME = 100


def given_files(request: Generate) -> dict[FileRole, str]:
    """The files of the person that a job reads, by the name of their field."""
    given: tuple[tuple[FileRole, str | None], ...] = (
        ("input", request.input),
        ("recording", request.recording),
        ("mano", request.mano),
    )
    return {role: path for role, path in given if path is not None}


class Outgoing:
    """A file to be sent. Raises PianoHandsError('no-file') where it cannot be read."""

    def __init__(self, path: Path, *, job: str, role: FileRole) -> None:
        try:
            self.size = path.stat().st_size
            self._file = open(path, "rb")  # noqa: SIM115 - closed in close()
        except OSError as error:
            raise _unreadable(path, error) from error
        self._path, self._job = path, job
        self.role: FileRole = role
        self.sent = 0
        self.count = 0  # of chunks

    @property
    def complete(self) -> bool:
        return self.sent >= self.size

    def begins(self) -> FileBegins:
        return FileBegins(self._job, self.role, sendable_name(self._path.name), self.size)

    def next_chunk(self) -> Chunk:
        """While not `complete`. Raises PianoHandsError('no-file')."""
        try:
            piece = self._file.read(min(CHUNK_BYTES, self.size - self.sent))
        except OSError as error:
            raise _unreadable(self._path, error) from error
        if not piece:
            raise PianoHandsError("no-file", f"{self._path.name} became shorter while it was sent.", "Try again.")
        chunk = Chunk(self._job, self.role, self.count, base64.b64encode(piece).decode("ascii"))
        self.sent += len(piece)
        self.count += 1
        return chunk

    def close(self) -> None:
        self._file.close()


class Incoming:
    """A file that is being received into `path`, which must be new. Raises PianoHandsError('bad-transfer', 'write-failed')."""

    def __init__(self, begins: FileBegins, path: Path, *, largest: int) -> None:
        if not 0 <= begins.size <= largest:
            raise bad_transfer(f"{begins.size} bytes are announced, and at most {largest} are taken")
        self.size, self.path = begins.size, path
        self.received = 0
        self.count = 0  # of chunks
        try:
            self._file = open(path, "xb")  # noqa: SIM115 - closed in close()
        except OSError as error:
            raise write_failed(path, error) from error

    @property
    def complete(self) -> bool:
        return self.received == self.size

    def take(self, chunk: Chunk) -> None:
        """The next chunk, whole and within what was announced. Raises PianoHandsError('bad-transfer', 'write-failed')."""
        if chunk.index != self.count:
            raise bad_transfer(f"chunk {chunk.index} came in place of chunk {self.count}")
        try:
            piece = base64.b64decode(chunk.data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise bad_transfer(f"chunk {chunk.index} is no base64") from error
        if not 0 < len(piece) <= CHUNK_BYTES or self.received + len(piece) > self.size:
            raise bad_transfer(f"chunk {chunk.index} has {len(piece)} bytes, which does not fit what was announced")
        try:
            self._file.write(piece)
            if self.received + len(piece) == self.size:
                self._file.close()
        except OSError as error:
            raise write_failed(self.path, error) from error
        self.received += len(piece)
        self.count += 1

    def close(self) -> None:
        """The file stays; who has no use for half of one removes it."""
        self._file.close()


def sendable_name(name: str) -> str:
    """A file's name without what some systems do not allow in one."""
    plain = _NOT_IN_NAMES.sub("_", name).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return (
        f"{stem[: _LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if dot and len(suffix) < 10 else plain[:_LONGEST_NAME] or "piece"
    )


def check_name(name: str) -> None:
    """A plain name that leads nowhere. Raises PianoHandsError('bad-transfer')."""
    if not name or len(name) > _LONGEST_NAME or sendable_name(name) != name:
        raise bad_transfer("a file's name is no plain name")


def bad_transfer(what: str) -> PianoHandsError:
    return PianoHandsError("bad-transfer", f"A file could not be carried over: {what}.", "Try again.")


def _unreadable(path: Path, error: OSError) -> PianoHandsError:
    return PianoHandsError("no-file", f"{path} cannot be read: {error.strerror or error}.", "Choose another file.")
