# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps fingers, hands and keys from each other: capsules along phalanges, palms and forearms, and spheres at joints."""

from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide
from s2c_blender.wire.keyboard import BLACK_FRONT, BLACK_HEIGHT, BLACK_WIDTH_BASE, FALLBOARD_OUT, Keyboard, before_fallboard

from . import kinematics
from .capsules import closest_points
from .normal_equations import Softness, System

Array = NDArray[np.float64]
Index = NDArray[np.intp]

_PALM = -2  # the `link` of a capsule that no finger's hinge moves
_WIDER = 1.07  # beside each other fingers and hands are wider than thick: half thickness of capsules, as a share of the flesh's
_BALL = 1.3  # the ball of the thumb stands out from its first bone by more than by half of its thickness
_JOINT = 1.05  # the same above keys, at a last joint: bent, its skin stands out
_KNUCKLE = 1.0  # and at a knuckle, of the palm's half thickness
_BEHIND = 0.005  # metres behind the black keys' fronts from which on all of it stays above them
_TIP = 0.6  # where along a last phalanx its flesh is that thick
_KEYS = 2.0  # how much harder keys are than skin
_WRIST = 6  # degrees of freedom that come first: the hand's place and turns
_FREE = 0.0004  # metres that a last joint stays above the keys' tops
_NEAR = 0.26  # metres between wrists within which hands can touch
_OVER = 0.06  # metres by which the wrist of a hand that goes over the other is higher
_PASSING = 2  # frames before and after that say, too, on which side of each other hands are
_OWN_SIDE = 0.012  # metres by which hands beside each other count as farther apart: each finger keeps to its own hand's side,
_ASIDE, _ASIDE_FADE = 0.10, 0.05  # from so many metres between wrists on, sideways; and over how many more that begins
_IN_ORDER = 0.006  # metres by which neighbouring fingers count as farther apart: they do not change places
_QUICK = 0.005  # metres from frame to frame from which on hands are looked at halfway, too,
_BETWEEN_FRAMES = 0.5  # and of the way to the next moment so much is kept free, so that what passes goes round and not through;
_HAND_WAY, _FINGER_WAY = 0.008, 0.003  # metres, at most, between hands and between fingers of one

# Capsules: three for each finger (its phalanges), then the palm's, from the wrist to the knuckles of four fingers, and the arm's.
_PALM_FINGERS = (1, 2, 3, 4)
_ARM_AT = 15 + len(_PALM_FINGERS)  # the arm's capsule, which ends at the wrist
_FINGER = np.array([finger for finger in range(5) for _ in range(3)] + [*_PALM_FINGERS, 2])
_LINK = np.array([0, 1, 2] * 5 + [_PALM] * (len(_PALM_FINGERS) + 1))
# What stays above keys: balls around each finger's three joints, and around points of the palm and of the ball of the thumb.
_UNDER = np.array([0, 15, 15, 16, 16, 17, 17, 18, 18])  # capsules of those,
_ALONG = np.array([0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 0.0, 0.5])  # and where along them
_BALL_FINGER = np.concatenate([_FINGER[:15], _FINGER[_UNDER]])
_BALL_LINK = np.concatenate([5 * [_PALM, 0, 1], _LINK[_UNDER]])
_BESIDE = np.array([0, 1, 1, 2])  # phalanges with which the balls turn that keep the end of a finger beside black keys
_UP = np.array([0.0, 0.0, 1.0])
_OVER_BLACK = [3, 6, 9, 12, *range(15, 24)]  # of them, what goes over black keys: knuckles of long fingers, and the palm
_HEEL = 0.4  # the palm is as wide at the wrist, as a share of its width at the knuckles
_LOWER = [0, *range(15, 19)]  # capsules of the thumb's ball and of the palm: below their bones there is more flesh than above,
_LOW = 0.25  # by so much, as a share of their half thickness
_ARM_WIDER = 1.25  # the forearm's half thickness, as a share of the palm's
_ARM_ASIDE = 0.25  # and where it ends it lies more to the thumb's side, by so much of that
_ARM = 0.8  # of the forearm keeps off the other hand, too: so much, as a share of the middle hand's length


