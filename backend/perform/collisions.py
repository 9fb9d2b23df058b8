# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps fingers from each other, hands from each other and joints from the keys: spheres along phalanges and palms."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide
from s2c_blender.wire.keyboard import BLACK_FRONT, BLACK_HEIGHT

from . import kinematics

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_PALM = -2  # the `link` of a sphere that no finger's hinge moves
_MIDDLE = (0.5, 0.55, 0.6)  # where along its phalanx a sphere sits
_SOFT = 0.92  # skin gives way: a sphere's share of the flesh's half thickness
_JOINT = 1.05  # the same at a last joint: bent, its skin stands out
_FREE = 0.0004  # metres that a last joint stays above the keys' tops
_NEAR = 0.26  # metres between wrists within which hands can touch
_OVER = 0.012  # metres by which the hand that goes over counts as higher,
_BESIDE = 0.012  # and by which hands that are not crossed count as farther apart

# Spheres: three for each finger (its phalanges), then two in the palm.
_FINGER = np.array([finger for finger in range(5) for _ in range(3)] + [0, 0])
_LINK = np.array([0, 1, 2] * 5 + [_PALM, _PALM])


def _neighbours() -> tuple[Index, Index]:
    """Pairs of spheres of one hand that may meet: outer phalanges of neighbouring fingers; the thumb below the long ones."""
    pairs = [(3 * a + i, 3 * a + 3 + j) for a in range(4) for i in (1, 2) for j in (1, 2)]
    pairs += [(2, 3 * finger + j) for finger in (2, 3) for j in (1, 2)]
    first, second = np.array(pairs).T
    return first, second


_FIRST, _SECOND = _neighbours()


