# SPDX-License-Identifier: GPL-3.0-or-later
"""The piano keyboard in figures: the only place where they are written.

Keyboard frame: metres; origin on the top of the white keys, at their front edge, midway between the ends of the 88 keys
(between E4 and F4); x to the treble, y away from the player, z up.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 21, 108  # A0 to C8
KEY_COUNT = HIGHEST - LOWEST + 1
WHITE_COUNT = 52

STANDARD_OCTAVE = 0.1645  # 7 white keys of 23.5 mm; 164-165 mm on concert pianos (DS standard 6.5 inches)
WHITE_GAP = 0.001  # between neighbours: 22.5 mm of key in 23.5 mm of pitch (robopianist, piano_constants.py)
WHITE_LENGTH = 0.150  # visible part, front edge to fallboard (robopianist)
WHITE_HEAD = 0.051  # wide front part, 50-52 mm (keyboard drawings, m.hubeilong.com)
BLACK_FRONT = 0.053  # front of a black key's top, a little behind the heads
BLACK_FOOT = 0.0012  # its foot lies this far in front of that
BLACK_LENGTH = 0.095  # 94-96 mm on standard keyboards
BLACK_WIDTH_TOP = 0.0095  # 9.5-11 mm on top
BLACK_WIDTH_BASE = 0.0115  # below the bevel
BLACK_HEIGHT = 0.0125  # above the white tops (robopianist, after a Kawai manual)
WHITE_DIP = 0.010  # key travel at the front edge: 3/8 inch (robopianist)
BLACK_DIP = 0.008  # at the front of a black key (robopianist)
BALANCE_Y = 0.220  # balance line behind the front edge; full dip is atan(10/220) = 2.6 degrees
FALLBOARD_Y = 0.1505  # its front at the white tops,
FALLBOARD_LEAN = 0.16  # and by how much it is further in for each metre above them
FALLBOARD_HEIGHT = 0.112  # up to which its front goes
FALLBOARD_OUT = np.array([0.0, -1.0, FALLBOARD_LEAN]) / np.hypot(1.0, FALLBOARD_LEAN)  # the way out of it, of unit length
KEY_HEIGHT = 0.022  # thickness of a white key's visible body
FLOOR_Z = -0.735  # white tops stand 720-750 mm above the floor
LET_OFF = 0.8  # share of the travel at which the hammer is let off: the note's onset
DAMPED = 0.5  # share of the travel above which the damper falls back on the way up: the note's end

_BLACK_CLASSES = (1, 3, 6, 8, 10)
# Black keys divide the octave's rear into twelve equal steps (www.quadibloc.com/other/cnv05.htm): where the middle of each
# lies, in twelfths of its group (C-E: 5 steps over 3 whites, F-B: 7 over 4), gives its shift off the white gap.
_GROUP_START = {1: (0, 0, 3, 5), 3: (0, 0, 3, 5), 6: (5, 3, 4, 7), 8: (5, 3, 4, 7), 10: (5, 3, 4, 7)}


def before_fallboard(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """(...) metres by which points (..., 3) stand in front of the fallboard's plane; negative behind it."""
    return points @ FALLBOARD_OUT - FALLBOARD_Y * FALLBOARD_OUT[1]


@dataclass(frozen=True)
class Keyboard:
    """88 keys. Arrays run over keys, lowest first: index = MIDI pitch - 21. `octave` is the width of seven white keys in metres."""

    octave: float = STANDARD_OCTAVE

    @property
    def white_pitch(self) -> float:
        """Distance of neighbouring white keys' centres."""
        return self.octave / 7.0

    @property
    def scale(self) -> float:
        """Sideways scale against the standard keyboard; lengths and heights of keys do not change with the octave."""
        return self.octave / STANDARD_OCTAVE

    @property
    def width(self) -> float:
        return WHITE_COUNT * self.white_pitch

    @cached_property
    def black(self) -> NDArray[np.bool_]:
        return np.isin(np.arange(LOWEST, HIGHEST + 1) % 12, _BLACK_CLASSES)

    @cached_property
    def x(self) -> NDArray[np.float64]:
        """Middle of each key sideways (of a white key's head)."""
        left = -0.5 * self.width - 5 * self.white_pitch  # C of the octave in which A0 is the sixth white key
        return np.array([left + self._offset(pitch - 12) for pitch in range(LOWEST, HIGHEST + 1)])

    def _offset(self, semitones_from_c0: int) -> float:
        octave, step = divmod(semitones_from_c0, 12)
        if step in _GROUP_START:
            first_step, first_white, whites, steps = _GROUP_START[step]
            within = first_white + (step - first_step + 0.5) * whites / steps
        else:
            within = (0, 0, 1, 1, 2, 3, 3, 4, 4, 5, 5, 6)[step] + 0.5
        return octave * self.octave + within * self.white_pitch

    @cached_property
    def half_width(self) -> NDArray[np.float64]:
        """Half the width of each key's top."""
        white = 0.5 * (self.white_pitch - WHITE_GAP)
        return np.where(self.black, 0.5 * BLACK_WIDTH_TOP * self.scale, white)

    @cached_property
    def front(self) -> NDArray[np.float64]:
        """y of the front edge of each key's top."""
        return np.where(self.black, BLACK_FRONT, 0.0)

    @cached_property
    def top(self) -> NDArray[np.float64]:
        """Height of each key's top at rest."""
        return np.where(self.black, BLACK_HEIGHT, 0.0)

    @cached_property
    def dip(self) -> NDArray[np.float64]:
        """Travel at the front of each key."""
        return np.where(self.black, BLACK_DIP, WHITE_DIP)

    def travel(self, key: NDArray[np.intp] | int, y: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Full travel of a key at depth y: the dip, shrinking linearly to nothing at the balance line."""
        front = self.front[key]
        return self.dip[key] * (BALANCE_Y - y) / (BALANCE_Y - front)
