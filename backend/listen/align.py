# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes of a MIDI file put where a recording of the same piece has them: a performance by one offset and drift, a score warped.
NumPy only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import Score

from .chroma import ATTACK_RATE, FRAME_RATE, Attacks, features_of_notes, features_of_sound
from .warping import warp

Floats = NDArray[np.float64]

_STEADY = 0.06  # seconds: nine onsets of ten lie so near to one straight line in a recording of the very performance
_GREATEST_DRIFT = 0.03  # of a clock against another; more is another tempo
_CHORD = 0.03  # seconds within which onsets count as one moment
_NEAR = 5  # moments to each side that a moment's own time is judged by
_SHORTEST = 0.02  # seconds of a note
_REACH = 0.06  # seconds around a moment in which its attack is looked for
_NEARBY = 0.035  # the same for a moment and its neighbours
_UNLIKE = 0.75  # distance of features, as a share of that of unrelated moments, from which the two are not one piece


@dataclass(frozen=True)
class Alignment:
    """The notes in the recording's time, and how they came there."""

    score: Score
    offset: float  # seconds of the recording at the MIDI's time zero, by the line that fits best
    drift: float  # 0.01: the recording is slower by one per cent
    warped: bool  # False: offset and drift say it all

    def in_words(self) -> str:
        how = "a performance: every note is moved by the same offset and drift" if not self.warped else "a score: it is warped"
        return f"The MIDI file begins {self.offset:+.3f} s into the recording, drift {100 * self.drift:+.2f} %; taken for {how}."


def align(score: Score, blocks: Iterator[NDArray[np.float32]], tick: Callable[[int, int], None]) -> Alignment:
    """`score` in the time of a sound at chroma.RATE. Notes that would begin before the recording are left out, by name.

    `tick(done, total)` hears of the work, and may raise. Raises PianoHandsError('not-aligned') where the two do not fit.
    """
    begin = min(note.onset for note in score.notes)
    attacks = Attacks()
    heard = features_of_sound(attacks.passing(blocks))
    written = features_of_notes(score, begin, score.duration)
    places = warp(written, heard, tick)
    _check_likeness(written, heard, places)
    score, left_out = _within(score, begin + len(places) / FRAME_RATE)
    moments = _moments(score)
    there = np.interp((moments - begin) * FRAME_RATE, np.arange(len(places)), places) / FRAME_RATE
    slope, start = _line(moments, there)
    apart = np.abs(there - (start + slope * moments))
    warped = abs(slope - 1.0) > _GREATEST_DRIFT or bool(np.quantile(apart, 0.9) > _STEADY)
    strengths = attacks.strengths()
    if warped:
        there = _smooth(moments, there)
        there = there + _late(there, strengths)
        there = np.maximum.accumulate(there + _late_nearby(there, strengths))
        slope, start = _line(moments, there)
    else:
        start += _late(start + slope * moments, strengths)

    def moved(time: float) -> float:
        if not warped:
            return start + slope * time
        inside = float(np.interp(time, moments, there))
        return inside + slope * (min(time - moments[0], 0.0) + max(time - moments[-1], 0.0))

    return Alignment(_moved(score, moved, left_out), start, slope - 1.0, warped)


def _within(score: Score, end: float) -> tuple[Score, tuple[str, ...]]:
    """Without what begins after the recording's last sound, by the MIDI's time."""
    notes = tuple(note for note in score.notes if note.onset < end)
    lost = len(score.notes) - len(notes)
    if not lost:
        return score, ()
    pedal = tuple(change for change in score.pedal if change.time < end)
    return replace(score, notes=notes, pedal=pedal), (f"{lost} notes after the recording ends are left out",)


def _check_likeness(written: NDArray[np.float32], heard: NDArray[np.float32], places: Floats) -> None:
    """On the path, frames must be much more alike than frames that have nothing to do with each other."""
    written = written[: len(places)]
    met = heard[np.clip(np.round(places).astype(int), 0, len(heard) - 1)]
    near = np.abs(met - written).sum(axis=1).mean()
    mixed = np.random.default_rng(0).permutation(len(written))
    far = np.abs(met[mixed] - written).sum(axis=1).mean()
    if near > _UNLIKE * far:
        raise PianoHandsError(
            "not-aligned",
            "The MIDI file and the recording do not seem to be the same piece.",
            "Choose the recording that belongs to it, or leave the recording out.",
        )


