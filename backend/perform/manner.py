# SPDX-License-Identifier: GPL-3.0-or-later
"""How somebody plays: what a style and a seed change in the prior and in the fingertips' flights, never in contact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy

Array = NDArray[np.float64]

# Standard deviations between seeds: of a pianist's habit (held throughout), and of the slow sway around it (degrees, metres).
_HABIT = {
    "wrist y": 0.004,
    "wrist z": 0.006,
    "wrist abduction": 3.0,
    "wrist flexion": 4.0,
    "forearm supination": 4.0,
    "flexion1": 5.0,
    "flexion2": 8.0,
    "thumb2 flexion": 6.0,
    "thumb3 flexion": 8.0,
}
_SWAY_SHARE = 0.45
_SWAY_PERIODS = (3.0, 11.0)  # seconds: breath and phrase
_WAVES = 4
_CURL = 9.0  # degrees: flat and quiet at the calm end, curved at the lively one


@dataclass(frozen=True)
class Manner:
    """lift: factor of the fingers' lifts; weight: of the arm's breaths, drops and turns; sway: of the slow wandering.

    curl: degrees by which fingers are more curved than usual at their middle joints. habit: (H, D).
    """

    lift: float
    weight: float
    sway: float
    curl: float
    habit: Array
    waves: Array  # (waves, H, D, 3): amplitude, frequency in Hz, phase

    def drift(self, times: Array) -> Array:
        """(F, H, D) to add to the prior."""
        amplitude, frequency, phase = np.moveaxis(self.waves, -1, 0)
        drift = np.repeat(self.habit[None], len(times), axis=0)
        for wave in range(len(amplitude)):
            angle = 2.0 * np.pi * (frequency[wave] * times[:, None, None] + phase[wave])
            drift += self.sway * amplitude[wave] * np.sin(angle)
        return drift


def manner(style: float, seed: int) -> Manner:
    """style: 0 calm to 1 lively."""
    style = float(np.clip(style, 0.0, 1.0))
    rng = np.random.default_rng(seed)
    spread = np.zeros(anatomy.DOFS)
    for column, dof in enumerate(anatomy.TABLE):
        size = _HABIT.get(dof.name, _HABIT.get(_finger_kind(dof.name), 0.0))
        spread[column] = size if dof.name in ("wrist y", "wrist z") else np.radians(size)
    common = rng.normal(size=(1, anatomy.DOFS))  # both hands belong to one pianist
    habit = spread * (0.8 * common + 0.6 * rng.normal(size=(2, anatomy.DOFS)))
    waves = np.empty((_WAVES, 2, anatomy.DOFS, 3))
    waves[..., 0] = spread * _SWAY_SHARE * rng.uniform(0.3, 1.0, size=(_WAVES, 2, anatomy.DOFS))
    waves[..., 1] = 1.0 / rng.uniform(*_SWAY_PERIODS, size=(_WAVES, 2, anatomy.DOFS))
    waves[..., 2] = rng.uniform(size=(_WAVES, 2, anatomy.DOFS))
    return Manner(
        lift=0.7 + 0.6 * style,
        weight=0.6 + 0.8 * style,
        sway=0.4 + 1.2 * style,
        curl=_CURL * (2.0 * style - 1.0),
        habit=np.clip(habit, -2.0 * spread, 2.0 * spread),
        waves=waves,
    )


def _finger_kind(name: str) -> str:
    """'flexion1' for 'middle1 flexion', 'flexion2' for 'middle2 flexion'; '' for the rest."""
    joint, _, motion = name.partition(" ")
    return motion + joint[-1] if motion == "flexion" and joint[:-1] in ("index", "middle", "ring", "pinky") else ""
