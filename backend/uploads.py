# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of jobs whose add-on is on another machine: taken into a temporary folder of our own, and sent back from there."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Chunk, FileBegins, FileRole, Generate, Message, Received
from s2c_blender.wire.transfer import LARGEST_UPLOAD, Incoming, Outgoing, bad_transfer, check_name

_MOST = 4  # uploads at a time, so that nobody fills the disk with beginnings
_SPARE = 500_000_000  # bytes of the disk that uploads leave free
_CLIP, _SOUND = "take.npz", "take.wav"


class Uploads:
    """By job. No path from the other side is ever used: a folder for each job, and in it the upload under its plain name."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._files: dict[str, Incoming] = {}

    def begin(self, begins: FileBegins) -> Received:
        """Raises PianoHandsError('bad-transfer', 'write-failed')."""
        if begins.role != "input" or begins.job in self._files:
            raise bad_transfer("an upload was announced that nobody can wait for")
        if len(self._files) >= _MOST:
            raise bad_transfer(f"{_MOST} uploads are under way")
        check_name(begins.name)
        folder = self._make_folder(begins.job)
        try:
            if begins.size + _SPARE > shutil.disk_usage(folder).free:
                raise bad_transfer(f"the other machine has no space for {begins.size / 1e6:.0f} MB")
            self._files[begins.job] = Incoming(begins, folder / begins.name, largest=LARGEST_UPLOAD)
        except PianoHandsError:
            self.forget(begins.job)
            raise
        return Received(begins.job, "input", 0)

    def take(self, chunk: Chunk) -> Received:
        """Raises PianoHandsError('bad-transfer', 'write-failed'); what was received so far is gone then."""
        file = self._files.get(chunk.job)
        if file is None or chunk.role != "input":
            raise bad_transfer("a chunk came of a file that was not announced")
        try:
            file.take(chunk)
        except PianoHandsError:
            self.forget(chunk.job)
            raise
        return Received(chunk.job, "input", file.count)

    def received(self, request: Generate) -> Generate:
        """The request with paths of this machine. Raises PianoHandsError('bad-transfer')."""
        file = self._files.get(request.job)
        if file is None or not file.complete:
            raise bad_transfer("the job's file has not come whole")
        file.close()
        folder = file.path.parent
        sound = str(folder / _SOUND) if request.audio_output else None
        if file.path.name in (_CLIP, _SOUND):  # a result may not be written over what it is made from
            folder = folder / "made"
            folder.mkdir()
            sound = str(folder / _SOUND) if sound else None
        return replace(request, input=str(file.path), output=str(folder / _CLIP), audio_output=sound)

    def send_back(self, request: Generate, send: Callable[[Message], None], ended: Callable[[], bool]) -> None:
        """The results of a job of `received`. Raises Cancelled when nobody is there to hear any more."""
        results: tuple[tuple[FileRole, str | None], ...] = (("clip", request.output), ("sound", request.audio_output))
        for role, path in results:
            if path is None:
                continue
            file = Outgoing(Path(path), job=request.job, role=role)
            try:
                send(file.begins())
                while not file.complete:
                    if ended():
                        raise Cancelled
                    send(file.next_chunk())
            finally:
                file.close()

    def forget(self, job: str) -> None:
        """Remove what belongs to a job."""
        file = self._files.pop(job, None)
        if file is not None:
            file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder / job, ignore_errors=True)

    def close(self) -> None:
        for job in list(self._files):
            self.forget(job)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _make_folder(self, job: str) -> Path:
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="piano_hands_"))
            folder = self._folder / job  # a job's name is letters, digits, - and _ alone
            folder.mkdir()
        except OSError as error:
            raise PianoHandsError(
                "write-failed", f"The other machine has no room for files: {error.strerror or error}.", "Free some space there."
            ) from error
        return folder
