# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are solid: the skin of each finger's end stays out of every key but the one that the finger presses."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.keyboard import BALANCE_Y, BLACK_FOOT, BLACK_FRONT, BLACK_HEIGHT, BLACK_WIDTH_BASE, BLACK_WIDTH_TOP, Keyboard

from . import kinematics
from .normal_equations import Softness, System
from .targets import Targets

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.intp]

_SOFT = Softness(spread=0.0006, outlier=0.003)
_MARGIN = 0.0002  # metres from a key at which skin begins to be held off
_PRESSED = 0.0010  # metres that a finger may be in its own key: its contact is asked for elsewhere
_QUICK = 0.0015  # metres from frame to frame from which on the way between them counts
_BEVEL = 0.0025  # metres below a black key's top at which it is taken to be as large as its foot
_WAYS = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # out: left, right, up, to the front


@dataclass(frozen=True)
class _Ends:
    """M finger ends: frame, hand and finger (M,) each, the keys `own` (M, 2) that it may press, and its skin (M, 3, Q)."""

    frame: Index
    hand: Index
    finger: Index
    own: Index
    skin: Single

    def take(self, chosen: NDArray) -> "_Ends":
        return _Ends(*(getattr(self, field.name)[chosen] for field in fields(self)))


class KeyWalls:
    """The keys of one keyboard, and the skin of a pair of hands."""

    def __init__(self, skeleton: HandSkeleton, keyboard: Keyboard, frames: int) -> None:
        """frames: of each window; between two of them there is motion, too."""
        self.keyboard, self.frames = keyboard, frames
        share = skeleton.skin_share[..., None]
        # Of a point's way from the last joint what turns with the middle phalanx, and with the last; and the joint: (10, 7, Q).
        ways = np.concatenate([skeleton.skin * (1.0 - share), skeleton.skin * share, np.ones_like(share)], axis=-1)
        self._points = np.swapaxes(ways, -1, -2).reshape(10, 7, -1).astype(np.float32)
        self._link = np.where(skeleton.skin_share > 0.5, 2, 1)
        self._size = float(np.linalg.norm(skeleton.skin, axis=-1).max())

    def add(self, posed: kinematics.Posed, targets: Targets, own: Index, system: System) -> None:
        """Add normal equations. own (N, H, 5): index of the key that each finger presses, -1 where it presses none."""
        joint = posed.joints[..., 2, :]
        near = (joint[..., 2] < BLACK_HEIGHT + self._size) & (joint[..., 1] > -self._size)
        hand, finger, frame = np.nonzero(np.moveaxis(near, 0, -1))
        which = frame, hand, finger
        height = self._skin(posed, which, slice(2, 3))[:, 0].min(axis=-1)
        among = (height < BLACK_HEIGHT + _MARGIN) & (joint[which][:, 1] > BLACK_FRONT - self._size)
        self._between_frames(posed, targets, own, tuple(index[among] for index in which), system)
        low = (height < _MARGIN) | among
        which = frame, hand, finger = which[0][low], which[1][low], which[2][low]
        mine = np.repeat(own[which][:, None], 2, axis=1)
        ends = _Ends(frame, hand, finger, mine, self._skin(posed, which, slice(0, 3)))
        inside = ends.skin[:, 1].max(axis=-1) > BLACK_FRONT - BLACK_FOOT - _MARGIN
        for black, met in ((False, height[low] < _MARGIN), (True, inside)):
            self._hold_off(posed, ends.take(met), targets.pressed, system, black=black)

    def _between_frames(
        self, posed: kinematics.Posed, targets: Targets, own: Index, among: tuple[Index, ...], system: System
    ) -> None:
        """Halfway from frame to frame: what passes a black key's edge must not cut the corner. Both frames give way.

        among: frame, hand and finger (M,) each of the ends that are among the black keys.
        """
        count = len(posed.wrist)
        begins = np.concatenate([among[0] - 1, among[0]])
        inside = (begins >= 0) & (begins % self.frames != self.frames - 1)
        place = np.concatenate([5 * among[1] + among[2]] * 2) * count + begins
        end, frame = np.divmod(np.unique(place[inside]), count)
        hand, finger = np.divmod(end, 5)
        here, there = (self._skin(posed, (frame + step, hand, finger), slice(0, 1))[:, 0] for step in (0, 1))
        quick = np.abs(there - here).max(axis=-1, initial=0.0) > _QUICK
        frame, hand, finger = frame[quick], hand[quick], finger[quick]
        here, there = (self._skin(posed, (frame + step, hand, finger), slice(0, 3)) for step in (0, 1))
        mine = np.stack([own[frame, hand, finger], own[frame + 1, hand, finger]], axis=-1)
        halfway = _Ends(frame, hand, finger, mine, np.float32(0.5) * (here + there))
        if not len(frame):
            return
        # As a whole, the shortest way out: single points would be pushed to both sides.
        room, inside = self._room(halfway, targets.pressed, black=True, until=1)
        through = np.where(inside, room, np.float32(0.0))  # (4, M, Q)
        way = through.max(axis=-1).argmin(axis=0)
        through = through[way, np.arange(len(way))]
        point, short = through.argmax(axis=-1), through.max(axis=-1)
        met = np.flatnonzero(short > 0.0)
        for step, skin in ((0, here), (1, there)):
            giving = replace(halfway, frame=frame + step, skin=skin).take(met)
            self._push(posed, giving, point[met], _WAYS[way[met]], short[met], system)

    def _skin(self, posed: kinematics.Posed, which: tuple[Index, ...], axes: slice) -> Single:
        """(M, axes, Q): coordinates of the skin of M finger ends (frame, hand, finger), in order of hands and fingers."""
        frame, hand, finger = which
        turns = posed.turns[frame, hand, finger, 1:, axes]  # (M, 2, axes, 3)
        place = posed.joints[frame, hand, finger, 2, axes]
        here = np.concatenate([turns[:, 0], turns[:, 1], place[..., None]], axis=-1).astype(np.float32)
        skin = np.empty((*here.shape[:2], self._points.shape[-1]), dtype=np.float32)
        begins = np.searchsorted(5 * hand + finger, np.arange(11))
        for end, points in enumerate(self._points):
            part = slice(begins[end], begins[end + 1])
            np.matmul(here[part].reshape(-1, 7), points, out=skin[part].reshape(-1, points.shape[-1]))
        return skin

    def _hold_off(self, posed: kinematics.Posed, ends: _Ends, pressed: Array, system: System, *, black: bool) -> None:
        """The deepest point of each finger end in each way that leads out of white (black) keys."""
        if not len(ends.frame):
            return
        room, inside = self._room(ends, pressed, black=black)
        met = inside.any(axis=-1)
        ends, room, inside = ends.take(met), room[:, met], inside[met]
        way = room.argmin(axis=0)
        depth = np.where(inside, room.min(axis=0), np.float32(-1.0))
        for out in range(len(_WAYS)):
            along = np.where(way == out, depth, np.float32(-1.0))
            point = along.argmax(axis=-1)
            deepest = np.take_along_axis(along, point[:, None], axis=-1)[:, 0]
            met = np.flatnonzero(deepest > 0.0)
            self._push(posed, ends.take(met), point[met], _WAYS[out], deepest[met], system)

    def _push(self, posed: kinematics.Posed, ends: _Ends, point: Index, way: Array, short: Single, system: System) -> None:
        """Finger ends give way by `short` (M,) in directions `way` (M, 3) or (3,), where `point` (M,) of their skin is."""
        if not len(point):
            return
        place = ends.skin[np.arange(len(point)), :, point].astype(float)
        link = self._link[ends.hand, ends.finger, point]
        change = kinematics.jacobian_at(posed, (ends.frame, ends.hand, ends.finger), place, link)
        rows = (np.broadcast_to(way, place.shape)[:, None] @ change)[:, 0]
        _SOFT.add(system, (ends.frame, ends.hand), rows, -short.astype(float))

    def _room(self, ends: _Ends, pressed: Array, *, black: bool, until: int = 0) -> tuple[Single, NDArray[np.bool_]]:
        """How far each point is in from the four sides (4, M, Q), in order of _WAYS, of the key in whose column it lies, with a
        margin; and whether it is inside one (M, Q) that its finger has no business in. pressed (N, 88): as in `Targets`; keys are
        taken halfway from the ends' frames to `until` frames later.
        """
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
        frame = ends.frame[:, None]
        share = pressed[frame, key] if until == 0 else 0.5 * (pressed[frame, key] + pressed[frame + until, key])
        slope = (share * (board.dip[first] / (BALANCE_Y - front))).astype(np.float32)
        below = top - slope * (np.float32(BALANCE_Y) - y) - z
        half, edge = np.float32(board.half_width[first]), np.float32(front)
        if black:  # flanks and front lean out towards the foot
            lean = np.clip(below * np.float32(1.0 / _BEVEL), 0, 1)
            half = half + np.float32(0.5 * board.scale * (BLACK_WIDTH_BASE - BLACK_WIDTH_TOP)) * lean
            edge = edge - np.float32(BLACK_FOOT) * lean
        aside = x - middles[column]
        room = np.stack([half + aside, half - aside, below, y - edge]) + np.float32(_MARGIN)
        room[2] -= np.float32(_PRESSED) * ((key == ends.own[:, :1]) | (key == ends.own[:, 1:]))
        return room, (room > 0.0).all(axis=0)


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
