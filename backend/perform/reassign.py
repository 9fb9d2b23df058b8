# SPDX-License-Identifier: GPL-3.0-or-later
"""Another finger or hand for some notes of a take: plans and solves again around them only; all other frames stay as they are."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.hand_rig import OWN_HANDS, skeleton_of
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, STANDARD_OCTAVE, Keyboard
from s2c_blender.wire.notes import Fingering, Score, pitch_name

from . import kinematics, solve
from .fingering_costs import cost_tables, reach
from .manner import Manner, manner
from .near_motion import NearMotion
from .planner import Plan, Setting, Take
from .playable import TOGETHER, make_playable
from .registration import as_it_lies
from .strikes import strikes_and_releases
from .targets import Targets

Array = NDArray[np.float64]
Index = NDArray[np.intp]

AROUND = 1.25  # seconds before the first and after the last change that are solved again: beyond 1 s hardly a wrist's path differs,
_FADE = 0.25  # and the outer ones lead over to what was there
_APART = 0.28  # metres between wrists from which on hands take no notice of each other
_CONTEXT = 5.0  # seconds farther out that the planner knows of, at least,
_BEYOND = 1.0  # and beyond the notes between which a hand rests
_STYLE, _SEED = 0.5, 0  # of clips that do not say

Changes = Mapping[int, tuple[HandSide, int]]


def reassign(clip: Clip, changes: Changes) -> Clip:
    """The take with other fingers. changes: note's index in the score to (hand, finger 1-5). All other notes keep theirs.

    Frames farther than AROUND seconds from what changes are the same bit for bit; and so is a hand that plays nothing otherwise, if
    the other one does not come near it.
    Raises PianoHandsError('no-note', 'bad-finger', 'not-played', 'finger-taken', 'out-of-reach', 'other-skeleton').
    """
    if clip.hands is None and clip.skeleton != OWN_HANDS:
        raise PianoHandsError(
            "other-skeleton", f"This take has the hands '{clip.skeleton}'.", "Generate it again with this version."
        )
    skeleton = skeleton_of(clip)
    for index, (hand, finger) in changes.items():
        _check_change(clip, index, hand, finger)
    fingering = replace(clip.fingering, **{name: getattr(clip.fingering, name).copy() for name in _COLUMNS})
    notes = list(clip.score.notes)
    for index, (hand, finger) in changes.items():
        fingering.hand[index], fingering.finger[index] = hand, finger
        notes[index] = replace(notes[index], hand=HandSide(hand), finger=finger)
    result = replace(
        clip,
        score=replace(clip.score, notes=tuple(notes)),
        fingering=fingering,
        rotation=clip.rotation.copy(),
        translation=clip.translation.copy(),
    )
    for index in changes:
        _check_possible(result, index)
    spans = _merged([_retime(clip, result, index) for index in changes])
    concerned = _hands_concerned(clip.fingering, fingering)
    for begin, end in spans:
        _resolve(result, skeleton, begin, end, concerned)
    return result


_COLUMNS = ("hand", "finger", "strike", "release")


def _check_change(clip: Clip, index: int, hand: int, finger: int) -> None:
    count = len(clip.score.notes)
    if not 0 <= index < count:
        numbers = f"Notes are numbered from 0 to {count - 1}." if count else "This take knows no notes."
        raise PianoHandsError("no-note", f"There is no note {index}.", numbers)
    if finger not in range(1, 6) or hand not in tuple(HandSide):
        raise PianoHandsError("bad-finger", f"There is no finger {finger} of hand {hand}.", "Fingers go from 1, the thumb, to 5.")
    if not clip.fingering.played[index]:
        raise PianoHandsError(
            "not-played", f"{_named(clip, index)} is not played in this take.", "Fix its finger and generate the take again."
        )


def _check_possible(clip: Clip, index: int) -> None:
    """That the hand can strike the note together with the others that it strikes then."""
    fingering, notes, x = clip.fingering, clip.score.notes, Keyboard().x
    together = np.abs(fingering.strike - fingering.strike[index]) <= TOGETHER
    together &= fingering.played & (fingering.hand == fingering.hand[index])
    span = clip.hand_size * STANDARD_OCTAVE / clip.octave
    for other in np.flatnonzero(together).tolist():
        key, other_key = notes[index].pitch - LOWEST, notes[other].pitch - LOWEST
        if key != other_key and fingering.finger[other] == fingering.finger[index]:
            raise PianoHandsError(
                "finger-taken",
                f"Finger {fingering.finger[index]} plays {_named(clip, other)} already, at the same time as {_named(clip, index)}.",
                "Give the other note another finger too.",
            )
        if abs(x[key] - x[other_key]) > reach(span):
            raise PianoHandsError(
                "out-of-reach",
                f"One hand does not reach {_named(clip, index)} and {_named(clip, other)} at once.",
                "Leave one of them to the other hand.",
            )


def _named(clip: Clip, index: int) -> str:
    note = clip.score.notes[index]
    return f"{pitch_name(note.pitch)} at {note.onset:.2f} s (note {index})"


def _retime(old: Clip, new: Clip, index: int) -> tuple[float, float]:
    """Writes strikes and releases around a note that follow from the new fingers; between which seconds anything changes."""
    moment = float(old.fingering.strike[index])
    chosen = np.flatnonzero((old.fingering.release > moment - AROUND) & (old.fingering.strike < moment + AROUND))
    begin, end = moment, max(float(old.fingering.release[index]), moment)
    # Both ways, for only what differs is to change.
    before, after = _times(old, chosen), _times(new, chosen)
    for name, was, becomes in zip(("strike", "release"), before, after, strict=True):
        times = getattr(new.fingering, name)
        for place in np.flatnonzero(was != becomes):
            begin, end = min(begin, float(becomes[place])), max(end, float(becomes[place]), float(times[chosen[place]]))
            times[chosen[place]] = becomes[place]
    return begin, end


def _times(clip: Clip, chosen: Index) -> tuple[Array, Array]:
    """Strikes and releases of the notes `chosen`, by the rules."""
    score, fingering = excerpt(clip, chosen)
    span = clip.hand_size * STANDARD_OCTAVE / clip.octave
    playable = make_playable(score, fingering.hand, span=span)
    playable.hand, playable.played = fingering.hand, fingering.played
    playable.delay = fingering.strike - np.array([note.onset for note in score.notes])
    return strikes_and_releases(score, playable, fingering.finger, {side: cost_tables(side, span=span) for side in HandSide})


def excerpt(clip: Clip, chosen: Index) -> tuple[Score, Fingering]:
    notes = tuple(clip.score.notes[index] for index in chosen)
    return Score(notes), Fingering(*(getattr(clip.fingering, name)[chosen] for name in _COLUMNS))


def _hands_concerned(old: Fingering, new: Fingering) -> NDArray[np.bool_]:
    """(H,) which hands play anything otherwise."""
    other = np.any([getattr(old, name) != getattr(new, name) for name in _COLUMNS], axis=0) & old.played
    return np.isin(list(HandSide), [old.hand[other], new.hand[other]])


def _merged(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans of time whose surroundings meet, made one."""
    result: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if result and begin - result[-1][1] < 2 * AROUND:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((begin, end))
    return result


