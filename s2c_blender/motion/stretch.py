# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound made longer or shorter at the same pitch, by overlap-add of pieces that fit (WSOLA). NumPy only.

W. Verhelst and M. Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", ICASSP 1993.
"""

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

_PIECE = 0.060  # seconds of a piece; half of it overlaps with the next
_SEEK = 0.012  # seconds to either side in which the best fitting piece is looked for


def stretched(sound: Sound, factor: float, *, rate: int) -> Sound:
    """Samples (N, channels) to (about factor * N, channels)."""
    hop = round(0.5 * _PIECE * rate)
    seek = round(_SEEK * rate)
    length = max(round(len(sound) * factor), 1)
    pieces = -(-length // hop) + 1
    mono = np.pad(sound.mean(axis=1), (seek, 4 * hop + 2 * seek))  # sample i of the sound is at i + seek
    padded = np.pad(sound, ((seek, 4 * hop + 2 * seek), (0, 0)))
    window = np.sin(np.pi * (np.arange(2 * hop) + 0.5) / (2 * hop))[:, None] ** 2
    result = np.zeros(((pieces + 1) * hop, sound.shape[1]), dtype=np.float32)
    last = len(mono) - 2 * hop - 1
    place = seek
    for piece in range(pieces):
        if piece:
            wanted = mono[min(place + hop, last) :][: 2 * hop]  # what would follow the last piece by itself
            middle = min(round(piece * hop / factor), last - 2 * seek)
            around = mono[middle : middle + 2 * hop + 2 * seek]
            place = middle + _best(around, wanted)
        result[piece * hop : (piece + 2) * hop] += (window * padded[place : place + 2 * hop]).astype(np.float32)
    # The first half piece has no predecessor: its window is taken back.
    result[:hop] /= np.maximum(window[:hop], 1e-3)
    return result[:length]


def _best(around: NDArray[np.floating], wanted: NDArray[np.floating]) -> int:
    """Where in `around` the piece lies that is most like `wanted`."""
    size = 1 << int(np.ceil(np.log2(len(around) + len(wanted))))
    likeness = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(wanted, size)), size)
    return int(np.argmax(likeness[: len(around) - len(wanted) + 1]))