def _moments(score: Score) -> Floats:
    """Times at which notes begin, chords once."""
    moments: list[float] = []
    for note in score.notes:
        if not moments or note.onset - moments[-1] > _CHORD:
            moments.append(note.onset)
    return np.array(moments)


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope and value at zero of the straight line through most points: least squares, far points weighing less and less."""
    if np.ptp(x) < 1.0:  # too short to tell a drift
        return 1.0, float(np.median(y - x))
    weight = np.ones(len(x))
    slope = start = 0.0
    for _ in range(20):
        middle, height = np.average(x, weights=weight), np.average(y, weights=weight)
        slope = float((weight * (x - middle) * (y - height)).sum() / (weight * (x - middle) ** 2).sum())
        start = float(height - slope * middle)
        weight = 1.0 / np.maximum(np.abs(y - start - slope * x), 0.005)
    return slope, start


def _smooth(x: Floats, y: Floats) -> Floats:
    """Each moment by the line through its neighbours, near ones weighing more: tempo changes gradually, frames are coarse."""
    smooth = np.empty_like(y)
    for i in range(len(x)):
        some = slice(max(0, i - _NEAR), i + _NEAR + 1)
        weight = np.exp(-0.5 * ((x[some] - x[i]) / 0.4) ** 2)
        middle, height = np.average(x[some], weights=weight), np.average(y[some], weights=weight)
        spread = (weight * (x[some] - middle) ** 2).sum()
        slope = (weight * (x[some] - middle) * (y[some] - height)).sum() / spread if spread > 1e-6 else 1.0
        smooth[i] = height + slope * (x[i] - middle)
    return np.maximum.accumulate(smooth)


def _around(times: Floats, strengths: NDArray[np.float32], reach: float) -> tuple[Floats, Floats]:
    """Strengths of attacks (moments, steps) about each time, and how far from it those steps lie."""
    steps = np.arange(-round(reach * ATTACK_RATE), round(reach * ATTACK_RATE) + 1)
    first = np.floor(times * ATTACK_RATE)
    places = (first[:, None] + steps).astype(int)
    found = np.where((places >= 0) & (places < len(strengths)), strengths[np.clip(places, 0, len(strengths) - 1)], 0.0)
    return found, (steps + 0.5) / ATTACK_RATE


def _late(times: Floats, strengths: NDArray[np.float32]) -> float:
    """How much later than `times` the attacks are, taken together: frames are wide, and tell onsets no better than to a few."""
    found, apart = _around(times, strengths, _REACH)
    within = times * ATTACK_RATE % 1.0 / ATTACK_RATE
    shape = found.mean(axis=0)
    peak = int(np.argmax(shape))
    near = slice(max(0, peak - 1), peak + 2)
    return float(np.average(apart[near], weights=shape[near] + 1e-9) - within.mean())


def _late_nearby(times: Floats, strengths: NDArray[np.float32]) -> Floats:
    """The same for each moment, taken together with its neighbours."""
    found, apart = _around(times, strengths, _NEARBY)
    within = times * ATTACK_RATE % 1.0 / ATTACK_RATE
    kernel = np.exp(-0.5 * (np.arange(-4, 5) / 1.5) ** 2)
    shape = np.apply_along_axis(lambda column: np.convolve(column, kernel, mode="same"), 0, found)
    return (apart[np.argmax(shape, axis=1)] - within) * (shape.max(axis=1) > 0)


def _moved(score: Score, moved: Callable[[float], float], left_out: tuple[str, ...]) -> Score:
    notes = [replace(note, onset=moved(note.onset), offset=moved(note.offset)) for note in score.notes]
    kept = [replace(note, offset=max(note.offset, note.onset + _SHORTEST)) for note in notes if note.onset >= 0.0]
    lost = len(notes) - len(kept)
    pedal = tuple(replace(change, time=max(0.0, moved(change.time))) for change in score.pedal)
    if lost:
        left_out = (f"{lost} notes before the recording begins are left out", *left_out)
    bars = tuple(sorted(moved(bar) for bar in score.bars))
    return Score(tuple(sorted(kept, key=lambda note: (note.onset, note.pitch))), pedal, (*score.left_out, *left_out), bars)
