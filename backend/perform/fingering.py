# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finger plays which note, and when it strikes and leaves: what the planner and the solve start from."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import UNPLAYED, Fingering, Score

from .finger_path import FIXED, LEARNED, LEARNED_END, Slice, best_fingers
from .fingering_costs import CostTables, cost_tables, reach
from .playable import BARELY_HELD, TOGETHER, Playable, make_playable
from .runs import find_runs, run_fingers
from .strikes import strikes_and_releases

MOST_KEYS = 5  # under one hand
RUN_PACE = 0.7  # seconds between onsets within which a line is one run


def assign_fingers(score: Score, hand: NDArray[np.int8], *, span: float = 0.22) -> Fingering:
    """Fingers, strikes and releases of all notes.

    hand: (N,) `HandSide` of every note; span: thumb tip to little fingertip, metres. Fingers that notes state are kept.
    """
    playable = make_playable(score, hand, span=span)
    finger = np.full(len(score.notes), UNPLAYED, dtype=np.int8)
    tables = {side: cost_tables(side, span=span) for side in HandSide}
    for side in HandSide:
        slices = _slices(score, playable, side=side, span=span)
        slices = _with_learned(slices, side=side, tables=tables[side])
        for index, number in best_fingers(slices, tables[side]).items():
            finger[index] = number + 1
    strike, release = strikes_and_releases(score, playable, finger, tables)
    return Fingering(playable.hand, finger, strike, release, tuple(playable.remarks))


def _slices(score: Score, playable: Playable, *, side: HandSide, span: float) -> list[Slice]:
    """The moments at which one hand strikes, with the keys that it still holds as far as it can."""
    notes = score.notes
    x = Keyboard().x
    mine = np.flatnonzero((playable.hand == side) & playable.played).tolist()
    slices: list[Slice] = []
    held: list[int] = []
    at = 0
    while at < len(mine):
        start = notes[mine[at]].onset
        stop = at + 1
        while stop < min(len(mine), at + MOST_KEYS) and notes[mine[stop]].onset - start <= TOGETHER:
            stop += 1
        struck = mine[at:stop]
        pitches = {notes[i].pitch for i in struck}
        held = [i for i in held if playable.offset[i] > start + BARELY_HELD and notes[i].pitch not in pitches]
        while held and not _fits([x[notes[i].pitch - LOWEST] for i in struck + held], span):
            held.pop(0)
        down = sorted(struck + held, key=lambda i: notes[i].pitch, reverse=side is HandSide.LEFT)
        fresh = set(struck)
        slices.append(
            Slice(
                time=start,
                end=float(max(playable.offset[i] for i in struck)),
                notes=tuple(down),
                pitches=tuple(notes[i].pitch for i in down),
                struck=tuple(i in fresh for i in down),
                hold=tuple(0.0 if i in fresh else float(playable.offset[i]) - start for i in down),
                wishes=tuple((c, notes[i].finger - 1, FIXED) for c, i in enumerate(down) if i in fresh and notes[i].finger),
            )
        )
        held = held + struck
        at = stop
    return slices


def _fits(x: list[float], span: float) -> bool:
    return len(x) <= MOST_KEYS and max(x) - min(x) <= reach(span)


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
