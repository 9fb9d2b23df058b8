# SPDX-License-Identifier: GPL-3.0-or-later
"""Pianos and rooms drawn by chance, and their sound as an MP3 file."""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import write_failed
from s2c_blender.wire.notes import Score

from .. import config
from .synth import Instrument, sound_of
from .tone import Voice

_RATE = 22_050
_BITS = 96_000  # a second
_FRAME = 1152  # samples that an MP3 frame holds


def random_instrument(random: np.random.Generator) -> Instrument:
    """From dull to bright, from a dry room to a hall."""

    def around(spread: float) -> float:
        return float(np.exp(random.normal(0.0, spread)))

    voice = Voice(brightness=around(0.3), stiffness=around(0.3), detune=2.0 * around(0.6), decay=around(0.2), knock=around(0.4))
    return Instrument(voice, room=float(random.uniform(0.4, 3.0)), echo=float(random.uniform(0.05, 0.5)))


def write_mp3(score: Score, path: Path, *, instrument: Instrument) -> None:
    """One channel. Raises PianoHandsError('no-torch') where PyAV is missing, and ('write-failed')."""
    config.require(("av",), "Writing MP3 files needs")
    import av

    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with av.open(str(temporary), "w", format="mp3") as container:
            stream = container.add_stream("mp3", rate=_RATE, layout="mono")
            stream.bit_rate = _BITS
            begin = 0
            for samples in _frames(score, instrument):
                frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
                frame.rate, frame.pts = _RATE, begin
                begin += len(samples)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        os.replace(temporary, path)
    except (OSError, av.FFmpegError) as error:
        raise write_failed(path, error if isinstance(error, OSError) else OSError(str(error))) from error
    finally:
        temporary.unlink(missing_ok=True)


def _frames(score: Score, instrument: Instrument) -> "list[NDArray[np.float32]]":
    sound = np.concatenate([block.mean(axis=0) for block in sound_of(score, sample_rate=_RATE, instrument=instrument)])
    return [np.ascontiguousarray(sound[first : first + _FRAME]) for first in range(0, len(sound), _FRAME)]
