# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that setup works in, and its record of what it made there: nothing else is ever changed or removed."""

import json
import os
import shutil
from pathlib import Path

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError, write_failed

_OURS = (places.ENVIRONMENT, places.CHECKPOINT, places.DOWNLOADS)


class SetupFolder:
    """`made` are the names in the folder that setup brought into being, written down before each is."""

    def __init__(self, path: Path) -> None:
        record = places.read_record(path)
        if record is None and (path / places.RECORD).exists():
            raise PianoHandsError(
                "not-ours",
                f"{path / places.RECORD} was not written by this version, so it cannot say what may be changed there.",
                "Give another folder with --into.",
            )
        record = record or {}
        self.path = path
        # A name that setup never makes is passed over, whoever wrote it there.
        self.made: list[str] = [name for name in _OURS if name in record.get("made", [])]
        self.folder_made = record.get("folder_made") is True
        self.ready = record.get("ready") is True
        self.build = str(record.get("build", ""))

    def open(self) -> None:
        """Make the folder and its record. Raises PianoHandsError('write-failed')."""
        try:
            self.folder_made |= not self.path.exists()
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failed(self.path, error) from error
        self.save()

    def claim(self, name: str) -> Path:
        """A path that setup may now make. Raises PianoHandsError('not-ours') for what was there before."""
        target = self.path / name
        if name not in self.made:
            if os.path.lexists(target):
                raise PianoHandsError(
                    "not-ours", f"{target} is there already, and setup did not make it.", "Give another folder with --into."
                )
            self.made.append(name)
            self.save()
        return target

    def drop(self, name: str) -> None:
        """Remove something that setup made. Raises PianoHandsError('not-removed')."""
        if name in self.made:
            _remove(self.path / name)
            self.made.remove(name)
            self.save()

    def drop_if_empty(self, name: str) -> None:
        if not any((self.path / name).iterdir()):
            self.drop(name)

    def save(self) -> None:
        content = {
            "format": places.FORMAT,
            "made": self.made,
            "folder_made": self.folder_made,
            "ready": self.ready,
            "build": self.build,
        }
        temporary = self.path / f"{places.RECORD}.new"
        try:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            os.replace(temporary, self.path / places.RECORD)
        except OSError as error:
            raise write_failed(self.path / places.RECORD, error) from error

    def remove_all(self) -> list[str]:
        """Take away all that setup made, and the folder if that was its own and is empty; returns the names.

        Raises PianoHandsError('nothing-made', 'not-removed').
        """
        if places.read_record(self.path) is None:
            raise PianoHandsError(
                "nothing-made", f"Setup has made nothing in {self.path}.", "Give the folder that it was run with, by --into."
            )
        self.ready = False
        self.save()  # so that nobody starts a Python that is half gone
        gone = list(self.made)
        for name in gone:
            self.drop(name)
        (self.path / places.RECORD).unlink(missing_ok=True)
        if self.folder_made and not any(self.path.iterdir()):
            self.path.rmdir()
        return gone


def size_of(path: Path) -> int:
    """Bytes of a folder's files; 0 where there is none."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - ten thousand files
            except OSError:
                continue  # it went meanwhile
    return total


def _remove(path: Path) -> None:
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()  # the link, never what it leads to
        elif path.exists():
            shutil.rmtree(path)
    except OSError as error:
        raise PianoHandsError(
            "not-removed",
            f"{error.filename or path} could not be removed: {error.strerror or error}.",
            "Close Blender and other programs that use it, then run the same command again.",
        ) from error