class _Middle:
    """Frames of a plan from `first` on, for the solve."""

    def __init__(self, plan: solve.Planned, first: int, frames: int) -> None:
        self.plan, self.first = plan, first
        self.frames, self.rate = frames, plan.rate

    def section(self, first: int, last: int) -> tuple[Array, Targets]:
        return self.plan.section(self.first + first, self.first + last)


def _resolve(clip: Clip, skeleton: HandSkeleton, begin: float, end: float, concerned: NDArray[np.bool_]) -> None:
    """Solves again what lies around two moments, in place. concerned: (H,) hands that must move otherwise."""
    count, rate = len(clip.rotation), clip.rate
    first = max(int(np.ceil((begin - AROUND - clip.start) * rate)), 0)
    last = min(int((end + AROUND - clip.start) * rate) + 1, count)
    style = manner(clip.made.get("style", _STYLE), clip.made.get("seed", _SEED))
    plan, known, _ = plan_around(clip, skeleton, first, last, style)
    laid = as_it_lies(clip, skeleton)
    near = plan if laid is None else NearMotion(plan, laid)
    dofs = solve.solve(skeleton, _Middle(near, first - known, last - first))
    places = dofs[..., :3]
    closest = min(np.linalg.norm(each[:, 0] - each[:, 1], axis=-1).min() for each in (places, clip.translation[first:last]))
    share = fade(first, last, count, round(_FADE * rate))[:, None] * (concerned | (closest < _APART))
    blend_in(clip, first, kinematics.to_rotations(skeleton, dofs), places, share)


