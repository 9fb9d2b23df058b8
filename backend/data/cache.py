# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoded sound and poses, kept beside the data set: an epoch then reads memory-mapped arrays, and neither JSON nor MP3.

One folder an item; it is made anew when the annotation or the sound changes.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError, write_failed

from ..listen.audio import read_mono
from ..s2c.config import SAMPLE_RATE
from .annotation import Annotation, BrokenItem, read
from .layout import COLUMNS, Item

FORMAT = 1
FOLDER = "cache"
_FULL_SCALE = 32767.0  # of sound in 16 bits


@dataclass(frozen=True)
class Recorded:
    """One item, decoded. frames: (2, T, 52), adjusted; sound: (samples,) int16 at 16 kHz; loudness: its mean and spread.

    start: seconds of the video at which the item begins (its notes are the video's).
    """

    item: Item
    frames: NDArray[np.float32]
    sound: NDArray[np.int16]
    fps: float
    loudness: tuple[float, float]
    start: float

    @property
    def seconds(self) -> float:
        """As far as there are both frames and sound."""
        return min(self.frames.shape[1] / self.fps, len(self.sound) / SAMPLE_RATE)

    def heard(self, begin: int, count: int) -> NDArray[np.float32]:
        """Samples in [-1, 1], with silence after the end."""
        piece = self.sound[begin : begin + count].astype(np.float32) / np.float32(_FULL_SCALE)
        return np.pad(piece, (0, count - len(piece)))


@dataclass(frozen=True)
class Cache:
    """Where an item is decoded to. `adjust`: whether films are brought to one camera, as the published commands do.

    `silent`: sound is not read, and need not be there.
    """

    root: Path
    folder: Path
    adjust: bool = True
    silent: bool = False

    @staticmethod
    def of(root: Path, folder: Path | None = None) -> "Cache":
        return Cache(root, folder or root / FOLDER)

    def place(self, item: Item) -> Path:
        return (
            self.folder
            / item.uploader
            / item.video
            / f"{item.name}{'' if self.adjust else '.plain'}{'.silent' if self.silent else ''}"
        )

    def load(self, item: Item) -> Recorded:
        """Decoded now, or before. Raises BrokenItem, PianoHandsError('write-failed')."""
        place = self.place(item)
        stamp = self._stamp(item)
        kept = _kept(place, item, stamp)
        if kept is not None:
            return kept
        self._decode(item, place, stamp)
        kept = _kept(place, item, stamp)
        if kept is None:
            raise BrokenItem("what was decoded cannot be read back")
        return kept

    def _stamp(self, item: Item) -> list[int]:
        """Sizes and times of the sources. Raises BrokenItem for what is missing."""
        stamp = list[int]()
        sources = [("annotation", item.annotation(self.root)), ("sound", item.audio(self.root))]
        for what, path in sources[: 1 if self.silent else 2]:
            try:
                status = path.stat()
            except OSError as error:
                raise BrokenItem(f"there is no {what}") from error
            stamp += [status.st_size, status.st_mtime_ns]
        return stamp

    def _decode(self, item: Item, place: Path, stamp: list[int]) -> None:
        annotation = read(item.annotation(self.root))
        sound = _silence(annotation) if self.silent else _sound(item.audio(self.root))
        stage = place.with_name(f".{place.name}.{os.getpid()}.new")
        try:
            stage.mkdir(parents=True, exist_ok=True)
            np.save(stage / "frames.npy", annotation.adjusted() if self.adjust else annotation.frames)
            np.save(stage / "sound.npy", sound)
            (stage / "about.json").write_text(json.dumps(_about(annotation, sound, stamp)), encoding="utf-8")
            if place.exists():
                shutil.rmtree(place)
            os.replace(stage, place)
        except OSError as error:
            if not (place / "about.json").exists():  # another process may have been faster
                raise write_failed(place, error) from error
        finally:
            shutil.rmtree(stage, ignore_errors=True)


def _about(annotation: Annotation, sound: NDArray[np.int16], stamp: list[int]) -> dict[str, Any]:
    scaled = sound.astype(np.float64) / _FULL_SCALE
    return {
        "format": FORMAT,
        "stamp": stamp,
        "fps": annotation.fps,
        "start": annotation.start,
        "loudness": [float(scaled.mean()), float(np.sqrt(scaled.var() + 1e-7))],
    }


def _silence(annotation: Annotation) -> NDArray[np.int16]:
    return np.zeros(int(np.ceil(annotation.frames.shape[1] / annotation.fps * SAMPLE_RATE)), np.int16)


def _sound(path: Path) -> NDArray[np.int16]:
    try:
        sound = read_mono(path, rate=SAMPLE_RATE)
    except PianoHandsError as error:
        raise BrokenItem(error.message.rstrip(".")) from error
    return np.round(np.clip(sound, -1.0, 1.0) * _FULL_SCALE).astype(np.int16)


def _kept(place: Path, item: Item, stamp: list[int]) -> Recorded | None:
    """What lies there, if it is whole and newer than its sources."""
    try:
        about = json.loads((place / "about.json").read_bytes())
        if about["format"] != FORMAT or about["stamp"] != stamp:
            return None
        frames = np.load(place / "frames.npy", mmap_mode="r", allow_pickle=False)
        sound = np.load(place / "sound.npy", mmap_mode="r", allow_pickle=False)
        if frames.ndim != 3 or frames.shape[0::2] != (2, COLUMNS) or sound.ndim != 1:
            return None
        mean, spread = about["loudness"]
        return Recorded(item, frames, sound, float(about["fps"]), (float(mean), float(spread)), float(about["start"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
