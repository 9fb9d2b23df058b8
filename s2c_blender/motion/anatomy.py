# SPDX-License-Identifier: GPL-3.0-or-later
"""The degrees of freedom of a hand, their names, their ranges, and what is comfortable.

A pose of one hand is a vector of `DOFS` numbers: where the wrist is (metres, keyboard frame), how it is turned (radians),
then the fingers' hinges. The distal joint of a long finger follows its middle joint at two thirds (the usual constraint of
hand models: Rijpkema & Girard 1991, "Computer animation of knowledge-based human grasping"), so it has no number of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGERS

Array = NDArray[np.float64]

DISTAL_SHARE = 2.0 / 3.0


@dataclass(frozen=True)
class Dof:
    """Range in radians (metres for the wrist's place: unlimited)."""

    name: str
    lowest: float
    highest: float


def _degrees(name: str, lowest: float, highest: float) -> Dof:
    return Dof(name, np.radians(lowest), np.radians(highest))


# Ranges: active motion of adult hands (American Academy of Orthopaedic Surgeons' tables; Shadow Hand documentation as a
# proxy), a little wider in abduction, which chords need. Wrist angles are of the hand in space: forearm and wrist together.
_WRIST = (
    Dof("wrist x", -np.inf, np.inf),
    Dof("wrist y", -np.inf, np.inf),
    Dof("wrist z", -np.inf, np.inf),
    _degrees("wrist abduction", -45, 45),
    _degrees("wrist flexion", -50, 60),
    _degrees("forearm supination", -50, 60),
)
_THUMB = (
    _degrees("thumb1 abduction", -35, 45),
    _degrees("thumb1 flexion", -40, 50),
    _degrees("thumb2 flexion", -20, 65),
    _degrees("thumb3 flexion", -25, 85),
)


def _finger(name: str) -> tuple[Dof, ...]:
    spread = 32 if name in ("index", "pinky") else 24
    return (
        _degrees(f"{name}1 abduction", -spread, spread),
        _degrees(f"{name}1 flexion", -40, 90),
        _degrees(f"{name}2 flexion", -5, 110),
    )


TABLE: tuple[Dof, ...] = _WRIST + _THUMB + tuple(dof for name in FINGERS[1:] for dof in _finger(name))
DOFS = len(TABLE)
LOWEST: Array = np.array([dof.lowest for dof in TABLE])
HIGHEST: Array = np.array([dof.highest for dof in TABLE])
#: Columns of each finger's own degrees of freedom, in the order of `FINGERS`.
FINGER_DOFS = (slice(6, 10), *(slice(10 + 3 * i, 13 + 3 * i) for i in range(4)))


def hinge_map() -> Array:
    """(DOFS, 5, 4): how much each degree of freedom turns each finger's hinges (abduction, flexion of joints 1, 2, 3)."""
    table = np.zeros((DOFS, 5, 4))
    for finger, columns in enumerate(FINGER_DOFS):
        for hinge, column in enumerate(range(columns.start, columns.stop)):
            table[column, finger, hinge] = 1.0
        if finger:
            table[columns.stop - 1, finger, 3] = DISTAL_SHARE
    return table


def index(name: str) -> int:
    """Column of a degree of freedom by name."""
    return next(i for i, dof in enumerate(TABLE) if dof.name == name)