def _meeting() -> tuple[Index, Index]:
    """Pairs of capsules of one hand that may meet: outer phalanges of any two fingers, for they cross, too; the thumb's last one
    and the others' first; and a long finger's first one and the next finger's middle one."""
    pairs = [(3 * a + i, 3 * b + j) for a, b in combinations(range(5), 2) for i, j in product((1, 2), repeat=2)]
    pairs += [(2, 3 * finger) for finger in range(1, 5)]
    pairs += [(3 * a + i, 3 * a + 3 + j) for a in range(1, 4) for i, j in ((0, 1), (1, 0))]
    first, second = np.array(pairs).T
    return first, second


_FIRST, _SECOND = _meeting()


@dataclass(frozen=True)
class _Moments:
    """M moments, frames or halfway between two: the hands' poses, the ends of their capsules (M, H, 20, 3) each, the frames
    (M, 1 or 2) that give way, and the nearest frames (M,) `before` and `after`."""

    posed: kinematics.Posed
    ends: tuple[Array, Array]
    frames: Index
    before: Index
    after: Index

    def way(self, places: Array) -> Array:
        """(M, ...) how far places (N, ...) at all frames go from a moment to the next."""
        return 0.5 * (places[self.after] - places[self.before])


class Collisions:
    """Capsules of a pair of hands."""

    def __init__(self, skeleton: HandSkeleton, soft: Softness, frames: int) -> None:
        """frames: of each window; between two of them there is motion, too."""
        self.soft, self.frames, self._skeleton = soft, frames, skeleton
        chains = np.array(FINGER_JOINTS)
        flesh = skeleton.radius[:, chains]  # (H, 5, 3)
        last = skeleton.tips - skeleton.rest[:, chains[:, 2]]
        length = np.linalg.norm(last, axis=-1)
        self.tip = last * (1.0 - flesh[..., 2] / length)[..., None]  # (H, 5, 3) where the last capsule ends, from its joint
        self.pulp = last * _TIP
        palm = np.repeat(skeleton.radius[:, :1], len(_PALM_FINGERS) + 1, axis=1)
        self.radius = np.concatenate([flesh.reshape(2, 15), palm], axis=1)  # (H, 20)
        self.radius[:, 0] *= _BALL
        self.radius[:, -1] *= _ARM_WIDER
        # (H, 4, 3) where the palm's capsules begin, from the wrist
        self.heel = skeleton.rest[:, chains[list(_PALM_FINGERS), 0]] * np.array([_HEEL, 0.0, 0.0])
        self.arm = -_ARM * skeleton.rest[:, chains[2, 0]]  # (H, 3) where it ends, from the wrist
        self.arm[:, 0] += _ARM_ASIDE * skeleton.radius[:, 0] * np.sign(skeleton.rest[:, chains[0, 0], 0])
        # (H, 5, 3): at a joint, as thick as what is before it.
        knuckle = np.maximum(_KNUCKLE * skeleton.radius[:, :1, None], flesh[..., :1])
        self.joint = np.concatenate([knuckle, _JOINT * flesh[..., :2]], axis=-1)
        # (H, 15) where phalanges end
        self.thick = np.concatenate([self.joint[..., 1:], flesh[..., 2:]], axis=-1).reshape(2, 15)
        self.ball = np.concatenate([self.joint.reshape(2, 15), self.radius[:, _UNDER]], axis=1)  # (H, 24)
        # (H, 5, 4) beside keys: at the middle joint (the thumb's is its ball's end), between the last two, at the last, at the tip.
        middle = np.concatenate([self.radius[:, :1], self.joint[:, 1:, 1]], axis=1)
        sideways = np.einsum("hfpi,hfi->hfp", skeleton.pads, skeleton.flexion[:, chains[:, 2]])
        round_ones = [middle, self.joint[..., 2], self.joint[..., 2]]
        self.wide = np.stack([*round_ones, 0.5 * np.ptp(sideways, axis=-1)], axis=-1)
        self.high = np.stack([*round_ones, self.radius[:, 2:15:3]], axis=-1)
        self.side = _WIDER * self.radius  # (H, 20) beside each other: last phalanges half as much wider as their pads are
        self.side[:, 2:15:3] = 0.5 * (self.side[:, 2:15:3] + np.maximum(self.side[:, 2:15:3], self.wide[..., 3]))

    def add(self, posed: kinematics.Posed, free: NDArray[np.bool_], system: System) -> None:
        """Add normal equations of all overlaps. free (N, H, 5): fingers that press no key."""
        ends = self._ends(posed)
        self._above_keys(posed, ends, system)
        self._before_board(posed, ends[1][:, :, :15], system)
        for moments in (self._at_frames(posed, ends), self._halfway(posed, ends)):
            self._within(moments, ends, system)
            self._between(moments, ends, free, system)

    def _at_frames(self, posed: kinematics.Posed, ends: tuple[Array, Array]) -> _Moments:
        frame = np.arange(len(posed.wrist))
        return _Moments(posed, ends, frame[:, None], np.maximum(frame - 1, 0), np.minimum(frame + 1, frame[-1]))

    def _halfway(self, posed: kinematics.Posed, ends: tuple[Array, Array]) -> _Moments:
        """Between frames where something is quick. Tried and left: the mean of both frames' places, which saves a twentieth of the
        work, but is 2 mm off in the quickest moments, where fingers then overlap."""
        step = np.abs(np.diff(ends[1], axis=0)).max(axis=(1, 2, 3), initial=0.0)
        frame = np.flatnonzero(step > _QUICK)
        frame = frame[frame % self.frames != self.frames - 1]
        passing = kinematics.on_the_way(self._skeleton, posed, frame, 0.5)
        return _Moments(passing, self._ends(passing), np.stack([frame, frame + 1], axis=-1), frame, frame + 1)

    def _above_keys(self, posed: kinematics.Posed, ends: tuple[Array, Array], system: System) -> None:
        """Joints stay above the white keys, also while the fingertip presses: a thumb that lies flat presses neighbours, and a
        small hand that reaches far would sink into them with its knuckles. So does the palm of a hand that plays far in."""
        begin, end = (points.take(_UNDER, axis=2) for points in ends)
        place = np.concatenate([posed.joints.reshape(*begin.shape[:2], 15, 3), begin + _ALONG[:, None] * (end - begin)], axis=2)
        before = np.clip((BLACK_FRONT + _BEHIND - place[..., _OVER_BLACK, 1]) / (self.ball[:, _OVER_BLACK] + _BEHIND), 0.0, 1.0)
        high = BLACK_HEIGHT * (1.0 - before**2)  # the whole of it behind their fronts, less from where a ball comes up to them on
        short = place[..., 2] - self.ball - _FREE
        short[..., _OVER_BLACK] -= high
        which = frame, hand, ball = np.nonzero((short < 0.0) & (place[..., 1] > -self.ball))
        if not len(frame):
            return
        rows = kinematics.rows_at(posed, (frame, hand, _BALL_FINGER[ball]), place[which], _BALL_LINK[ball], _UP)
        self.soft.add(system, (frame[:, None], hand), rows, short[which], hardness=_KEYS)

    def _before_board(self, posed: kinematics.Posed, ends: Array, system: System) -> None:
        """Fingers stay in front of the fallboard. ends: of their phalanges (N, H, 15, 3)."""
        short = before_fallboard(ends) - self.thick
        frame, hand, phalanx = np.nonzero(short < 0.0)
        if len(frame):
            which = frame, hand, phalanx
            rows = self._rows(posed, which, ends[which], FALLBOARD_OUT)
            self.soft.add(system, (frame[:, None], hand), rows, short[which], hardness=_KEYS)

    def beside_black(self, posed: kinematics.Posed, keyboard: Keyboard, own: Index, system: System) -> None:
        """The two last phalanges and their joints stay out of black keys: aside, above or before them. Spheres that fill them lead
        the finger to a side as a whole; the skin itself (`key_walls`) fits more closely, but alone it would trap it there.

        own: (N, H, 5) index of the key that each finger presses, -1 where it presses none.
        """
        keys = np.flatnonzero(keyboard.black)
        black, half = keyboard.x[keys], 0.5 * BLACK_WIDTH_BASE * keyboard.scale
        middle, last = posed.joints[..., 1, :], posed.joints[..., 2, :]
        tip = last + (posed.distal @ self.pulp[..., None])[..., 0]
        place = np.stack([middle, 0.5 * (middle + last), last, tip], axis=3)  # (N, H, 5, 4, 3)
        reach = np.maximum(self.wide, self.high)
        low = (place[..., 2] < BLACK_HEIGHT + reach) & (place[..., 1] > BLACK_FRONT - reach)
        frame, hand, finger, ball = np.nonzero(low)
        if not len(frame):
            return
        place, wide, high = place[low], self.wide[hand, finger, ball], self.high[hand, finger, ball]
        right = np.searchsorted(black, place[:, 0])
        near = np.stack([np.maximum(right - 1, 0), np.minimum(right, len(black) - 1)])
        outward, distance = _from_black(place, black[near], half)
        short = distance - (high + (wide - high) * outward[..., 0] ** 2)
        side, met = np.nonzero((short < 0.0) & (keys[near] != own[frame, hand, finger]))
        if not len(met):
            return
        frame, hand, capsule = frame[met], hand[met], 3 * finger[met] + _BESIDE[ball[met]]
        rows = self._rows(posed, (frame, hand, capsule), place[met], outward[side, met])
        self.soft.add(system, (frame[:, None], hand), rows, short[side, met], hardness=_KEYS)

    def _ends(self, posed: kinematics.Posed) -> tuple[Array, Array]:
        """Where the capsules' middle lines begin and end, (N, H, 20, 3) each."""
        joints = posed.joints
        tip = joints[..., 2, :] + (posed.distal @ self.tip[..., None])[..., 0]
        last = np.concatenate([joints[..., 1:, :], tip[..., None, :]], axis=-2)
        knuckles = joints[:, :, _PALM_FINGERS, 0]
        flat = (*joints.shape[:2], 15, 3)
        wrist = posed.wrist[:, :, None]
        heel = wrist + (posed.wrist_turn[:, :, None] @ self.heel[..., None])[..., 0]
        arm = wrist + (posed.wrist_turn @ self.arm[..., None])[:, :, None, :, 0]
        begin = np.concatenate([joints.reshape(flat), heel, arm], axis=2)
        end = np.concatenate([last.reshape(flat), knuckles, wrist], axis=2)
        lower = _LOW * self.radius[:, _LOWER, None] * posed.wrist_turn[:, :, None, :, 2]
        begin[:, :, _LOWER] -= lower
        end[:, :, _LOWER[1:]] -= lower[:, :, 1:]
        return begin, end

    def _within(self, moments: _Moments, ends: tuple[Array, Array], system: System) -> None:
        """ends: of all frames."""
        begin, end = moments.ends
        allowed = self.side[:, _FIRST] + self.side[:, _SECOND]
        # Capsules first, each with all its moments: rows of memory are chosen, several times as fast as numbers.
        middle = np.ascontiguousarray(np.moveaxis(0.5 * (begin + end), (2, 3), (0, 1)), dtype=np.float32)  # (20, 3, M, H)
        half = np.ascontiguousarray(np.moveaxis(0.5 * _length(end - begin), 2, 0))
        gap = middle[_FIRST] - middle[_SECOND]
        gap *= gap
        reach = allowed.T[:, None] + _FINGER_WAY + half[_FIRST] + half[_SECOND]
        pair, moment, hand = np.nonzero(gap[:, 0] + gap[:, 1] + gap[:, 2] < reach**2)
        place = len(self.radius[0]) * (2 * moment + hand)
        first, second = place + _FIRST[pair], place + _SECOND[pair]
        begin, end, way = (points.reshape(-1, 3) for points in (begin, end, moments.way(0.5 * (ends[0] + ends[1]))))
        one, other = ((begin.take(which, axis=0), end.take(which, axis=0)) for which in (first, second))
        here, there = closest_points(one, other)
        distance, line = _unit(here - there)
        # Fingers that play side by side slide past each other: only how they come nearer counts.
        step = np.abs(np.sum((way.take(first, axis=0) - way.take(second, axis=0)) * line, axis=-1))
        overlap = distance - allowed[hand, pair] - np.minimum(_BETWEEN_FRAMES * step, _FINGER_WAY)
        short = np.flatnonzero(overlap < 0.0)
        if not len(short):
            return
        short = short[np.lexsort((pair[short], hand[short], moment[short]))]
        moment, hand, pair, here, there = moment[short], hand[short], pair[short], here[short], there[short]
        outward = np.where(hand == HandSide.RIGHT, -1.0, 1.0) * np.where(_FINGER[_FIRST[pair]] > 0, _IN_ORDER, 0.0)
        _, direction = _unit(here - there + outward[:, None] * moments.posed.wrist_turn[moment, hand][:, :, 0])
        rows = self._rows(moments.posed, (moment, hand, _FIRST[pair]), here, direction)
        rows -= self._rows(moments.posed, (moment, hand, _SECOND[pair]), there, direction)
        # What is asked for because something moves is not wrong yet.
        self.soft.add(system, (moments.frames[moment], hand), rows, overlap[short], wrong=allowed[hand, pair] - distance[short])

    def _between(self, moments: _Moments, ends: tuple[Array, Array], free: NDArray[np.bool_], system: System) -> None:
        """The other hand counts as standing still; each gives way by half. ends and free: of all frames."""
        wrists = moments.posed.wrist[:, HandSide.RIGHT] - moments.posed.wrist[:, HandSide.LEFT]
        close = np.flatnonzero(_length(wrists) < _NEAR)
        if not len(close):
            return
        (right, left), (right_end, left_end) = (np.moveaxis(points[close], 1, 0) for points in moments.ends)
        allowed = self.side[HandSide.RIGHT][:, None] + self.side[HandSide.LEFT]
        reach = 0.5 * (_length(right_end - right)[:, :, None] + _length(left_end - left)[:, None])
        here, there = 0.5 * (right + right_end), 0.5 * (left + left_end)
        apart = np.sum(here**2, axis=-1)[:, :, None] + np.sum(there**2, axis=-1)[:, None] - 2.0 * here @ np.swapaxes(there, -1, -2)
        near = apart < (allowed + reach + _HAND_WAY) ** 2
        which, first, second = np.nonzero(near)
        moment = close[which]
        here, there = _nearest(moments.ends, moment, first, second)
        sides = ((HandSide.RIGHT, first), (HandSide.LEFT, second))
        frame = moments.frames[moment].T
        idle = [(_LINK[capsule] != _PALM) & free[frame, side, _FINGER[capsule]].all(axis=0) for side, capsule in sides]
        strike = [(_LINK[capsule] != _PALM) & ~alone for (_, capsule), alone in zip(sides, idle, strict=True)]
        distance, line = _unit(here - there)
        way = moments.way(ends[1][:, :, _ARM_AT])  # of the wrists
        motion = (way[:, HandSide.RIGHT] - way[:, HandSide.LEFT])[moment]
        # Fingers that both strike must strike where they are: only how they come nearer counts.
        nearing = np.abs(np.sum(motion * line, axis=-1))
        step = np.where(strike[0] & strike[1], nearing, _length(motion))
        overlap = distance - allowed[first, second] - np.minimum(_BETWEEN_FRAMES * step, _HAND_WAY)
        short = np.flatnonzero(overlap < 0.0)
        if not len(short):
            return
        moment, first, second = moment[short], first[short], second[short]
        here, there, overlap, wrong = here[short], there[short], overlap[short], allowed[first, second] - distance[short]
        idle = [alone[short] for alone in idle]
        # What is on the other side a frame later has gone through: the frames around say which way round it should have gone.
        around = moments.frames[moment].T[:, None] + np.arange(-_PASSING, _PASSING + 1)[:, None]
        around = np.clip(around, 0, len(free) - 1).reshape(-1, len(moment))
        push = np.subtract(*_nearest(ends, around, first, second)).mean(axis=0)
        sideways = wrists[moment, 0]
        push[:, 0] += _OWN_SIDE * np.sign(sideways) * np.clip((np.abs(sideways) - _ASIDE) / _ASIDE_FADE, 0.0, 1.0)
        _, direction = _unit(push)
        for side, capsule, point, sign in ((HandSide.RIGHT, first, here, 1.0), (HandSide.LEFT, second, there, -1.0)):
            hand = np.full(len(moment), int(side))
            away = sign * direction
            alone, busy = idle[side], ~idle[1 - side]
            # Each gives way by half sideways; upwards the upper one does, for below the lower one there are keys. What plays
            # nothing makes all the room for what plays; a hand that goes over the other, for both: fingers below bend away badly.
            share = np.where(alone & busy, 1.0, 0.5 + 0.5 * away[:, 2])
            away[:, 2] = np.maximum(away[:, 2], 0.0)
            higher = sign * wrists[moment, 2]
            share[higher > _OVER], share[higher < -_OVER] = 1.0, 0.0
            aside = _unit(away)[1]
            away[alone & busy] = aside[alone & busy]
            rows = self._rows(moments.posed, (moment, hand, capsule), point, away)
            plays = ~free[moments.frames[moment], side].all(axis=(1, 2))
            rows[alone & plays, :_WRIST] = 0.0  # an idle finger gives way by itself where its hand has to stay with its keys
            self.soft.add(system, (moments.frames[moment], hand), rows, share * overlap, wrong=wrong)

    def _rows(self, posed: kinematics.Posed, which: tuple[Index, Index, Index], point: Array, direction: Array) -> Array:
        """(M, D): how far points (M, 3) on capsules `which` go along their directions (M, 3)."""
        frame, hand, capsule = which
        return kinematics.rows_at(posed, (frame, hand, _FINGER[capsule]), point, _LINK[capsule], direction)


