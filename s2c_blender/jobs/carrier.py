# SPDX-License-Identifier: GPL-3.0-or-later
"""One job's files on their way to a backend on another machine and back: what is given goes up, what is made comes down. No bpy."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..wire.errors import PianoHandsError, write_failed
from ..wire.messages import Chunk, FileBegins, FileRole, Finished, Generate, Message, Progress, Received
from ..wire.transfer import LARGEST_RESULT, LARGEST_UPLOAD, Incoming, Outgoing, bad_transfer, given_files

SENDING, FETCHING = TRAVELS = ("sending", "fetching")  # stages that are no part of the work


class Carrier:
    """Nothing of ours is written but beside the job's outputs, and they are put in place only when all has come."""

    def __init__(self, request: Generate, send: Callable[[Message], None]) -> None:
        """Raises PianoHandsError('no-file', 'too-large')."""
        self._request = request
        self._send = send
        self._results: dict[str, Incoming] = {}
        self._uploads: list[Outgoing] = []  # one after the other
        try:
            for role, path in given_files(request).items():
                self._uploads.append(_upload(Path(path), request.job, role))
        except PianoHandsError:
            self.drop()
            raise

    @property
    def job(self) -> str:
        return self._request.job

    def begin(self) -> None:
        """Once the other side has greeted."""
        self._send(self._uploads[0].begins())

    def hear(self, message: Message) -> Message:
        """Answer what belongs to the files; returns what is to be made known. Raises PianoHandsError for what goes wrong."""
        if getattr(message, "job", None) != self._request.job:
            return message
        if isinstance(message, Received):
            return self._go_on(message)
        if isinstance(message, FileBegins):
            return self._expect(message)
        if isinstance(message, Chunk):
            return self._take(message)
        return self._finish() if isinstance(message, Finished) else message

    def drop(self) -> None:
        """Close everything, and remove half files."""
        for upload in self._uploads:
            upload.close()
        for file in self._results.values():
            file.close()
            with contextlib.suppress(OSError):  # it is in place already
                file.path.unlink(missing_ok=True)

    def _go_on(self, message: Received) -> Progress:
        at = next((index for index, upload in enumerate(self._uploads) if upload.role == message.role), None)
        if at is None or message.count != self._uploads[at].count:
            raise bad_transfer(f"{message.count} chunks of {message.role} were received")
        upload, request = self._uploads[at], self._request
        if not upload.complete:
            self._send(upload.next_chunk())
        else:
            upload.close()
            self._send(self._uploads[at + 1].begins() if at + 1 < len(self._uploads) else self._carried())
        whole = sum(each.size for each in self._uploads)
        return Progress(request.job, SENDING, sum(each.sent for each in self._uploads), max(1, whole))

    def _carried(self) -> Generate:
        """The request as the other side may know it: plain names alone."""
        request = self._request
        names: dict[str, str] = {upload.role: upload.begins().name for upload in self._uploads}
        sound = Path(request.audio_output).name if request.audio_output else None
        return replace(request, **names, output=Path(request.output).name, audio_output=sound, carried=True)

    def _expect(self, message: FileBegins) -> Progress:
        target = self._target(message.role)
        if target is None or message.role in self._results:
            raise bad_transfer(f"a file came that nobody asked for ({message.role})")
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # of a Blender that died
        self._results[message.role] = Incoming(message, temporary, largest=LARGEST_RESULT)
        return Progress(self._request.job, FETCHING, 0, max(1, message.size))

    def _take(self, message: Chunk) -> Progress:
        file = self._results.get(message.role)
        if file is None:
            raise bad_transfer("a chunk came of a file that was not announced")
        file.take(message)
        return Progress(self._request.job, FETCHING, file.received, max(1, file.size))

    def _finish(self) -> Finished:
        wanted = ["clip", "sound"] if self._request.audio_output else ["clip"]
        if any(role not in self._results or not self._results[role].complete for role in wanted):
            raise bad_transfer("the take has not come whole")
        for role in reversed(wanted):  # the clip last
            target, file = self._target(role), self._results[role]
            assert target is not None
            try:
                file.close()
                os.replace(file.path, target)
            except OSError as error:
                raise write_failed(target, error) from error
        return Finished(self._request.job, self._request.output)

    def _target(self, role: str) -> Path | None:
        path = {"clip": self._request.output, "sound": self._request.audio_output}.get(role)
        return Path(path) if path else None


def _upload(path: Path, job: str, role: FileRole) -> Outgoing:
    upload = Outgoing(path, job=job, role=role)
    if upload.size > LARGEST_UPLOAD:
        upload.close()
        size = f"{upload.size / 1e6:.0f} MB, and at most {LARGEST_UPLOAD / 1e6:.0f}"
        raise PianoHandsError("too-large", f"{path.name} has {size} are sent.", "Compress the recording, or cut it.")
    return upload
