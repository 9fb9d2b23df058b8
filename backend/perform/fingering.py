# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finger plays which note, and when it strikes and leaves: what the planner and the solve start from."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import UNPLAYED, Fingering, Score, pitch_name

from .finger_path import LEARNED, LEARNED_END, Slice, best_fingers
from .fingering_costs import TAUGHT, WHITE, CostTables, cost_tables
from .grips import Trial, strikes_that_hold
from .hand_slices import hand_slices
from .playable import Playable, make_playable
from .progress import Tick, no_tick, part_of
from .runs import find_runs, run_fingers
from .strikes import roll_stretched, strikes_and_releases

SEEN = 14.0  # cost of another finger than the one that is clearly seen to strike: more than any habit, less than what cannot be
UNCLEAR = 0.15  # probability below which nothing was seen
_NOT_THERE = 1e4  # cost of a finger that a hand has not
RUN_PACE = 0.7  # seconds between onsets within which a line is one run
CROWDED = 1.5  # cost of each white key by which a finger brings its hand's thumb past a key of the other hand,
CROWDED_MOST = 4.0  # and of how many at most: who is farther over crosses, and one finger is as good as another
BESIDE = 0.25  # seconds before and after a note for which its hand is there
_GRID = 20.0  # moments a second at which is noted where hands are


Missing = tuple[frozenset[int], frozenset[int]]


def assign_fingers(
    score: Score,
    hand: NDArray[np.int8],
    *,
    span: float = 0.22,
    seen: NDArray[np.float64] | None = None,
    without: Missing = (frozenset(), frozenset()),
    trial: Trial | None = None,
    tick: Tick = no_tick,
) -> Fingering:
    """Fingers, strikes and releases of all notes.

    hand: (N,) `HandSide` of every note; span: thumb tip to little fingertip, metres; seen: (N, 5) probability that each finger
    strikes each note, read from a motion; without: fingers (0 the thumb) that a hand has not; trial: how the hand fails at what
    it should hold at once. Fingers that notes state are kept, as far as they are there.
    """
    tick(0.0)
    playable = make_playable(score, hand, span=span)
    tick(0.1)
    finger = np.full(len(score.notes), UNPLAYED, dtype=np.int8)
    tables = {side: _lacking(cost_tables(side, span=span), without[side]) for side in HandSide}
    for side in HandSide:
        share = 0.1 + 0.4 * side  # of this work
        tick(share)
        slices = hand_slices(score, playable, side=side, span=span)
        tick(share)
        taught = _lacking(cost_tables(side, span=span, weights=TAUGHT), without[side])
        slices = _with_learned(slices, side=side, tables=taught)
        slices = _with_wishes(slices, _room(score, playable, side))
        if seen is not None:  # in proportion to how clear it is
            slices = _with_wishes(slices, np.where(seen > UNCLEAR, SEEN * seen, 0.0))
        for index, number in best_fingers(slices, tables[side], part_of(tick, share, share + 0.4)).items():
            finger[index] = number + 1
        tick(share + 0.4)
        for current in slices:
            chord = [index for index, struck in zip(current.notes, current.struck, strict=True) if struck]
            roll_stretched(score, playable, chord, finger, tables[side])
        _leave_out(score, playable, finger, side, without[side])
    tick(0.9)
    if trial is None:
        strike, release = strikes_and_releases(score, playable, finger, tables)
    else:
        strike, release = strikes_that_hold(score, playable, finger, tables, trial)
    return Fingering(playable.hand, finger, strike, release, tuple(playable.remarks))


def _lacking(tables: CostTables, missing: frozenset[int]) -> CostTables:
    if not missing:
        return tables
    single = tables.single.copy()
    single[:, sorted(missing)] += _NOT_THERE
    return replace(tables, single=single)


def _leave_out(score: Score, playable: Playable, finger: NDArray[np.int8], side: HandSide, missing: frozenset[int]) -> None:
    """What is left to fingers that are not there is not played."""
    lost = np.flatnonzero((playable.hand == side) & np.isin(finger - 1, sorted(missing)) & (finger != UNPLAYED))
    for index in lost.tolist():
        note = score.notes[index]
        playable.remarks.append(
            f"{pitch_name(note.pitch)} at {note.onset:.2f} s is not played: the {side.word} hand has no finger {finger[index]}"
        )
    finger[lost] = UNPLAYED
    playable.played[lost] = False


def _with_wishes(slices: list[Slice], price: NDArray[np.float64]) -> list[Slice]:
    """Adds wishes for fingers of the notes struck. price: (N, 5) cost of any other finger, 0 where none is wished for."""
    result = list(slices)
    for place, current in enumerate(slices):
        wishes = [
            (column, finger, float(price[index, finger]))
            for column, (index, struck) in enumerate(zip(current.notes, current.struck, strict=True))
            if struck
            for finger in np.flatnonzero(price[index]).tolist()
        ]
        if wishes:
            result[place] = replace(current, wishes=(*current.wishes, *wishes))
    return result


def _room(score: Score, playable: Playable, side: HandSide) -> NDArray[np.float64]:
    """(N, 5) price of any other finger than one that keeps a hand out of the other one's place: with its thumb side on that side,
    it lies apart."""
    onset = np.array([note.onset for note in score.notes])
    x = Keyboard().x[[note.pitch - LOWEST for note in score.notes]] * (1.0 if side is HandSide.RIGHT else -1.0)
    begin, now, end = ((np.maximum(when, 0.0) * _GRID).astype(int) for when in (onset - BESIDE, onset, playable.offset + BESIDE))
    edge = np.full(int(np.max(end, initial=0)) + 1, -np.inf)  # the other hand's key that is farthest on this one's side
    for index in np.flatnonzero(playable.played & (playable.hand != side)).tolist():
        there = edge[begin[index] : end[index] + 1]
        np.maximum(there, x[index], out=there)
    past = ((edge[now] - x) * 1000.0 / WHITE)[:, None] + np.arange(5)  # white keys, of the thumb
    cost = CROWDED * np.clip(past, 0.0, CROWDED_MOST)
    return cost[:, 4:] - cost  # the little finger costs most


def _with_learned(slices: list[Slice], *, side: HandSide, tables: CostTables) -> list[Slice]:
    """Adds the wish for the fingers of practised scales and arpeggios; a run's ends are nearly free."""
    column = [current.struck.index(True) if sum(current.struck) == 1 else -1 for current in slices]
    pitches = [current.pitches[c] if c >= 0 else -1 for current, c in zip(slices, column, strict=True)]
    together = np.diff([current.time for current in slices], prepend=-np.inf) < RUN_PACE
    result = list(slices)
    for start, stop in find_runs(pitches, together):
        fingers = run_fingers(pitches[start:stop], tables, mirrored=side is HandSide.LEFT)
        for position in range(start, stop):
            price = LEARNED if start < position < stop - 1 else LEARNED_END
            wish = (column[position], int(fingers[position - start]), price)
            result[position] = replace(result[position], wishes=(*result[position].wishes, wish))
    return result
