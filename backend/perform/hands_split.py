# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hand plays which note, where the file does not say."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import Score

MIDDLE_C = 60


def assign_hands(score: Score) -> NDArray[np.int8]:
    """`HandSide` of every note, (N,): what the notes state is kept."""
    return np.array(
        [
            note.hand if note.hand is not None else HandSide.RIGHT if note.pitch >= MIDDLE_C else HandSide.LEFT
            for note in score.notes
        ],
        dtype=np.int8,
    )
