# SPDX-License-Identifier: GPL-3.0-or-later
"""Small sound files in every format."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

_CODECS = {"flac": "flac", "mp3": "mp3", "m4a": "aac", "mp4": "aac", "mov": "aac", "wav": "pcm_s16le"}


def write(path: Path, sound: NDArray[np.float32], *, rate: int) -> Path:
    """`sound` (channels, samples) in the format that the suffix says."""
    if path.suffix == ".ogg":
        pytest.importorskip("soundfile").write(str(path), sound.T, rate)
        return path
    av = pytest.importorskip("av")
    layout = "mono" if len(sound) == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(_CODECS[path.suffix[1:]], rate=rate, layout=layout)
        fitting = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size or 4096)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=layout)
        frame.rate, frame.pts = rate, 0
        for piece in (*fitting.resample(frame), *fitting.resample(None)):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def silent_film(path: Path) -> Path:
    """Pictures without sound."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path
