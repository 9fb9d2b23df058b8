# SPDX-License-Identifier: GPL-3.0-or-later
"""The moments at which one hand strikes, and what it still holds then: the input of the search for fingers."""

from itertools import pairwise

import numpy as np

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import Score

from .finger_path import FIXED, Slice
from .fingering_costs import reach
from .playable import BARELY_HELD, TOGETHER, Playable

MOST_KEYS = 5  # under one hand
SLIDE_PACE = 0.052  # seconds between the notes of a glissando, at most
SHORTEST_SLIDE = 7  # notes
SLIDE = 400.0  # cost of another finger than the one that slides: less than the person's wish, more than anything else


def hand_slices(score: Score, playable: Playable, *, side: HandSide, span: float) -> list[Slice]:
    """Slices of one hand in order of time. What it cannot hold on to is not among the held notes."""
    notes = score.notes
    keyboard = Keyboard()
    mine = np.flatnonzero((playable.hand == side) & playable.played).tolist()
    sliding = _glissandi(score, mine, side)
    slices: list[Slice] = []
    held: list[int] = []
    for struck in _strikes(score, mine, sliding):
        start = notes[struck[0]].onset
        pitches = {notes[i].pitch for i in struck}
        held = [i for i in held if playable.offset[i] > start + BARELY_HELD and notes[i].pitch not in pitches]
        while held and not _fits([keyboard.x[notes[i].pitch - LOWEST] for i in struck + held], span):
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
                wishes=tuple(
                    wish for column, i in enumerate(down) if i in fresh for wish in _wishes(column, notes[i].finger, sliding.get(i))
                ),
            )
        )
        held = held + struck
    return slices


def _wishes(column: int, fixed: int | None, sliding: int | None) -> list[tuple[int, int, float]]:
    if fixed:
        return [(column, fixed - 1, FIXED)]
    return [] if sliding is None else [(column, sliding, SLIDE)]


def _strikes(score: Score, mine: list[int], sliding: dict[int, int]) -> list[list[int]]:
    """Notes struck together; those of a glissando one by one."""
    strikes: list[list[int]] = []
    for index in mine:
        onset = score.notes[index].onset
        if (
            strikes
            and len(strikes[-1]) < MOST_KEYS
            and onset - score.notes[strikes[-1][0]].onset <= TOGETHER
            and index not in sliding
            and strikes[-1][0] not in sliding
        ):
            strikes[-1].append(index)
        else:
            strikes.append([index])
    return strikes


def _fits(x: list[float], span: float) -> bool:
    return len(x) <= MOST_KEYS and max(x) - min(x) <= reach(span)


def _glissandi(score: Score, mine: list[int], side: HandSide) -> dict[int, int]:
    """Finger 0-4 that slides over the keys, by note: 3 away from the body's middle, the thumb towards it."""
    notes = score.notes
    black = Keyboard().black
    ranks = {}  # place of each key among those of its colour
    for colour in (False, True):
        ranks.update({int(key) + LOWEST: rank for rank, key in enumerate((black == colour).nonzero()[0])})
    sliding: dict[int, int] = {}
    run: list[int] = []
    direction = 0

    def close() -> None:
        if len(run) >= SHORTEST_SLIDE:
            outwards = (direction > 0) == (side is HandSide.RIGHT)
            sliding.update(dict.fromkeys(run, 2 if outwards else 0))

    for before, now in pairwise(mine):
        a, b = notes[before], notes[now]
        step = ranks[b.pitch] - ranks[a.pitch]
        slides = black[a.pitch - LOWEST] == black[b.pitch - LOWEST] and abs(step) == 1 and b.onset - a.onset <= SLIDE_PACE
        if run and not (slides and step == direction):
            close()
            run = []
        if slides:
            run = run or [before]
            run.append(now)
            direction = step
    close()
    return sliding
