# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model hears of a window: an array that its encoder takes. Which, its configuration says."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import Fingering, Score

from ..data.dataset import Window
from ..data.layout import Item
from ..perform.fingering import assign_fingers
from ..perform.hands_split import assign_hands
from ..s2c.config import ModelConfig
from ..s2c.note_roll import note_roll
from ..score import read_midi

Array = NDArray[np.floating]


class HeardWindow(Protocol):
    """Cuts out of an item what belongs to a window. It is sent to processes that cut windows: it holds no tensors.

    `ready`: whether it gives features (2, N, F) of both hands, for which no encoder is asked any more.
    """

    ready: bool

    def cut(self, window: Window) -> Array: ...


class SoundWindow:
    """Sound (samples,) at 16 kHz, its loudness normalised over the whole item, as it is over the whole recording later."""

    ready = False

    def __init__(self, samples: int) -> None:
        self._samples = samples

    def cut(self, window: Window) -> Array:
        mean, spread = window.recorded.loudness
        sound = window.recorded.heard(window.sound_begin, self._samples)
        return ((sound - mean) / spread).astype(np.float32)


class NoteWindow:
    """The roll (2, N, keys) of the notes that the video's MIDI file has there. Files are read once."""

    ready = False

    def __init__(self, root: Path, frames: int) -> None:
        self._root, self._frames = root, frames
        self._read: dict[Path, tuple[Score, Fingering]] = {}

    def read(self, items: Iterable[Item]) -> None:
        """Read the items' files beforehand: else each process that cuts windows reads all of them for itself."""
        for item in items:
            self._of(item)

    def cut(self, window: Window) -> Array:
        score, fingering = self._of(window.recorded.item)
        return note_roll(score, fingering, frames=self._frames, begin=window.recorded.start + window.time)

    def _of(self, item: Item) -> tuple[Score, Fingering]:
        """Raises PianoHandsError for what is no piece."""
        path = item.midi(self._root)
        if path not in self._read:
            score = read_midi(path)
            self._read[path] = score, assign_fingers(score, assign_hands(score))
        return self._read[path]


def heard_window(config: ModelConfig, root: Path) -> HeardWindow:
    """What the model's encoder takes; `root`: the data set's. Raises PianoHandsError('bad-setting')."""
    kind = config.encoder.get("model_type")
    if config.reads_notes:
        return NoteWindow(root, config.frames)
    if kind in ("hubert", "wav2vec2"):
        return SoundWindow(config.samples)
    raise PianoHandsError("bad-setting", f"No model hears by {kind!r}.", "Choose hubert, wav2vec2 or notes as model_type.")
