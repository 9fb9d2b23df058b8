# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model hears of a window: an array that its encoder takes. Which, its configuration says."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError

from ..data.dataset import Window
from ..s2c.config import ModelConfig

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


def heard_window(config: ModelConfig) -> HeardWindow:
    """What the model's encoder hears. Raises PianoHandsError('bad-setting')."""
    kind = config.encoder.get("model_type")
    if kind in ("hubert", "wav2vec2"):
        return SoundWindow(config.samples)
    raise PianoHandsError("bad-setting", f"No model hears by {kind!r}.", "Choose hubert or wav2vec2 as model_type.")
