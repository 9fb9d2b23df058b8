# SPDX-License-Identifier: GPL-3.0-or-later
"""From sound to notes in a hurry, without torch: basic-pitch's small network by onnxruntime (Bittner et al., "A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation", ICASSP 2022). It hears no
pedal, and fewer right notes.
"""

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.keyboard import KEY_COUNT, LOWEST
from s2c_blender.wire.notes import NoteEvent, Score

Array = NDArray[np.float32]
Tick = Callable[[float], None]  # hears of seconds of sound transcribed; may raise

RATE = 22050
_HOP = 256  # samples between the network's frames
_WINDOW = 43844  # samples that it looks at,
_FRAMES = 172  # and the frames that it tells of them
_EDGE = 15  # of those, at either end, that its neighbours know better
_STEP = (_FRAMES - 2 * _EDGE - 1) * _HOP  # samples from window to window
_ONSET, _SOUNDS = 0.7, 0.5  # from which a key counts as struck, and as sounding; fitted to six pieces, clean and degraded
_RINGS = 4  # frames that it may seem silent and goes on
_SHORTEST = 5  # frames: 58 ms
_LOUDEST = 0.9  # of an onset: velocity 127


class DraftTranscriber:
    """The network in the processor's memory."""

    rate = RATE

    def __init__(self, model: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        self._session: Any = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    @staticmethod
    def load() -> "DraftTranscriber":
        """The network that basic-pitch's package carries; the package itself, which asks for TensorFlow, is not imported.

        Raises PianoHandsError('no-transcriber').
        """
        package = importlib.util.find_spec("basic_pitch")
        places = (package and package.submodule_search_locations) or []
        models = [Path(place) / "saved_models" / "icassp_2022" / "nmp.onnx" for place in places]
        if not any(model.is_file() for model in models):
            raise PianoHandsError(
                "no-transcriber",
                "There is no basic-pitch with its onnx model here.",
                "Install the version that pyproject.toml pins.",
            )
        return DraftTranscriber(next(model for model in models if model.is_file()))

    def transcribe(self, blocks: Iterator[Array], tick: Tick) -> Score:
        """Notes of a sound at `RATE`, in blocks (n,)."""
        struck, sounds = list[Array](), list[Array]()
        for first, window in _windows(blocks):
            tick(max(first, 0) / RATE)
            onset, note = self._session.run(
                ["StatefulPartitionedCall:2", "StatefulPartitionedCall:1"], {self._input: window[None, :, None]}
            )
            kept = slice(_EDGE, _EDGE + _STEP // _HOP)
            struck.append(onset[0, kept].astype(np.float16))  # an hour of it all is 110 MB
            sounds.append(note[0, kept].astype(np.float16))
        return _score(np.concatenate(struck), np.concatenate(sounds))


def _windows(blocks: Iterator[Array]) -> Iterator[tuple[int, Array]]:
    """(first sample, sound): the frames that are kept of each follow on those of the one before, the first at time zero."""
    lead = _EDGE * _HOP
    held, first, ended = np.zeros(lead, np.float32), -lead, False
    while not ended or len(held) > lead:
        while len(held) < _WINDOW and not ended:
            block = next(blocks, None)
            ended = block is None
            if block is not None:
                held = np.concatenate([held, block])
        yield first, np.pad(held[:_WINDOW], (0, max(0, _WINDOW - len(held))))
        held, first = held[_STEP:], first + _STEP


def _score(struck: Array, sounds: Array) -> Score:
    """struck, sounds: (F, 88) of each key at each frame, 0 to 1. A note begins at a peak of the first, and ends when the second
    is silent for a while or another one begins."""
    notes = list[NoteEvent]()
    for key in range(KEY_COUNT):
        begin = np.pad(struck[:, key], 1)
        peaks = np.flatnonzero((begin[1:-1] >= _ONSET) & (begin[1:-1] > begin[:-2]) & (begin[1:-1] >= begin[2:]))
        silent = np.convolve(sounds[:, key] < _SOUNDS, np.ones(_RINGS), mode="full")[_RINGS - 1 :] >= _RINGS
        ends = np.append(np.flatnonzero(silent), len(silent))
        for at, following in zip(peaks.tolist(), np.append(peaks, len(silent))[1:].tolist(), strict=True):
            end = min(int(ends[np.searchsorted(ends, at + _SHORTEST)]) if at + _SHORTEST <= ends[-1] else len(silent), following)
            if end - at >= _SHORTEST:
                velocity = round(127 * min(float(struck[at, key]) / _LOUDEST, 1.0))
                notes.append(NoteEvent(at * _HOP / RATE, end * _HOP / RATE, LOWEST + key, max(velocity, 1)))
    return Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))
