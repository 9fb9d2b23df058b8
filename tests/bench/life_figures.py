# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of a clip that tell whether its hands look alive: travel, preparation, jitter, enslaving, forearm. No printing."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.motion.joint_limits import hinge_angles
from s2c_blender.motion.skeleton import forward
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import FINGER_JOINTS
from s2c_blender.wire.keyboard import LOWEST, Keyboard

Array = NDArray[np.float64]

RUN = (0.06, 0.40)  # seconds between a hand's onsets in a run; above, music is slow
_DISTAL = [chain[-1] for chain in FINGER_JOINTS]
STEADY_HAND = 0.015  # metres a wrist may go up and down while its finger prepares, for the finger's own lift to be what is seen
_BUSY = 6.0  # notes a second of a hand: where it plays fewer, nothing in music asks for motion above 10 Hz
_WINDOW = 2.0  # seconds in which that is counted
_FIVE_FINGERS = 0.045  # metres to either side that fingers reach without their hand
_TRILL_GAP, _TRILL_NOTES = 0.2, 5  # a trill or tremolo: so many notes, two fingers by turns, no farther apart than that


def _joints(clip: Clip) -> tuple[Array, Array]:
    return forward(skeleton_of(clip), clip.rotation.astype(float), clip.translation.astype(float))


def travel(clip: Clip) -> dict[str, list[Array]]:
    """Samples of speeds (m/s) and distances (m) for (right, left), at 20 Hz while the piece lasts."""
    joints, turned = _joints(clip)
    skeleton = skeleton_of(clip)
    ends = skeleton.tips - skeleton.rest[:, _DISTAL]
    tips = joints[:, :, _DISTAL] + rotation.rotate(turned[:, :, _DISTAL], ends)
    times = np.arange(0.0, clip.score.duration, 0.05)
    pick = np.clip(np.round((times - clip.start) * clip.rate).astype(int), 0, len(joints) - 1)
    wrist, tips = joints[pick][:, :, 0], tips[pick]
    outward = np.array([1.0, -1.0])  # from the thumb's side to the little finger's
    speed = np.abs(np.diff(wrist, axis=0)) / 0.05
    tip_speed = np.abs(np.diff(tips[..., 0], axis=0)) / 0.05
    flat = tips[..., :2]
    figures = {
        "wrist speed sideways m/s": speed[..., 0],
        "wrist speed in depth m/s": speed[..., 1],
        "tip speed sideways m/s": tip_speed,
        "thumb to little tip m": np.linalg.norm(flat[:, :, 0] - flat[:, :, 4], axis=-1),
        "wrist to middle tip m": np.linalg.norm(flat[:, :, 2] - wrist[..., :2], axis=-1),
        "thumb behind middle tip m": flat[:, :, 2, 1] - flat[:, :, 0, 1],
        "wrist to thumb's side m": (flat[:, :, 2, 0] - wrist[..., 0]) * outward,
        "thumb to index m": (flat[:, :, 1, 0] - flat[:, :, 0, 0]) * outward,
        "wrist to wrist m": np.repeat((wrist[:, 0, 0] - wrist[:, 1, 0])[:, None], 2, axis=1),
    }
    return {name: [values[:, side].ravel() for side in (0, 1)] for name, values in figures.items()}


def asked_speed(clip: Clip) -> list[Array]:
    """Speeds (m/s) sideways that the notes themselves ask of (right, left), at 20 Hz: `travel`'s without any hand.

    A string through the middles of what is struck together, as taut as five fingers' reach to either side lets it be.
    """
    x = Keyboard(clip.octave).x[[note.pitch - LOWEST for note in clip.score.notes]]
    speeds = []
    for side in (0, 1):
        notes = _notes(clip, side)
        strike = clip.fingering.strike[notes]
        first = np.flatnonzero(np.diff(strike, prepend=-np.inf) > 0.03)
        if len(first) < 2:
            speeds.append(np.zeros(0))
            continue
        middle = np.add.reduceat(x[notes], first) / np.diff(np.append(first, len(notes)))
        place = middle.copy()
        for k in range(1, len(place)):
            place[k] = min(max(place[k - 1], middle[k] - _FIVE_FINGERS), middle[k] + _FIVE_FINGERS)
        times = np.arange(0.0, strike[-1], 0.05)
        speeds.append(np.abs(np.diff(np.interp(times, strike[first], place))) / 0.05)
    return speeds


def _notes(clip: Clip, side: int) -> NDArray[np.intp]:
    """A hand's played notes in order of strike."""
    notes = np.flatnonzero(clip.fingering.played & (clip.fingering.hand == side))
    return notes[np.argsort(clip.fingering.strike[notes], kind="stable")]


