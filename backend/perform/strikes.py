# SPDX-License-Identifier: GPL-3.0-or-later
"""When each finger really strikes and leaves, once it is known which finger plays what."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.notes import Score

Array = NDArray[np.float64]

RETURN_TIME = 0.042  # seconds a key takes to rise and be struck again
SHORTEST_PRESS = 0.03


def strikes_and_releases(score: Score, hand: NDArray[np.int8], finger: NDArray[np.int8]) -> tuple[Array, Array]:
    """Strike and release times (N,), seconds."""
    strike = np.array([note.onset for note in score.notes], dtype=np.float64)
    release = np.array([note.offset for note in score.notes], dtype=np.float64)
    next_on_key: dict[int, float] = {}
    next_of_finger: dict[tuple[int, int], tuple[float, int]] = {}
    for index in np.argsort(-strike, kind="stable"):
        note = score.notes[index]
        if finger[index] == 0:
            continue
        latest = release[index]
        if note.pitch in next_on_key:
            following = next_on_key[note.pitch]
            latest = min(latest, following - min(RETURN_TIME, 0.5 * (following - strike[index])))
        own = (int(hand[index]), int(finger[index]))
        if own in next_of_finger and next_of_finger[own][1] != note.pitch:
            following = next_of_finger[own][0]
            latest = min(latest, following - min(0.05, 0.5 * (following - strike[index])))
        release[index] = max(latest, strike[index] + SHORTEST_PRESS)
        next_on_key[note.pitch] = strike[index]
        next_of_finger[own] = (strike[index], note.pitch)
    return strike, release