def blend_in(clip: Clip, first: int, turns: NDArray[np.floating], places: NDArray[np.floating], share: Array) -> None:
    """Changes the clip's frames from `first` on: `share` (F, H) of new rotations (F, H, 16, 4) and places (F, H, 3), the rest as
    it was. Where the share is 0 it stays bit for bit.
    """
    frames = slice(first, first + len(share))
    old = clip.rotation[frames].astype(np.float64)
    turns = turns.astype(np.float64) * np.where(np.sum(turns * old, axis=-1, keepdims=True) < 0.0, -1.0, 1.0)
    turns = old + share[..., None, None] * (turns - old)
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    before = clip.translation[frames].astype(np.float64)
    changed = share > 0.0
    clip.rotation[frames][changed] = turns[changed]
    clip.translation[frames][changed] = (before + share[..., None] * (places - before))[changed]


def plan_around(
    clip: Clip, skeleton: HandSkeleton, first: int, last: int, style: Manner
) -> tuple[Plan, int, tuple[Score, Fingering]]:
    """A plan in which frames `first` to `last` are as in the whole take's, the clip's frame where it begins, and what it plays.

    A hand that rests there is on its way between two notes, and needs both of them, however far they are.
    """
    fingering, rate = clip.fingering, clip.rate
    begin, end = clip.start + first / rate, clip.start + last / rate
    strike = fingering.strike[_neighbours(fingering, begin, end)]
    begin = min(begin - _CONTEXT, strike.min(initial=begin) - _BEYOND)
    end = max(end + _CONTEXT, strike.max(initial=end) + _BEYOND)
    known = max(int((begin - clip.start) * rate), 0), min(int((end - clip.start) * rate) + 1, len(clip.rotation))
    begin, end = (clip.start + frame / rate for frame in known)
    chosen = (fingering.release > begin) & (fingering.strike < end)
    chosen[_neighbours(fingering, begin, end)] = True
    score, fingering = excerpt(clip, np.flatnonzero(chosen))
    setting = Setting(skeleton, Keyboard(clip.octave), Take(begin, rate, known[1] - known[0]), style)
    return Plan(score, fingering, key_motion(score, fingering), setting), known[0], (score, fingering)


def _neighbours(fingering: Fingering, begin: float, end: float) -> Index:
    """Of each hand the last note that is over by one time, and the first from the other on."""
    found = []
    for side in HandSide:
        mine = fingering.played & (fingering.hand == side)
        before, after = np.flatnonzero(mine & (fingering.release <= begin)), np.flatnonzero(mine & (fingering.strike >= end))
        found += [before[np.argsort(fingering.release[before])[-1:]], after[np.argsort(fingering.strike[after])[:1]]]
    return np.concatenate(found)


def fade(first: int, last: int, count: int, length: int) -> Array:
    """(last - first,) share of the new motion: smooth at both ends, except where the take begins or ends."""
    inside = np.arange(first, last)
    up = np.ones(last - first) if first == 0 else (inside - first) / length
    down = np.ones(last - first) if last == count else (last - 1 - inside) / length
    u = np.clip(np.minimum(up, down), 0.0, 1.0)
    return u**3 * (10.0 - 15.0 * u + 6.0 * u * u)
