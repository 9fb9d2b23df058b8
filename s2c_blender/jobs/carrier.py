# SPDX-License-Identifier: GPL-3.0-or-later
"""One job's files on their way to a backend on another machine and back: the piece goes up, clip and sound come down. No bpy."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ..wire.errors import PianoHandsError, write_failed
from ..wire.messages import Chunk, FileBegins, Finished, Generate, Message, Progress, Received
from ..wire.transfer import LARGEST_RESULT, LARGEST_UPLOAD, Incoming, Outgoing, bad_transfer

SENDING, FETCHING = TRAVELS = ("sending", "fetching")  # stages that are no part of the work


class Carrier:
    """Nothing of ours is written but beside the job's outputs, and they are put in place only when all has come."""

    def __init__(self, request: Generate, send: Callable[[Message], None]) -> None:
        """Raises PianoHandsError('no-file', 'too-large')."""
        self._request = request
        self._send = send
        self._results: dict[str, Incoming] = {}
        self._upload = Outgoing(Path(request.input), job=request.job, role="input")
        if self._upload.size > LARGEST_UPLOAD:
            self._upload.close()
            size = f"{self._upload.size / 1e6:.0f} MB, and at most {LARGEST_UPLOAD / 1e6:.0f}"
            raise PianoHandsError(
                "too-large",
                f"{Path(request.input).name} has {size} are sent.",
                "Compress the recording, or cut it.",
            )

    @property
    def job(self) -> str:
        return self._request.job

    def begin(self) -> None:
        """Once the other side has greeted."""
        self._send(self._upload.begins())

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
        self._upload.close()
        for file in self._results.values():
            file.close()
            with contextlib.suppress(OSError):  # it is in place already
                file.path.unlink(missing_ok=True)

    def _go_on(self, message: Received) -> Progress:
        upload, request = self._upload, self._request
        if message.role != "input" or message.count != upload.count:
            raise bad_transfer(f"{message.count} chunks were received of {upload.count}")
        if not upload.complete:
            self._send(upload.next_chunk())
        else:
            upload.close()
            sound = Path(request.audio_output).name if request.audio_output else None
            name = upload.begins().name
            self._send(replace(request, input=name, output=Path(request.output).name, audio_output=sound, carried=True))
        return Progress(request.job, SENDING, upload.sent, max(1, upload.size))

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
