# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are solid: the skin of each finger's end stays out of every key but the one that the finger presses."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.keyboard import BALANCE_Y, BLACK_FRONT, BLACK_HEIGHT, BLACK_WIDTH_BASE, BLACK_WIDTH_TOP, Keyboard

from . import kinematics
from .normal_equations import Softness, System
from .targets import Targets

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.intp]

_SOFT = Softness(spread=0.0006, outlier=0.003)
_MARGIN = 0.0002  # metres from a key at which skin begins to be held off
_BEVEL = 0.0025  # metres below a black key's top at which it is as wide as at its base
_WAYS = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # out: left, right, up, to the front


@dataclass(frozen=True)
class _Ends:
    """M finger ends: frame, hand and finger (M,) each, the key `own` that it presses, and its skin (M, 3, Q)."""

    frame: Index
    hand: Index
    finger: Index
    own: Index
    skin: Single

    def take(self, chosen: NDArray) -> "_Ends":
        return _Ends(self.frame[chosen], self.hand[chosen], self.finger[chosen], self.own[chosen], self.skin[chosen])


class KeyWalls:
    """The keys of one keyboard, and the skin of a pair of hands."""

    def __init__(self, skeleton: HandSkeleton, keyboard: Keyboard) -> None:
        self.keyboard = keyboard
        share = skeleton.skin_share[..., None]
        # Of a point's way from the last joint the part that turns with the last phalanx, and with the middle one: (H, 5, 3, Q).
        self._last, self._middle = (np.swapaxes(skeleton.skin * part, -1, -2).astype(np.float32) for part in (share, 1.0 - share))
        self._link = np.where(skeleton.skin_share > 0.5, 2, 1)
        self._size = float(np.linalg.norm(skeleton.skin, axis=-1).max())

    def add(self, posed: kinematics.Posed, targets: Targets, own: Index, system: System) -> None:
        """Add normal equations. own (N, H, 5): index of the key that each finger presses, -1 where it presses none."""
        joint = posed.joints[..., 2, :]
        which = np.nonzero((joint[..., 2] < BLACK_HEIGHT + self._size) & (joint[..., 1] > -self._size))
        height = self._skin(posed, which, slice(2, 3))[:, 0].min(axis=-1)
        low = (height < _MARGIN) | ((height < BLACK_HEIGHT + _MARGIN) & (joint[which][:, 1] > BLACK_FRONT - self._size))
        which = frame, hand, finger = which[0][low], which[1][low], which[2][low]
        ends = _Ends(frame, hand, finger, own[which], self._skin(posed, which, slice(0, 3)))
        self._hold_off(posed, targets.pressed, ends.take(height[low] < _MARGIN), system, black=False)
        among = ends.skin[:, 1].max(axis=-1) > BLACK_FRONT - _MARGIN
        self._hold_off(posed, targets.pressed, ends.take(among), system, black=True)

    def _skin(self, posed: kinematics.Posed, which: tuple[Index, ...], axes: slice) -> Single:
        """(M, axes, Q): coordinates of the skin of M finger ends (frame, hand, finger)."""
        frame, hand, finger = which
        skin = posed.distal[which][:, axes].astype(np.float32) @ self._last[hand, finger]
        skin += posed.turns[frame, hand, finger, 1][:, axes].astype(np.float32) @ self._middle[hand, finger]
        return skin + posed.joints[frame, hand, finger, 2][:, axes, None].astype(np.float32)

    def _hold_off(self, posed: kinematics.Posed, pressed: Array, ends: _Ends, system: System, *, black: bool) -> None:
        """The deepest point of each finger end in each way that leads out of white (black) keys."""
        if not len(ends.frame):
            return
        key, room = self._room(pressed, ends, black)
        way = room.argmin(axis=0)
        depth = np.take_along_axis(room, way[None], axis=0)[0] + np.float32(_MARGIN)
        depth[key == ends.own[:, None]] = -1.0
        for out, direction in enumerate(_WAYS):
            along = np.where(way == out, depth, np.float32(-1.0))
            point = along.argmax(axis=-1)
            deepest = np.take_along_axis(along, point[:, None], axis=-1)[:, 0]
            met = np.flatnonzero(deepest > 0.0)
            if not len(met):
                continue
            where, point = (ends.frame[met], ends.hand[met], ends.finger[met]), point[met]
            place = ends.skin[met, :, point].astype(float)
            change = kinematics.jacobian_at(posed, where, place, self._link[ends.hand[met], ends.finger[met], point])
            _SOFT.add(system, where[:2], direction @ change, -deepest[met].astype(float))

    def _room(self, pressed: Array, ends: _Ends, black: bool) -> tuple[Index, Single]:
        """The key in whose column each point lies (M, Q), and how far it is in from its four sides (4, M, Q), in order of _WAYS."""
        board, (x, y, z) = self.keyboard, np.moveaxis(ends.skin, 1, 0)
        keys = np.flatnonzero(board.black == black)
        middles = board.x[keys].astype(np.float32)
        if black:
            right = np.clip(np.searchsorted(middles, x), 1, len(middles) - 1)
            column = np.where(x - middles[right - 1] < middles[right] - x, right - 1, right)
        else:
            column = np.clip(np.rint((x - middles[0]) / np.float32(board.white_pitch)).astype(np.intp), 0, len(middles) - 1)
        key, first = keys[column], keys[0]
        front, top = board.front[first], np.float32(board.top[first])
        slope = (pressed[ends.frame[:, None], key] * (board.dip[first] / (BALANCE_Y - front))).astype(np.float32)
        below = top - slope * (np.float32(BALANCE_Y) - y) - z
        half = np.float32(board.half_width[first])
        if black:
            widening = np.float32(0.5 * board.scale * (BLACK_WIDTH_BASE - BLACK_WIDTH_TOP) / _BEVEL)
            half = half + widening * np.clip(below, 0, np.float32(_BEVEL))
        aside = x - middles[column]
        return key, np.stack([half + aside, half - aside, below, y - np.float32(front)])


def own_keys(targets: Targets) -> Index:
    """(N, H, 5): index of the key that each finger presses, the one in the middle of its place; -1 where it presses none."""
    keyboard = targets.keyboard
    middle = 0.5 * (targets.x_low + targets.x_high)
    own = np.full(middle.shape, -1)
    for black in (False, True):
        keys = np.flatnonzero(keyboard.black == black)
        edges = 0.5 * (keyboard.x[keys][1:] + keyboard.x[keys][:-1])
        chosen = np.isinf(targets.clearance) & ((targets.on_top > 0.5) == black)
        own[chosen] = keys[np.searchsorted(edges, middle[chosen])]
    return own
