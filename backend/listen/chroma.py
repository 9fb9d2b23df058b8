# SPDX-License-Identifier: GPL-3.0-or-later
"""What sound and notes have in common: energy per pitch class, and where it begins. For notes it is worked out as the sound's
windows would see it, so that neither is early against the other. NumPy only.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.notes import Score

Array = NDArray[np.float32]

RATE = 16000  # of the sound
FRAME_RATE = 50  # of features
_HOP = RATE // FRAME_RATE
_WINDOW = 2048  # samples: tells semitones from C4 on; deeper notes are known by their partials
_LOW, _HIGH = 40, 104  # pitches looked at
_PARTIALS = ((0, 1.0), (12, 0.5), (19, 0.25), (24, 0.15), (28, 0.1))  # semitones above, energy
_DECAY = 1.2  # seconds to a third of the energy
_GAIN = 100.0  # of the logarithm, against the loudest
_RING = np.sqrt(np.linspace(1.0, 0.1, 8, dtype=np.float32))  # an onset is felt for so many frames (Ewert et al., ICASSP 2009)

ATTACK_RATE = 200
_STEP = RATE // ATTACK_RATE


def features_of_sound(blocks: Iterator[Array]) -> Array:
    """(frames, 24) of a sound at `RATE`: frame i is centred on i / FRAME_RATE seconds."""
    window = np.hanning(_WINDOW).astype(np.float32)
    filters = _filters()
    energies: list[Array] = []
    held = np.zeros(_WINDOW // 2, np.float32)
    for block in _and_silence(blocks):
        held = np.concatenate([held, block])
        count = (len(held) - _WINDOW) // _HOP + 1
        if count < 1:
            continue
        frames = np.lib.stride_tricks.sliding_window_view(held, _WINDOW)[: count * _HOP : _HOP]
        for begin in range(0, count, 256):
            power = np.abs(np.fft.rfft(frames[begin : begin + 256] * window, axis=1)) ** 2
            energies.append((power @ filters).astype(np.float32))
        held = held[count * _HOP :]
    return _features(np.concatenate(energies) if energies else np.zeros((1, _HIGH - _LOW), np.float32))


class Attacks:
    """How suddenly a sound at `RATE` grows louder, `ATTACK_RATE` times a second, while it passes; its bass does not count."""

    def __init__(self) -> None:
        self._energies: list[Array] = []
        self._held, self._last = np.zeros(0, np.float32), np.zeros(1, np.float32)

    def passing(self, blocks: Iterator[Array]) -> Iterator[Array]:
        for block in blocks:
            self._add(block)
            yield block

    def _add(self, block: Array) -> None:
        held = np.concatenate([self._held, np.diff(block, prepend=self._last)])
        self._last = block[-1:] if len(block) else self._last
        count = len(held) // _STEP
        self._energies.append((held[: count * _STEP].reshape(count, _STEP) ** 2).mean(axis=1))
        self._held = held[count * _STEP :]

    def strengths(self) -> Array:
        """(steps,): step k is what begins between k and k + 1 of them."""
        energy = np.concatenate([np.zeros(1, np.float32), *self._energies])
        level = np.log(energy + 1e-4 * max(float(energy.mean()), 1e-12))
        return np.maximum(np.diff(level), 0.0).astype(np.float32)


def features_of_notes(score: Score, begin: float, end: float) -> Array:
    """(frames, 24) of the notes between two times in seconds: frame i is centred on begin + i / FRAME_RATE."""
    frames = int(np.ceil((end - begin) * FRAME_RATE)) + 1
    fine = 4  # steps a frame: onsets lie between frames
    roll = np.zeros((frames * fine, _HIGH - _LOW), np.float32)
    for note in score.notes:
        first = max(round((note.onset - begin) * FRAME_RATE * fine), 0)
        last = min(max(round((note.offset - begin) * FRAME_RATE * fine), first + fine), len(roll))
        if first >= last:
            continue
        ring = (note.velocity / 127.0) ** 2 * np.exp(-np.arange(last - first) / (FRAME_RATE * fine * _DECAY))
        for above, share in _PARTIALS:
            if _LOW <= note.pitch + above < _HIGH:
                roll[first:last, note.pitch + above - _LOW] += share * ring
    reach = round(_WINDOW / _HOP / 2 * fine)
    shape = np.hanning(2 * reach + 3)[1:-1] ** 2  # the window's own square
    shape /= shape.sum()
    padded = np.pad(roll, ((reach, reach), (0, 0)))
    seen = sum(weight * padded[k : k + len(roll)] for k, weight in enumerate(shape))
    return _features(np.asarray(seen, np.float32)[::fine])


def _and_silence(blocks: Iterator[Array]) -> Iterator[Array]:
    yield from blocks
    yield np.zeros(_WINDOW, np.float32)


def _filters() -> Array:
    """(bins, pitches): every bin of the spectrum belongs to the pitch nearest to it."""
    frequency = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    pitch = np.round(69 + 12 * np.log2(np.maximum(frequency, 1.0) / 440.0)).astype(int)
    return (pitch[:, None] == np.arange(_LOW, _HIGH)).astype(np.float32)


def _features(energy: Array) -> Array:
    """Energies (frames, pitches) to twelve classes of sound and twelve of onsets, each frame's sound of unit length."""
    level = np.log1p(_GAIN * energy / max(float(np.quantile(energy.max(axis=1), 0.99)), 1e-12)).astype(np.float32)
    rise = np.maximum(np.diff(level, axis=0, prepend=level[:1] * 0), 0.0)
    sound, onset = _folded(level), _folded(rise)
    length = np.linalg.norm(sound, axis=1, keepdims=True)
    sound /= np.maximum(length, 0.1 * max(float(length.max()), 1e-9))
    ringing = np.zeros_like(onset)
    for later, weight in enumerate(_RING):
        if later < len(onset):
            ringing[later:] = np.maximum(ringing[later:], weight * onset[: len(onset) - later])
    ringing /= max(float(np.quantile(np.linalg.norm(ringing, axis=1), 0.95)), 1e-9)
    return np.concatenate([sound, np.minimum(ringing, 1.0)], axis=1)


def _folded(pitches: Array) -> Array:
    classes = np.zeros((len(pitches), 12), np.float32)
    for column in range(pitches.shape[1]):
        classes[:, (_LOW + column) % 12] += pitches[:, column]
    return classes
