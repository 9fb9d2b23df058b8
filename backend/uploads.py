# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of jobs whose add-on is on another machine: taken into a temporary folder of our own, and sent back from there."""

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Chunk, FileBegins, FileRole, Generate, Message, Received
from s2c_blender.wire.transfer import LARGEST_UPLOAD, Incoming, Outgoing, bad_transfer, check_name, given_files

_MOST = 4  # uploads at a time, so that nobody fills the disk with beginnings
_SPARE = 500_000_000  # bytes of the disk that uploads leave free
_GIVEN: tuple[FileRole, ...] = ("input", "recording", "mano")
_CLIP, _SOUND = "take.npz", "take.wav"


class Uploads:
    """By job and role. No path from the other side is ever used: each upload has a folder for its plain name."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._files: dict[str, dict[FileRole, Incoming]] = {}

    def begin(self, begins: FileBegins) -> Received:
        """Raises PianoHandsError('bad-transfer', 'write-failed')."""
        if begins.role not in _GIVEN or begins.role in self._files.get(begins.job, {}):
            raise bad_transfer("an upload was announced that nobody can wait for")
        if begins.job not in self._files and len(self._files) >= _MOST:
            raise bad_transfer(f"{_MOST} uploads are under way")
        check_name(begins.name)
        folder = self._make_folder(begins.job, begins.role)
        try:
            if begins.size + _SPARE > shutil.disk_usage(folder).free:
                raise bad_transfer(f"the other machine has no space for {begins.size / 1e6:.0f} MB")
            file = Incoming(begins, folder / begins.name, largest=LARGEST_UPLOAD)
        except PianoHandsError:
            self.forget(begins.job)
            raise
        self._files.setdefault(begins.job, {})[begins.role] = file
        return Received(begins.job, begins.role, 0)

    def take(self, chunk: Chunk) -> Received:
        """Raises PianoHandsError('bad-transfer', 'write-failed'); what was received so far is gone then."""
        file = self._files.get(chunk.job, {}).get(chunk.role)
        if file is None:
            raise bad_transfer("a chunk came of a file that was not announced")
        try:
            file.take(chunk)
        except PianoHandsError:
            self.forget(chunk.job)
            raise
        return Received(chunk.job, chunk.role, file.count)

    def received(self, request: Generate) -> Generate:
        """The request with paths of this machine. Raises PianoHandsError('bad-transfer')."""
        files = self._files.get(request.job, {})
        if any(role not in files or not files[role].complete for role in given_files(request)):
            raise bad_transfer("the job's files have not come whole")
        for file in files.values():
            file.close()
        folder = files["input"].path.parents[1]
        sound = str(folder / _SOUND) if request.audio_output else None
        here: dict[str, str] = {role: str(files[role].path) for role in given_files(request)}
        return replace(request, **here, output=str(folder / _CLIP), audio_output=sound)

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
        for file in self._files.pop(job, {}).values():
            file.close()
        if self._folder is not None:
            shutil.rmtree(self._folder / job, ignore_errors=True)

    def close(self) -> None:
        for job in list(self._files):
            self.forget(job)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _make_folder(self, job: str, role: FileRole) -> Path:
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="piano_hands_"))
            folder = self._folder / job / role  # a job's name is letters, digits, - and _ alone
            folder.mkdir(parents=True)
        except OSError as error:
            raise PianoHandsError(
                "write-failed", f"The other machine has no room for files: {error.strerror or error}.", "Free some space there."
            ) from error
        return folder
