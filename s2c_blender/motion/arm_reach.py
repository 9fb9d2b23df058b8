# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms that follow hands: an analytic two-bone solve with a natural elbow, a clavicle that reaches, a torso that leans.

T frames. A body's part at rest is given in the armature's space (metres); `Moved` says where it is in the world over time.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import HandSide
from . import rotation

Array = NDArray[np.float64]

_ELBOW = np.array([0.55, -0.20, -1.0])  # where a right elbow likes to be, seen from the line between shoulder and wrist
_STRAIGHT = 0.9995  # of both bones' length: an arm is never quite straight
_REACHING = (0.80, 1.0)  # shares of the arm's length over which the clavicle comes along,
_CLAVICLE = np.radians(22.0)  # and how far
_BENT = np.radians(6.0)  # of the elbow at rest, from which its own plane says how it bends
_TWIST_SHARE = 0.6  # of the hand's turn about the forearm that the forearm takes
_LEAN_SIDE, _LEAN_AHEAD = np.radians(22.0), np.radians(14.0)  # of the torso for each metre that the hands are off their place
_MOST_LEAN = np.radians(14.0)
_LEAN_SECONDS = 0.7  # a torso follows slowly


@dataclass(frozen=True)
class Moved:
    """Rigid motion over time: x of the rest goes to turn x + place. turn (T, 4), place (T, 3)."""

    turn: Array
    place: Array

    def __call__(self, point: Array) -> Array:
        return rotation.rotate(self.turn, point) + self.place

    @staticmethod
    def about(turn: Array, point: Array, to: Array) -> "Moved":
        """Turned so that the rest's `point` lies at `to` (T, 3)."""
        return Moved(turn, to - rotation.rotate(turn, point))


@dataclass(frozen=True)
class Bend:
    """Three joints of a limb at rest, and the axis (3,) about which it bends."""

    root: Array
    middle: Array
    end: Array
    hinge: Array

    @staticmethod
    def of(root: Array, middle: Array, end: Array, *, towards: Array) -> "Bend":
        """`towards`: where the lower bone goes when the limb bends: ahead for arms, back for legs."""
        upper, lower = middle - root, end - middle
        across = np.cross(upper, towards)
        across = across / np.linalg.norm(across)
        own = np.cross(upper, lower)
        bent = np.linalg.norm(own) / (np.linalg.norm(upper) * np.linalg.norm(lower))
        if bent > np.sin(_BENT) and own @ across > 0.5 * np.linalg.norm(own):
            across = own / np.linalg.norm(own)
        return Bend(root, middle, end, across)

    @property
    def lengths(self) -> tuple[float, float]:
        return float(np.linalg.norm(self.middle - self.root)), float(np.linalg.norm(self.end - self.middle))


@dataclass(frozen=True)
class Limb:
    """A limb over time: turns (T, 4) of both bones from the rest to the world, joints (T, 3), metres (T,) that it is too short.

    pole: (T, 3) a place at which the middle joint points.
    """

    upper: Array
    lower: Array
    middle: Array
    end: Array
    pole: Array
    missing: Array


@dataclass(frozen=True)
class Arm:
    """clavicle: (T, 4) its turns, where there is one."""

    limb: Limb
    clavicle: Array | None


def solve_limb(bend: Bend, root: Array, end: Array, pole: Array) -> Limb:
    """Two bones from root to end (T, 3), the middle joint on the side of `pole` (3,). In closed form: the law of cosines."""
    upper_length, lower_length = bend.lengths
    line = end - root
    wanted = np.linalg.norm(line, axis=-1)
    ahead = line / np.maximum(wanted, 1e-9)[:, None]
    distance = np.clip(wanted, abs(upper_length - lower_length) + 1e-4, _STRAIGHT * (upper_length + lower_length))
    along = (upper_length**2 - lower_length**2 + distance**2) / (2.0 * distance)
    aside = np.sqrt(np.maximum(upper_length**2 - along**2, 0.0))
    sideways = _square(pole, ahead)
    middle = root + along[:, None] * ahead + aside[:, None] * sideways
    reached = root + distance[:, None] * ahead
    hinge = np.cross(sideways, ahead)
    upper = _turn(bend.middle - bend.root, bend.hinge, middle - root, hinge)
    lower = _turn(bend.end - bend.middle, bend.hinge, reached - middle, hinge)
    beyond = middle + (upper_length + lower_length) * sideways
    return Limb(upper, lower, middle, reached, beyond, wanted - distance)


