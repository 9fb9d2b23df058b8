# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a motion that knows no keyboard lies on it: for each hand a sideways shift, a scale and a shift in depth.

The camera that S2C's data was filmed with hung anywhere. At each onset some finger of the hand that plays must go down on the key,
so that notes and fingertips say where the keyboard was; wrong notes and missing ones must not matter.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import Score

from .motion import AFTER, DROP_SEEN, Motion, going_down
from .wrist_path import BLACK_PLACE, WHITE_PLACE

Array = NDArray[np.float64]

CONFIDENT = 0.35  # from which a fit is believed: notes of other pieces stay below 0.25
FEWEST = 6  # notes of a hand with which one is tried
MOST_NOTES = 400  # looked at, spread over the take
_AROUND = 0.15  # metres to either side of where the notes are on the whole
_STEP, _SCALE_STEP = 0.003, 0.01
_SCALES = (0.85, 1.15)
_USUAL_SCALE = 0.06  # standard deviation of the scale
_SPREAD, _FINE = 0.008, 0.005  # metres, standard deviations of a striking finger beside its key's middle: search, last steps
_STRAY = 0.02  # likelihood of a note that no finger plays (a wrong one, or the other hand's), of a finger right on its key
_STEPS = 15
_SHARED = 0.5  # share of a hand's notes that the other's fit has to explain
_NOT_SEEN, _CLEARLY_SEEN = 0.1, 0.8  # probabilities at which a note is another hand's than it seemed
_DEPTH_STEPS = 8
_DEPTH_SPREAD = 0.008


@dataclass(frozen=True)
class HandFit:
    """wrist -> to + scale * (wrist - from), in x and y. confidence: 0 (chance would do as well) to 1."""

    scale: float
    origin: tuple[float, float]
    place: tuple[float, float]
    confidence: float
    notes: int

    @property
    def trusted(self) -> bool:
        return self.confidence >= CONFIDENT

    def apply(self, wrists: Array) -> Array:
        """Wrists (..., 2) on the keyboard."""
        return np.array(self.place) + self.scale * (wrists - np.array(self.origin))


@dataclass(frozen=True)
class Evidence:
    """What is seen at the onsets of one hand's notes (n). x, y: where a key's middle is, and how deep fingers like to play it."""

    x: Array
    y: Array  # (n, 5)
    wrist: Array  # (n, 2)
    tips: Array  # (n, 5, 2) from the wrist
    likely: Array  # (n, 5) of each finger, by its motion alone; sums to one

    def shifted(self, by: int) -> "Evidence":
        """The same motion with other notes of the piece: what chance gives."""
        return Evidence(np.roll(self.x, by), np.roll(self.y, by, axis=0), self.wrist, self.tips, self.likely)


@dataclass(frozen=True)
class Laid:
    """A motion laid on the keys. hand: (N,) `HandSide` of each note; seen: (N, 5) probability that each of its fingers strikes."""

    motion: Motion
    fits: tuple[HandFit, HandFit]
    hand: NDArray[np.int8]
    seen: Array

    def made(self, on_keys: float) -> dict[str, Any]:
        """What a clip says of how it was made: as its motion was, and how that was laid on the keys."""
        return self.motion.clip.made | {"on_keys": on_keys, "registration": {s.word: asdict(self.fits[s]) for s in HandSide}}


def lay_out(motion: Motion, score: Score, hand: NDArray[np.int8], keyboard: Keyboard) -> Laid:
    """Register the motion and read its hands and fingers. hand: (N,) `HandSide` of every note, by the notes alone."""
    fits = register(motion, score, hand, keyboard)
    seen = seen_fingers(motion, score, fits, keyboard)
    hand = _seen_hands(seen, score, hand)
    return Laid(motion, fits, hand, seen[np.arange(len(hand)), hand])


def as_it_lies(clip: Clip, skeleton: HandSkeleton) -> Laid | None:
    """The motion of an S2C take that is on the keys already; None for other takes: those the planner plans anew."""
    if clip.made.get("prior") != "s2c" or not clip.score.notes:
        return None
    here = HandFit(1.0, (0.0, 0.0), (0.0, 0.0), 1.0, len(clip.score.notes))
    return Laid(Motion(clip, skeleton), (here, here), clip.fingering.hand, np.zeros((len(clip.score.notes), 5)))


def register(motion: Motion, score: Score, hand: NDArray[np.int8], keyboard: Keyboard) -> tuple[HandFit, HandFit]:
    """A fit for each hand. hand: (N,) `HandSide` of every note."""
    seen = [evidence(motion, score, hand, HandSide(side), keyboard) for side in HandSide]
    fits = [fit_hand(one) for one in seen]
    for side in HandSide:
        other = fits[1 - side]
        if other.trusted and not fits[side].trusted:
            fits[side] = _like(other, seen[side])
    return fits[0], fits[1]