def _nearest(ends: tuple[Array, Array], frame: Index, first: Index, second: Index) -> tuple[Array, Array]:
    """Points (..., M, 3) on the right hand's capsules `first` (M,) and the left hand's `second` that are nearest to each other at
    frames (..., M)."""
    right, left = ((frame, side, capsule) for side, capsule in ((HandSide.RIGHT, first), (HandSide.LEFT, second)))
    begin, end = ends
    return closest_points((begin[right], end[right]), (begin[left], end[left]))


def _from_black(place: Array, middle: Array, half: float) -> tuple[Array, Array]:
    """The way out (..., M, 3) of black keys, x of whose middles is (..., M), and how far outside points (M, 3) are, negative
    inside (..., M)."""
    aside = place[:, 0] - middle
    outside = np.broadcast_arrays(np.abs(aside) - half, BLACK_FRONT - place[:, 1], place[:, 2] - BLACK_HEIGHT)
    beyond = np.stack(outside, axis=-1)
    gap = np.maximum(beyond, 0.0)
    distance = np.linalg.norm(gap, axis=-1)
    inside = distance < 1e-5
    # What is wholly inside leaves by the nearest side.
    gap[inside, beyond[inside].argmax(axis=-1)] = 1.0
    distance[inside] = beyond[inside].max(axis=-1)
    gap /= np.linalg.norm(gap, axis=-1, keepdims=True)
    return gap * np.stack([np.sign(aside), -np.ones_like(aside), np.ones_like(aside)], axis=-1), distance


def _length(vector: Array) -> Array:
    """`np.linalg.norm` of (..., 3), several times as fast."""
    x, y, z = (vector[..., axis] for axis in range(3))
    return np.sqrt(x * x + y * y + z * z)


def _unit(vector: Array) -> tuple[Array, Array]:
    length = _length(vector)
    return length, vector / np.maximum(length, 1e-6)[:, None]
