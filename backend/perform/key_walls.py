# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys are solid: the skin of each finger's end stays out of every key but the one that the finger presses."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import FINGER_JOINTS
from s2c_blender.wire.keyboard import BALANCE_Y, BLACK_FOOT, BLACK_FRONT, BLACK_HEIGHT, BLACK_WIDTH_BASE, BLACK_WIDTH_TOP, Keyboard

from . import kinematics
from .normal_equations import Softness, System
from .targets import Targets

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Index = NDArray[np.intp]

# Tried and left: 0.6 mm (small hands press neighbours), 0.3 (more notes come late, held up beside their keys).
_SOFT = Softness(spread=0.0004, outlier=0.003)
_MARGIN = 0.0002  # metres from a key at which skin begins to be held off
_PRESSED = 0.0010  # metres that a finger may be in its own key: its contact is asked for elsewhere
_QUICK = 0.003  # metres from frame to frame from which on the way between them counts,
_SAG = 0.1  # and how much lower than both, as a share of that way, a fingertip may be between them
_ACROSS = 0.006  # what goes so far sideways between two frames leaves keys upwards or to the front
# Quarters of that way at which it is looked at, and metres sideways from which on: half of a long way may be past a black key.
_QUARTERS, _LEAST = np.array([1, 2, 3]), np.array([0.008, 0.0, 0.008])
_IN = 0.5  # what a metre in depth counts for there
_BEVEL = 0.0025  # metres below a black key's top at which it is taken to be as large as its foot
_WAYS = np.array([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # out: left, right, up, to the front


@dataclass(frozen=True)
class _Ends:
    """M finger ends: the pose, hand and finger (M,) of each, frames (M, 1 or 2) that give way, the keys `own` (M, 2)
    that it may press, and its skin (M, 3, Q)."""

    pose: Index
    hand: Index
    finger: Index
    frames: Index
    own: Index
    skin: Single

    def take(self, chosen: NDArray) -> "_Ends":
        return _Ends(*(getattr(self, field.name)[chosen] for field in fields(self)))


class KeyWalls:
    """The keys of one keyboard, and the skin of a pair of hands."""

    def __init__(self, skeleton: HandSkeleton, keyboard: Keyboard, frames: int) -> None:
        """frames: of each window; between two of them there is motion, too."""
        self.keyboard, self.frames, self._skeleton = keyboard, frames, skeleton
        self.soft = _SOFT
        self._tips = skeleton.tips - skeleton.rest[:, np.array(FINGER_JOINTS)[:, 2]]  # (H, 5, 3) from the last joint
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
        behind = joint[which][:, 1] > BLACK_FRONT - self._size
        among = behind & (height < BLACK_HEIGHT + _MARGIN)
        self._between_frames(posed, targets, own, (frame, hand, finger, height - BLACK_HEIGHT * behind), system)
        low = (height < _MARGIN) | among
        which = frame, hand, finger = which[0][low], which[1][low], which[2][low]
        mine = np.repeat(own[which][:, None], 2, axis=1)
        ends = _Ends(*which, frame[:, None], mine, self._skin(posed, which, slice(0, 3)))
        inside = ends.skin[:, 1].max(axis=-1) > BLACK_FRONT - BLACK_FOOT - _MARGIN
        for black, met in ((False, height[low] < _MARGIN), (True, inside)):
            self._hold_off(posed, ends.take(met), targets.pressed, system, black=black)

    def _between_frames(
        self, posed: kinematics.Posed, targets: Targets, own: Index, near: tuple[Index, Index, Index, Single], system: System
    ) -> None:
        """On the way from frame to frame: what passes an edge must not cut the corner, nor a finger that swings dip into keys. Both
        frames give way.

        near: frame, hand and finger (M,) each of ends, and how high they are above the keys there.
        """
        frame, hand, finger, sideways, inwards = self._quick(posed, near)
        quick, look = np.nonzero(np.maximum(sideways, _IN * inwards)[:, None] >= _LEAST)
        if not len(quick):
            return
        frame, hand, finger, sideways = frame[quick], hand[quick], finger[quick], sideways[quick]
        both = np.stack([frame, frame + 1], axis=-1)
        moments, pose = np.unique(4 * frame + _QUARTERS[look], return_inverse=True)
        before, share = moments // 4, 0.25 * (moments % 4)
        passing = kinematics.on_the_way(self._skeleton, posed, before, share)
        here, there = targets.pressed[before], targets.pressed[before + 1]
        pressed = here + share[:, None] * (there - here)
        skin = self._skin(passing, (pose, hand, finger), slice(0, 3))
        ends = _Ends(pose, hand, finger, both, own[both, hand[:, None], finger[:, None]], skin)
        self._hold_off(passing, ends, pressed, system, black=False)
        # Out of black keys as a whole, the shortest way: single points would be pushed to both sides.
        end, point, room = self._inside(ends, pressed, black=True)
        if not len(end):
            return
        first = np.flatnonzero(np.diff(end, prepend=-1))
        farthest = np.maximum.reduceat(room, first, axis=1)  # (4, ends)
        farthest[:2, sideways[end[first]] > _ACROSS] = np.inf
        out = np.repeat(farthest.argmin(axis=0), np.diff(first, append=len(end)))
        depth = room[out, np.arange(len(out))]
        deepest = _deepest(end, depth)
        # No more is wrong than how far in it is, whichever way it goes out.
        wrong = np.maximum.reduceat(room.min(axis=0), first)
        self._push(passing, ends.take(end[deepest]), point[deepest], _WAYS[out[deepest]], depth[deepest], system, wrong)

    def _quick(self, posed: kinematics.Posed, near: tuple[Index, Index, Index, Single]) -> tuple[Index, Index, Index, Array, Array]:
        """Frame, hand and finger (K,) of ends that go far to the next frame and may meet keys on that way, in order of hands and
        fingers; and how far they go sideways, and in depth."""
        frame, hand, finger, height = near
        count = len(posed.wrist)
        tips = posed.joints[..., 2, :] + (posed.distal @ self._tips[..., None])[..., 0]
        ways = np.diff(tips, axis=0, append=tips[-1:])
        way = np.linalg.norm(ways, axis=-1)  # (N, H, 5) to the next frame
        frame = np.concatenate([frame - 1, frame])
        hand, finger, height = (np.concatenate([column] * 2) for column in (hand, finger, height))
        far = way[frame, hand, finger]
        inside = (frame >= 0) & (frame % self.frames != self.frames - 1)
        met = inside & (far > _QUICK) & (height < _MARGIN + _SAG * far)
        end, frame = np.divmod(np.unique(((5 * hand + finger) * count + frame)[met]), count)
        hand, finger = np.divmod(end, 5)
        return frame, hand, finger, *np.moveaxis(np.abs(ways[frame, hand, finger, :2]), -1, 0)

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
        end, point, room = self._inside(ends, pressed, black=black)
        way, depth = room.argmin(axis=0), room.min(axis=0)
        deepest = _deepest(len(_WAYS) * end + way, depth)
        self._push(posed, ends.take(end[deepest]), point[deepest], _WAYS[way[deepest]], depth[deepest], system)

    def _push(
        self,
        posed: kinematics.Posed,
        ends: _Ends,
        point: Index,
        way: Array,
        short: Single,
        system: System,
        wrong: Single | None = None,
    ) -> None:
        """Finger ends give way by `short` (M,) in directions `way` (M, 3), where `point` (M,) of their skin is. wrong: as in
        `Softness.add`."""
        if not len(point):
            return
        place = ends.skin[np.arange(len(point)), :, point].astype(float)
        link = self._link[ends.hand, ends.finger, point]
        rows = kinematics.rows_at(posed, (ends.pose, ends.hand, ends.finger), place, link, way)
        self.soft.add(system, (ends.frames, ends.hand), rows, -short.astype(float), wrong=wrong)

    def _inside(self, ends: _Ends, pressed: Array, *, black: bool) -> tuple[Index, Index, Single]:
        """Which K points of which ends are inside keys that their fingers have no business in, with a margin, (K,) each in order
        of ends; and how far in from the key's four sides (4, K), in order of _WAYS. pressed (N, 88): as in `Targets`.
        """
        board = self.keyboard
        keys = np.flatnonzero(board.black == black)
        first, middles = keys[0], board.x[keys].astype(np.float32)
        front, top = board.front[first], np.float32(board.top[first])
        half, edge = np.float32(board.half_width[first]), np.float32(front)
        low = ends.skin[:, 2] < top + np.float32(_MARGIN)
        if black:
            low &= ends.skin[:, 1] > edge - np.float32(BLACK_FOOT + _MARGIN)
        # Flat indices and `take`: several times as fast here as indices by axis.
        count, skin = ends.skin.shape[-1], ends.skin.reshape(-1)
        flat = np.flatnonzero(low)
        end = flat // count
        point = flat - count * end
        x, y, z = (skin.take((3 * end + axis) * count + point) for axis in range(3))
        if black:
            right = np.clip(np.searchsorted(middles, x), 1, len(middles) - 1)
            column = np.where(x - middles[right - 1] < middles[right] - x, right - 1, right)
        else:
            column = np.clip(np.rint((x - middles[0]) / np.float32(board.white_pitch)).astype(np.intp), 0, len(middles) - 1)
        key = keys[column]
        down = pressed.reshape(-1).take(pressed.shape[1] * ends.pose.take(end) + key)
        slope = (down * (board.dip[first] / (BALANCE_Y - front))).astype(np.float32)
        below = top - slope * (np.float32(BALANCE_Y) - y) - z
        if black:  # flanks and front lean out towards the foot
            lean = np.clip(below * np.float32(1.0 / _BEVEL), 0, 1)
            half = half + np.float32(0.5 * board.scale * (BLACK_WIDTH_BASE - BLACK_WIDTH_TOP)) * lean
            edge = edge - np.float32(BLACK_FOOT) * lean
        aside = x - middles[column]
        room = np.stack([half + aside, half - aside, below, y - edge]) + np.float32(_MARGIN)
        room[2] -= np.float32(_PRESSED) * np.logical_or(*(key == own.take(end) for own in ends.own.T))
        inside = (room > 0.0).all(axis=0)
        return end[inside], point[inside], room[:, inside]


def _deepest(group: Index, depth: Single) -> Index:
    """Of each group of points the one that is deepest."""
    order = np.lexsort((-depth, group))
    return order[np.diff(group[order], prepend=-1) > 0]


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