def evidence(motion: Motion, score: Score, hand: NDArray[np.int8], side: HandSide, keyboard: Keyboard) -> Evidence:
    """Of the hand's notes that begin while the motion lasts, or of so many of them."""
    onset = np.array([note.onset for note in score.notes])
    notes = np.flatnonzero((hand == side) & (onset <= motion.end))
    if len(notes) > MOST_NOTES:
        notes = notes[np.linspace(0, len(notes) - 1, MOST_NOTES).astype(np.intp)]
    key = np.array([score.notes[i].pitch - LOWEST for i in notes], dtype=np.intp)
    tips, likely = seen_at(motion, onset[notes])
    return Evidence(
        x=keyboard.x[key],
        y=np.where(keyboard.black[key, None], BLACK_PLACE, WHITE_PLACE),
        wrist=motion.wrists(onset[notes] + AFTER)[:, side, :2],
        tips=tips[:, side, :, :2],
        likely=_shares(likely[:, side]),
    )


def seen_at(motion: Motion, onset: Array) -> tuple[Array, Array]:
    """Fingertips (n, H, 5, 3) from the wrist at onsets, and how much each looks as if it struck then (n, H, 5)."""
    tips = motion.tips(onset + AFTER)
    return tips, going_down(tips, motion.tips(onset - DROP_SEEN))


def seen_fingers(motion: Motion, score: Score, fits: tuple[HandFit, HandFit], keyboard: Keyboard) -> Array:
    """(N, H, 5) probability that each finger of each hand strikes a note, were it that hand's: by its place and its going down.

    What is missing to one says that none is seen to: a wrong note, the other hand's, a hand that could not be registered.
    """
    onset = np.array([note.onset for note in score.notes])
    key = np.array([note.pitch - LOWEST for note in score.notes], dtype=np.intp)
    result = np.zeros((len(onset), 2, 5))
    meant = np.flatnonzero(onset <= motion.end)
    if not len(meant):
        return result
    tips, likely = seen_at(motion, onset[meant])
    wrists = motion.wrists(onset[meant] + AFTER)
    for side in HandSide:
        if fits[side].trusted:
            wrist = fits[side].apply(wrists[:, side, :2])[:, 0]
            beside = wrist[:, None] + tips[:, side, :, 0] - keyboard.x[key[meant], None]
            match = _shares(likely[:, side]) * np.exp(-0.5 * (beside / _SPREAD) ** 2)
            result[meant, side] = match / (match.sum(axis=-1, keepdims=True) + _STRAY)
    return result


def _seen_hands(seen: Array, score: Score, hand: NDArray[np.int8]) -> NDArray[np.int8]:
    """Hands (N,) where a note that nobody gave to one is clearly seen to be struck by the other."""
    each = seen.max(axis=-1)
    own, other = (each[np.arange(len(hand)), which] for which in (hand, 1 - hand))
    free = np.array([note.hand is None for note in score.notes], dtype=bool)
    return np.where(free & (own < _NOT_SEEN) & (other > _CLEARLY_SEEN), 1 - hand, hand).astype(np.int8)


def in_words(made: dict[str, dict[str, Any]]) -> str:
    """What a person should know of a clip's "registration" where a hand's motion could not be laid on the keys; else nothing."""
    fits = {side: HandFit(**made[side.word]) for side in HandSide if side.word in made}
    lost = [side.word for side, fit in fits.items() if not fit.trusted]
    if not lost:
        return ""
    whose = "Neither hand's motion fits" if len(lost) == 2 else f"The {lost[0]} hand's motion does not fit"
    sure = ", ".join(f"{side.word} {fit.confidence:.0%}" for side, fit in fits.items())
    return f"{whose} the notes (confidence: {sure}): it goes where the planner would send it, with the generated posture."