def preparation(clip: Clip, *, hand_moves: float = np.inf) -> tuple[list[float], list[float]]:
    """When a fingertip is highest before its strike: in tones in runs (`RUN`), in seconds where onsets are farther apart.

    In runs the finger is watched two tones back, and counts if it was free for 1.3; in slow music one second back, if free for 0.5.
    hand_moves: strikes before which the wrist goes up or down by more metres, out of a leap or a rest, are left out.
    """
    joints, _ = _joints(clip)
    times, strike = clip.times, clip.fingering.strike
    runs, slow = [], []
    for side in (0, 1):
        notes = _notes(clip, side)
        free_since: dict[int, float] = defaultdict(lambda: -np.inf)
        for note, gap in zip(notes, np.diff(strike[notes], prepend=-np.inf), strict=True):
            finger = int(clip.fingering.finger[note] - 1)
            free, free_since[finger] = free_since[finger], clip.fingering.release[note]
            in_run = gap <= RUN[1]
            watched, needed = (2.0 * gap, 1.3 * gap) if in_run else (1.0, 0.5)
            window = slice(*np.searchsorted(times, (max(free + 0.02, strike[note] - watched), strike[note])))
            height = joints[window, side, _DISTAL[finger], 2]
            if gap < RUN[0] or len(height) < 3 or free > strike[note] - needed:
                continue
            if np.ptp(joints[window, side, 0, 2]) > hand_moves:
                continue
            before = strike[note] - times[window][np.argmax(height)]
            (runs if in_run else slow).append(before / gap if in_run else before)
    return runs, slow


def fast_energy(clip: Clip) -> Array:
    """Energy of the joint angles' motion (total, above 10 Hz), in windows of two seconds with fewer than 6 notes a second."""
    angles = hinge_angles(skeleton_of(clip), clip.rotation)
    angles = angles.reshape(len(angles), 2, -1)
    length = round(_WINDOW * clip.rate)
    frequency = np.fft.rfftfreq(length, 1.0 / clip.rate)
    energy = np.zeros(2)
    for side in (0, 1):
        strike = clip.fingering.strike[_notes(clip, side)]
        for begin in range(0, len(angles) - length, length // 2):
            first = clip.times[begin]
            if np.sum((strike >= first) & (strike < first + _WINDOW)) >= _BUSY * _WINDOW:
                continue
            part = angles[begin : begin + length, side]
            power = np.abs(np.fft.rfft((part - part.mean(axis=0)) * np.hanning(length)[:, None], axis=0)) ** 2
            energy += power.sum(), power[frequency > 10.0].sum()
    return energy


def _idle(clip: Clip, side: int) -> NDArray[np.bool_]:
    """(F, 5): the finger has nothing to do: half a second before its strikes to 0.15 s after its releases."""
    idle = np.ones((len(clip.times), 5), dtype=bool)
    for note in _notes(clip, side):
        begin, end = clip.fingering.strike[note] - 0.5, clip.fingering.release[note] + 0.15
        idle[slice(*np.searchsorted(clip.times, (begin, end))), clip.fingering.finger[note] - 1] = False
    return idle


def following(clip: Clip) -> Iterator[tuple[int, Array, Array]]:
    """(finger, x, y): how fast (rad/s) the knuckles of a finger's neighbours that play flex, and that of the idle finger itself."""
    angles = hinge_angles(skeleton_of(clip), clip.rotation)[..., 1]
    speed = np.gradient(angles, 1.0 / clip.rate, axis=0)
    for side in (0, 1):
        idle = _idle(clip, side)
        for finger in range(5):
            beside = [other for other in (finger - 1, finger + 1) if 0 < other < 5] or [1]
            busy = ~idle[:, beside]
            chosen = idle[:, finger] & busy.any(axis=1)
            pull = np.where(busy, speed[:, side, beside], 0.0).sum(axis=1) / np.maximum(busy.sum(axis=1), 1)
            yield finger, pull[chosen], speed[chosen, side, finger]


def trill_turns(clip: Clip) -> list[float]:
    """Degrees, side to side, that the forearm turns in each trill or tremolo of the clip."""
    found = []
    for side in (0, 1):
        notes = _notes(clip, side)
        strike, finger = clip.fingering.strike[notes], clip.fingering.finger[notes]
        begin = 0
        for k in range(1, len(notes) + 1):
            goes_on = k < len(notes) and 0.03 < strike[k] - strike[k - 1] < _TRILL_GAP and finger[k] != finger[k - 1]
            if goes_on and (k < begin + 2 or finger[k] == finger[k - 2]):
                continue
            if k - begin >= _TRILL_NOTES:
                found.append(_turn(clip, side, strike[begin:k]))
            begin = k - 1 if goes_on else k
    return found


def _turn(clip: Clip, side: int, strike: Array) -> float:
    """Mean difference (degrees) of the forearm's rotation between strikes that follow each other."""
    at = np.searchsorted(clip.times, strike)
    turned = clip.rotation[at, side, 0].astype(float)
    between = rotation.to_axis_angle(rotation.multiply(rotation.conjugate(turned[:-1]), turned[1:]))
    return float(np.degrees(np.abs(between[:, 1]).mean()))


def joint_change(one: Clip, other: Clip) -> float:
    """Mean absolute difference (degrees) of all hinges and the wrist's turns of two clips of one piece, frame by frame."""
    count = min(len(one.rotation), len(other.rotation))
    hinges = [hinge_angles(skeleton_of(clip), clip.rotation[:count]).reshape(count, 2, -1) for clip in (one, other)]
    wrists = [clip.rotation[:count, :, 0].astype(float) for clip in (one, other)]
    turn = rotation.to_axis_angle(rotation.multiply(rotation.conjugate(wrists[0]), wrists[1]))
    return float(np.degrees(np.abs(np.concatenate([hinges[1] - hinges[0], turn], axis=-1)).mean()))