class Collisions:
    """Spheres of a pair of hands. Metres: an overlap's standard deviation `softness`; from `outlier` on it pulls no harder."""

    def __init__(self, skeleton: HandSkeleton, *, softness: float, outlier: float) -> None:
        self.softness, self.outlier = softness, outlier
        chains = np.array(FINGER_JOINTS)
        ends = np.concatenate([skeleton.rest[:, chains], skeleton.tips[:, :, None]], axis=2)  # (H, 5, 4, 3)
        fingers = (ends[:, :, 1:] - ends[:, :, :-1]) * np.array(_MIDDLE)[:, None]
        palm = 0.62 * skeleton.rest[:, [FINGER_JOINTS[1][0], FINGER_JOINTS[4][0]]]
        self.local = np.concatenate([fingers.reshape(2, 15, 3), palm], axis=1)  # (H, 17, 3)
        self.radius = _SOFT * np.concatenate(
            [skeleton.radius[:, chains].reshape(2, 15), np.repeat(skeleton.radius[:, :1], 2, axis=1)], axis=1
        )

        self.last_joint = _JOINT * skeleton.radius[:, chains[:, 1]]  # (H, 5)

    def add(self, posed: kinematics.Posed, matrix: Array, slope: Array) -> None:
        """Add normal equations of all overlaps to matrix (N, H, D, D) and slope (N, H, D)."""
        place = self._places(posed)
        self._above_keys(posed, matrix, slope)
        self._within(posed, place, matrix, slope)
        self._between(posed, place, matrix, slope)

    def _above_keys(self, posed: kinematics.Posed, matrix: Array, slope: Array) -> None:
        """Last joints stay above the white keys, also while the fingertip presses: a thumb that lies flat presses neighbours."""
        place = posed.joints[..., 2, :]
        short = place[..., 2] - self.last_joint - _FREE
        frame, hand, finger = np.nonzero((short < 0.0) & (place[..., 1] > -self.last_joint))
        if not len(frame):
            return
        link = np.ones(len(frame), dtype=np.intp)
        rows = kinematics.jacobian_at(posed, (frame, hand, finger), place[frame, hand, finger], link)[:, 2]
        self._accumulate((frame, hand), rows, short[frame, hand, finger], (matrix, slope))

    def beside_black(self, posed: kinematics.Posed, walls: tuple[Array, Array], system: tuple[Array, Array]) -> None:
        """Last phalanges and their joints stay out of the black keys between which their fingers play: aside, above or in front.

        walls: x (N, H, 5) of the left and the right one's flank; infinite where there is none.
        """
        joint = posed.joints[..., 2, :]
        tip = joint + (posed.distal @ self.local[:, 2:15:3, :, None])[..., 0]
        for place, radius, link in ((joint, self.last_joint, 1), (tip, self.radius[:, 2:15:3], 2)):
            out = np.maximum(BLACK_FRONT - place[..., 1], 0.0)
            up = np.maximum(place[..., 2] - BLACK_HEIGHT, 0.0)
            for wall, away in zip(walls, (1.0, -1.0), strict=True):
                aside = np.maximum(away * (place[..., 0] - wall), 0.0)
                near = aside**2 + out**2 + up**2 < radius**2
                frame, hand, finger = np.nonzero(near)
                if not len(frame):
                    continue
                gap = np.stack([away * aside[near], -out[near], up[near]], axis=-1)
                distance = np.linalg.norm(gap, axis=-1)
                # What is wholly inside is pushed sideways.
                direction = np.where(distance[:, None] > 1e-4, gap / np.maximum(distance, 1e-4)[:, None], [away, 0.0, 0.0])
                links = np.full(len(frame), link)
                change = kinematics.jacobian_at(posed, (frame, hand, finger), place[near], links)
                rows = (direction[:, None] @ change)[:, 0]
                self._accumulate((frame, hand), rows, distance - radius[hand, finger], system)

    def _places(self, posed: kinematics.Posed) -> Array:
        """(N, H, 17, 3)."""
        fingers = posed.joints + (posed.turns @ self.local[:, :15].reshape(2, 5, 3, 3, 1))[..., 0]
        palm = posed.wrist[:, :, None] + (posed.wrist_turn[:, :, None] @ self.local[:, 15:, :, None])[..., 0]
        return np.concatenate([fingers.reshape(*fingers.shape[:2], 15, 3), palm], axis=2)

    def _within(self, posed: kinematics.Posed, place: Array, matrix: Array, slope: Array) -> None:
        gap = place[:, :, _FIRST] - place[:, :, _SECOND]
        allowed = self.radius[:, _FIRST] + self.radius[:, _SECOND]
        near = np.einsum("nhpi,nhpi->nhp", gap, gap) < allowed**2
        frame, hand, pair = np.nonzero(near)
        if not len(frame):
            return
        gap, allowed = gap[frame, hand, pair], allowed[hand, pair]
        distance, direction = _unit(gap)
        rows = self._rows(posed, place, (frame, hand, _FIRST[pair]), direction)
        rows -= self._rows(posed, place, (frame, hand, _SECOND[pair]), direction)
        self._accumulate((frame, hand), rows, distance - allowed, (matrix, slope))

    def _between(self, posed: kinematics.Posed, place: Array, matrix: Array, slope: Array) -> None:
        """The other hand counts as standing still; each gives way by half."""
        wrists = posed.wrist[:, HandSide.RIGHT] - posed.wrist[:, HandSide.LEFT]
        close = np.flatnonzero(np.linalg.norm(wrists, axis=-1) < _NEAR)
        if not len(close):
            return
        right, left = place[close, HandSide.RIGHT], place[close, HandSide.LEFT]
        gap = right[:, :, None] - left[:, None]
        allowed = self.radius[HandSide.RIGHT][:, None] + self.radius[HandSide.LEFT]
        near = np.einsum("npqi,npqi->npq", gap, gap) < allowed**2
        which, first, second = np.nonzero(near)
        if not len(which):
            return
        frame = close[which]
        distance, _ = _unit(gap[which, first, second])
        # The hand that reaches further in goes over the other one; crossed thumbs go back the way they came.
        push = gap[which, first, second]
        push[:, 2] += np.where(wrists[frame, 1] > 0.0, _OVER, -_OVER)
        push[:, 0] += np.where(wrists[frame, 0] > 0.0, _BESIDE, -_BESIDE)
        _, direction = _unit(push)
        short = 0.5 * (distance - allowed[first, second])
        for side, sphere, sign in ((HandSide.RIGHT, first, 1.0), (HandSide.LEFT, second, -1.0)):
            hand = np.full(len(frame), int(side))
            rows = sign * self._rows(posed, place, (frame, hand, sphere), direction)
            self._accumulate((frame, hand), rows, short, (matrix, slope))

    def _rows(self, posed: kinematics.Posed, place: Array, which: tuple[Index, Index, Index], direction: Array) -> Array:
        """(M, D): how far each sphere goes along its direction."""
        frame, hand, sphere = which
        change = kinematics.jacobian_at(posed, (frame, hand, _FINGER[sphere]), place[frame, hand, sphere], _LINK[sphere])
        return (direction[:, None] @ change)[:, 0]

    def _accumulate(self, where: tuple[Index, Index], rows: Array, short: Array, system: tuple[Array, Array]) -> None:
        weight = self.softness**-2 / np.maximum(1.0, np.abs(short) / self.outlier)
        matrix, slope = system
        np.add.at(matrix, where, weight[:, None, None] * rows[:, :, None] * rows[:, None, :])
        np.add.at(slope, where, (weight * short)[:, None] * rows)


def _unit(vector: Array) -> tuple[Array, Array]:
    length = np.linalg.norm(vector, axis=-1)
    return length, vector / np.maximum(length, 1e-6)[:, None]