def fit_hand(seen: Evidence) -> HandFit:
    """Searches shift and scale together, then sharpens them and finds the depth."""
    count = len(seen.x)
    if count < FEWEST:
        return HandFit(1.0, (0.0, 0.0), (0.0, 0.0), 0.0, count)
    scale, shift = _search(seen, fine=True)
    scale, shift = _sharpen(seen, scale, shift)
    found = _explained(seen, scale, shift)
    # What would other notes of the same piece give?
    chances = [_chance(seen.shifted(max(count * part // 4, 1))) for part in (1, 2, 3)]
    chance = min(float(np.mean(chances)), 0.95)
    middle = np.median(seen.wrist, axis=0)
    origin, place = (float(middle[0]), float(middle[1])), (float(shift), _depth(seen, scale, shift, float(middle[1])))
    return HandFit(scale, origin, place, float(np.clip((found - chance) / (1.0 - chance), 0.0, 1.0)), count)


def _chance(seen: Evidence) -> float:
    return _explained(seen, *_search(seen, fine=False))


def _like(other: HandFit, seen: Evidence) -> HandFit:
    """One camera filmed both hands: the other one's fit, believed where it explains this hand's notes, too."""
    middle = np.array(other.place) - other.scale * np.array(other.origin)
    fit = HandFit(other.scale, (0.0, 0.0), (float(middle[0]), float(middle[1])), 0.0, len(seen.x))
    if not len(seen.x):  # it plays nothing: it only has to be beside the other
        return replace(fit, confidence=other.confidence)
    found = _explained(seen, fit.scale, fit.place[0] + fit.scale * float(np.median(seen.wrist[:, 0])))
    return replace(fit, confidence=found if found >= _SHARED else 0.0)


def _shares(likely: Array) -> Array:
    shares = np.exp(likely - likely.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def _beside(seen: Evidence, scale: Array | float, shift: Array | float) -> Array:
    """(..., n, 5) how far each finger is from the key's middle, sideways."""
    wrist = seen.wrist[:, 0] - np.median(seen.wrist[:, 0])
    at = np.asarray(shift)[..., None] + np.asarray(scale)[..., None] * wrist
    return at[..., None] + seen.tips[..., 0] - seen.x[:, None]


def _matches(seen: Evidence, scale: Array | float, shift: Array | float, spread: float) -> Array:
    """(..., n, 5) likelihood that each finger strikes the key."""
    return seen.likely * np.exp(-0.5 * (_beside(seen, scale, shift) / spread) ** 2)


def _search(seen: Evidence, *, fine: bool) -> tuple[float, float]:
    """Scale and place of the wrist's middle with the largest likelihood on a grid."""
    step = 1.0 if fine else 2.0
    wrist = seen.wrist[:, 0] - np.median(seen.wrist[:, 0])
    usual = float(np.median(seen.x - wrist - np.sum(seen.likely * seen.tips[..., 0], axis=-1)))
    shifts = usual + np.arange(-_AROUND, _AROUND + 1e-9, step * _STEP)
    best = (-np.inf, 1.0, usual)
    for scale in np.arange(_SCALES[0], _SCALES[1] + 1e-9, step * _SCALE_STEP):
        each = _matches(seen, np.full(len(shifts), scale), shifts, _SPREAD).sum(axis=-1)
        total = np.log(_STRAY + each).sum(axis=-1) - 0.5 * ((scale - 1.0) / _USUAL_SCALE) ** 2
        at = int(np.argmax(total))
        best = max(best, (float(total[at]), float(scale), float(shifts[at])))
    return best[1], best[2]


def _sharpen(seen: Evidence, scale: float, shift: float) -> tuple[float, float]:
    """Expectation and maximisation: which finger struck, then the straight line through those that did."""
    wrist = seen.wrist[:, 0] - np.median(seen.wrist[:, 0])
    for step in range(_STEPS):
        spread = _SPREAD + (_FINE - _SPREAD) * step / (_STEPS - 1)
        match = _matches(seen, scale, shift, spread)
        weight = match / (match.sum(axis=-1, keepdims=True) + _STRAY)
        want = seen.x[:, None] - seen.tips[..., 0]
        total, first = weight.sum(), (weight * wrist[:, None]).sum()
        second = (weight * wrist[:, None] ** 2).sum() + (_FINE / _USUAL_SCALE) ** 2
        matrix = np.array([[total + 1e-9, first], [first, second]])
        right = np.array([(weight * want).sum(), (weight * want * wrist[:, None]).sum() + (_FINE / _USUAL_SCALE) ** 2])
        shift, scale = (float(value) for value in np.linalg.solve(matrix, right))
    return float(np.clip(scale, *_SCALES)), shift


def _explained(seen: Evidence, scale: float, shift: float) -> float:
    """Share of the notes that a finger which goes down explains."""
    match = _matches(seen, scale, shift, _SPREAD).sum(axis=-1)
    return float(np.mean(match / (match + _STRAY)))


def _depth(seen: Evidence, scale: float, shift: float, middle: float) -> float:
    """y of the wrist's middle for which the fingers that strike are where fingers like to be on keys; outliers pull little."""
    match = _matches(seen, scale, shift, _FINE)
    weight = match / (match.sum(axis=-1, keepdims=True) + _STRAY)
    want = seen.y - scale * (seen.wrist[:, 1, None] - middle) - seen.tips[..., 1]
    order = np.argsort(want, axis=None)
    below = np.cumsum(weight.ravel()[order])
    depth = float(want.ravel()[order[np.searchsorted(below, 0.5 * below[-1])]])
    for _ in range(_DEPTH_STEPS):
        pull = weight / np.maximum(1.0, np.abs(want - depth) / _DEPTH_SPREAD)
        depth = float((pull * want).sum() / max(pull.sum(), 1e-9))
    return depth