def solve_arm(side: HandSide, bend: Bend, chest: Moved, hand: Moved, *, clavicle: Array | None = None) -> Arm:
    """hand: how the hand moves, from the armature's rest to the world; clavicle: (3,) its joint at rest."""
    wrist = hand(bend.end)
    shoulder = chest(bend.root)
    pulled = None
    if clavicle is not None:
        pull = _pull(chest(clavicle), shoulder, wrist, sum(bend.lengths))
        pulled = rotation.multiply(pull, np.broadcast_to(chest.turn, pull.shape))
        shoulder = Moved.about(pulled, clavicle, chest(clavicle))(bend.root)
    limb = solve_limb(
        bend, np.broadcast_to(shoulder, wrist.shape), wrist, _ELBOW * (1.0 if side is HandSide.RIGHT else -1.0, 1.0, 1.0)
    )
    return Arm(replace(limb, lower=_twisted(limb.lower, hand.turn, bend.end - bend.middle)), pulled)


def _pull(joint: Array, shoulder: Array, wrist: Array, length: float) -> Array:
    """(T, 4) turn of the clavicle towards a far wrist."""
    share = np.linalg.norm(wrist - shoulder, axis=-1) / length
    u = np.clip((share - _REACHING[0]) / (_REACHING[1] - _REACHING[0]), 0.0, 1.0)
    own, wanted = shoulder - joint, wrist - joint
    axis = np.cross(own, wanted)
    size = np.linalg.norm(axis, axis=-1, keepdims=True)
    between = np.arctan2(size[..., 0], np.sum(own * wanted, axis=-1))
    angle = np.minimum(_CLAVICLE * u * u * (3.0 - 2.0 * u), between)
    return rotation.from_axis_angle(axis / np.maximum(size, 1e-9) * angle[..., None])


def _square(direction: Array, line: Array) -> Array:
    """(T, 3) unit vectors: `direction` without its part along unit vectors `line` (T, 3)."""
    across = direction - np.sum(direction * line, axis=-1, keepdims=True) * line
    return across / np.maximum(np.linalg.norm(across, axis=-1, keepdims=True), 1e-9)


def _turn(along: Array, across: Array, now: Array, across_now: Array) -> Array:
    """(T, 4) turns that take a bone's direction at rest (3,) to `now` (T, 3), and its hinge along."""
    return rotation.from_matrix(_frames(now, across_now) @ _frames(along, across).swapaxes(-1, -2))


def _frames(along: Array, across: Array) -> Array:
    """(..., 3, 3) columns: along, across square to it, and the third."""
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    across = across - np.sum(across * along, axis=-1, keepdims=True) * along
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    return np.stack([along, across, np.cross(along, across)], axis=-1)


def _twisted(fore: Array, hand: Array, along: Array) -> Array:
    """The forearm, turned about itself for a share of what the hand is turned."""
    between = rotation.multiply(rotation.conjugate(fore), hand)
    axis = along / np.linalg.norm(along)
    angle = np.unwrap(2.0 * np.arctan2(between[..., 1:] @ axis, between[..., 0]))
    angle -= 2.0 * np.pi * np.round(np.median(angle) / (2.0 * np.pi))
    return rotation.multiply(fore, rotation.from_axis_angle(_TWIST_SHARE * angle[..., None] * axis))


def lean(wrists: Array, *, rate: float, size: float) -> Array:
    """(T, 3) rotation vectors of the torso: to the side and ahead, the way both hands (T, 2, 3) go; no lean at their mean place.

    size: of the body, 1 for a grown-up: a small one leans more for the same way.
    """
    middle = wrists[:, :, :2].mean(axis=1)
    middle = slow(middle, rate)
    off = middle - np.array([0.0, float(np.median(middle[:, 1]))])
    side = np.clip(_LEAN_SIDE * off[:, 0] / size, -_MOST_LEAN, _MOST_LEAN)
    forwards = np.clip(_LEAN_AHEAD * (np.abs(off[:, 0]) * 0.5 + off[:, 1]) / size, -_MOST_LEAN, _MOST_LEAN)
    return np.stack([-forwards, side, np.zeros_like(side)], axis=-1)


def slow(values: Array, rate: float) -> Array:
    """Smoothed over time by a bell as long as a torso takes."""
    half = max(int(_LEAN_SECONDS * rate), 1)
    kernel = np.hanning(2 * half + 1)
    kernel /= kernel.sum()
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge")
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(values.shape[1])], axis=1)


def spans(missing: Array, times: Array, *, least: float = 0.002, apart: float = 0.5) -> list[tuple[float, float, float]]:
    """(begin, end, most) in seconds and metres of where an arm is too short by at least `least`; what lies close is one."""
    found: list[tuple[float, float, float]] = []
    for frame in np.flatnonzero(missing > least).tolist():
        time, short = float(times[frame]), float(missing[frame])
        if found and time - found[-1][1] <= apart:
            begin, _, most = found[-1]
            found[-1] = begin, time, max(most, short)
        else:
            found.append((time, time, short))
    return found
