# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes as a network sees them: for each frame and key whether it is struck and whether it is held, by this hand and by the other;
and for each finger of this hand whether it strikes or holds, and where.

The left hand sees the keyboard in the mirror, as the data shows it as a right hand. Black keys lie symmetrically about D, so the
mirror maps D4 to itself and each key to one of its own colour. NumPy only.
"""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import FINGERS, HandSide
from s2c_blender.wire.keyboard import HIGHEST
from s2c_blender.wire.notes import UNPLAYED, Fingering, Score

from .config import MODEL_FPS

MIRROR_PITCH = 124  # a key and its mirror image, added: twice D4
FIRST_ROW = MIRROR_PITCH - HIGHEST  # of the lowest key that either hand can see
ROWS = HIGHEST - FIRST_ROW + 1
LAYERS = 3  # struck and held by the own hand, held by the other
FINGER_LAYERS = 3  # struck, held, and where on the keyboard, from -1 to 1
CHANNELS = LAYERS * ROWS + FINGER_LAYERS * len(FINGERS)


def note_roll(score: Score, fingering: Fingering, *, frames: int, begin: float = 0.0) -> NDArray[np.float32]:
    """(2, frames, CHANNELS) of the notes under their hands and fingers; frame i is at `begin` + i / MODEL_FPS seconds.

    A strike is shared between the two frames around it, by how near they are: its moment is finer than a frame.
    """
    roll = np.zeros((2, frames, LAYERS, ROWS), dtype=np.float32)
    fingers = np.zeros((2, frames, FINGER_LAYERS, len(FINGERS)), dtype=np.float32)
    for note, hand, number in zip(score.notes, fingering.hand.tolist(), fingering.finger.tolist(), strict=True):
        first, last = (note.onset - begin) * MODEL_FPS, (note.offset - begin) * MODEL_FPS
        if last <= 0 or first >= frames:
            continue
        for side in HandSide:
            row = (note.pitch if side is HandSide.RIGHT else MIRROR_PITCH - note.pitch) - FIRST_ROW
            held = slice(max(int(np.ceil(first)), 0), max(int(np.ceil(last)), 0))
            roll[side, held, 1 if side == hand else 2, row] = 1.0
            if side != hand:
                continue
            force = 0.5 + note.velocity / 254.0
            _strike(roll[side, :, 0, row], first, force)
            if number != UNPLAYED:
                _strike(fingers[side, :, 0, number - 1], first, force)
                fingers[side, held, 1, number - 1] = 1.0
                fingers[side, held, 2, number - 1] = 2.0 * row / (ROWS - 1) - 1.0
    return np.concatenate([roll.reshape(2, frames, -1), fingers.reshape(2, frames, -1)], axis=-1)


def _strike(row: NDArray[np.float32], at: float, force: float) -> None:
    frame = int(np.floor(at))
    for index, share in ((frame, 1.0 - (at - frame)), (frame + 1, at - frame)):
        if 0 <= index < len(row):
            row[index] = max(row[index], share * force)
