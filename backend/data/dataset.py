# SPDX-License-Identifier: GPL-3.0-or-later
"""A split's items, and windows cut out of them: frames at 30 a second and the sound beside them, as the published code cuts."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError

from ..s2c.config import SAMPLE_RATE
from .annotation import BrokenItem
from .cache import Cache, Recorded
from .layout import ANNOTATION, FPS, KNOWN_BROKEN, SPLITS, Item

SHUFFLED_BY = 2014  # the published seed
PUBLISHED_UPLOADERS = ("1467634", "66685747")  # whom the published position predictor and evaluation learn from
TINY = 50  # items of `tiny`


@dataclass(frozen=True)
class Window:
    """frames: (2, N, 52) at 30 a second, metres and radians; begin: its first frame in the item, at the film's rate;
    sound_begin: its first sample at 16 kHz."""

    recorded: Recorded
    frames: NDArray[np.float32]
    begin: int
    sound_begin: int

    @property
    def time(self) -> float:
        """Seconds from the item's beginning."""
        return self.begin / self.recorded.fps


def items_of(root: Path, split: str, *, uploaders: Sequence[str] = ()) -> list[Item]:
    """In the published order of videos, each video's sequences by name; `uploaders`: these alone.

    Raises PianoHandsError('bad-data').
    """
    lines = _lines(root, split)
    random.Random(SHUFFLED_BY).shuffle(lines)
    found = list[Item]()
    for line in lines:
        parts = line.split()
        if len(parts) != 2 or any(part in (".", "..") or "/" in part or "\\" in part for part in parts):
            raise bad_data(f"{split}.txt has the line {line[:80]!r}, which is no uploader and video.")
        uploader, video = parts
        if uploaders and uploader not in uploaders:
            continue
        folder = root / ANNOTATION / uploader / video
        found += [Item(uploader, video, path.stem) for path in sorted(folder.glob("*.json"))]
    return [item for item in found if (item.uploader, item.video, item.name) not in KNOWN_BROKEN]


def _lines(root: Path, split: str) -> list[str]:
    if split not in SPLITS:
        raise PianoHandsError("bad-setting", f"There is no split {split!r}.", f"Choose one of {', '.join(SPLITS)}.")
    try:
        text = (root / f"{split}.txt").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise bad_data(f"{root / f'{split}.txt'} cannot be read: {error}.") from error
    return [line for line in text.splitlines() if line.strip()]


def bad_data(what: str) -> PianoHandsError:
    return PianoHandsError(
        "bad-data", what, "Give a folder with annotation/, audio/, midi/ and train.txt, valid.txt, test.txt: see data check."
    )


@dataclass(frozen=True)
class Cut:
    """How windows are cut: `frames` at 30 a second. `stride`: random windows begin at its multiples, in the film's frames."""

    frames: int = 240
    stride: int = 1

    @property
    def seconds(self) -> float:
        return self.frames / FPS

    def latest(self, recorded: Recorded) -> int:
        """The last frame at which a whole window begins. Raises BrokenItem for what is shorter."""
        length = recorded.frames.shape[1]
        audible = math.floor(len(recorded.sound) / SAMPLE_RATE * recorded.fps)
        latest = min(length, audible) - self.source(recorded)
        if latest < 0:
            raise BrokenItem(f"it lasts {recorded.seconds:.1f} s, and a window {self.seconds:g} s")
        return latest

    def source(self, recorded: Recorded) -> int:
        """Frames of the film in a window."""
        return int(self.seconds * recorded.fps)

    def first(self, recorded: Recorded) -> Window:
        self.latest(recorded)
        return self.at(recorded, 0)

    def drawn(self, recorded: Recorded, draw: random.Random) -> Window:
        latest = self.latest(recorded)
        return self.at(recorded, draw.randint(0, latest // self.stride) * self.stride)

    def at(self, recorded: Recorded, begin: int) -> Window:
        """The window from a frame of the film on. Frames and sound need not have quite the same length: shares are compared."""
        frames = recorded.frames[:, begin : begin + self.source(recorded)]
        if recorded.fps != FPS:
            frames = resampled(frames, self.frames)
        sound_begin = math.ceil(len(recorded.sound) * (begin / recorded.frames.shape[1]))
        return Window(recorded, np.ascontiguousarray(frames), begin, sound_begin)


def resampled(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(2, T, C) to (2, count, C) in straight lines between the middles of frames, all columns, the visible flag too.

    The ends hold (torch.nn.functional.interpolate, mode linear, align_corners off).
    """
    length = frames.shape[1]
    at = np.maximum((np.arange(count) + 0.5) * (length / count) - 0.5, 0.0)
    first = np.minimum(at.astype(int), length - 1)
    second = np.minimum(first + 1, length - 1)
    part = (at - first).astype(np.float32)[None, :, None]
    return ((1 - part) * frames[:, first] + part * frames[:, second]).astype(np.float32)


@dataclass(frozen=True)
class Broken:
    """An item that is left out, and why."""

    item: Item
    reason: str

    def __str__(self) -> str:
        return f"{self.item}: {self.reason}"


def usable(
    cache: Cache, items: Sequence[Item], cut: Cut, *, tell: Callable[[int, int], None] = lambda done, total: None
) -> tuple[list[Item], list[Broken]]:
    """Those with at least one whole window, each decoded; and those that are left out. `tell(done, total)` hears of each."""
    good, broken = list[Item](), list[Broken]()
    for index, item in enumerate(items):
        tell(index, len(items))
        try:
            cut.latest(cache.load(item))
            good.append(item)
        except BrokenItem as error:
            broken.append(Broken(item, str(error)))
    tell(len(items), len(items))
    return good, broken
