# SPDX-License-Identifier: GPL-3.0-or-later
"""Small recordings for tests."""

import wave
from pathlib import Path

import numpy as np


def recording(path: Path, *, seconds: float = 5.0, rate: int = 22050) -> Path:
    """Notes of a plucked kind, one every half second, in stereo."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 220.0 * 2.0 ** (np.floor(2 * time) % 12 / 12)
    sound = 9000 * np.exp(-6.0 * (time % 0.5)) * np.sin(2 * np.pi * pitch * time)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, rate, 0, "NONE", ""))
        file.writeframes(np.repeat(sound.astype("<i2"), 2).tobytes())
    return path
