# SPDX-License-Identifier: GPL-3.0-or-later
"""Scales and arpeggios longer than an octave: the hand takes every octave alike, as every method teaches.

Finds them in a hand's line and says which finger each note would have in the cheapest fingering that repeats each octave.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import LOWEST

from .fingering_costs import CostTables

WIDEST_STEP = 5  # semitones between neighbours of a run
THUMB_START = 3.2  # what it is worth to begin a run with the thumb
SHORT_FIRST = 1.7  # and then with three fingers before four
MIDDLE_OCTAVE = 48

#: How many keys in a row one position of the hand takes, by the number of keys in an octave.
GROUPINGS = {3: ((3,),), 4: ((4,),), 5: ((2, 3),), 6: ((3, 3), (2, 4)), 7: ((3, 4),), 8: ((4, 4), (2, 3, 3))}
GROUP_FINGERS = {2: ((0, 1), (0, 2)), 3: ((0, 1, 2), (0, 1, 3)), 4: ((0, 1, 2, 3),)}
CHROMATIC = 12
ARPEGGIO = 4  # keys in an octave up to which a run is a broken chord; within one octave that is one position of the hand


def find_runs(pitches: list[int], together: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges [start, stop) of a line in which each octave repeats the one before, each a single direction.

    pitches: of the line, -1 where the hand does not strike exactly one key. together: (N,) whether a note follows the one
    before without a rest.
    """
    runs = []
    start = 0
    while start < len(pitches) - 1:
        stop = start + 1
        direction = np.sign(pitches[stop] - pitches[start])
        while (
            stop < len(pitches)
            and pitches[stop] >= 0
            and pitches[stop - 1] >= 0
            and together[stop]
            and 0 < (pitches[stop] - pitches[stop - 1]) * direction <= WIDEST_STEP
        ):
            stop += 1
        if _repeats(pitches[start:stop]):
            runs.append((start, stop))
        start = max(stop - 1, start + 1)
    return runs


def _repeats(pitches: list[int]) -> bool:
    """Whether a rising or falling line goes on beyond an octave with the same notes."""
    period = next((i for i, pitch in enumerate(pitches) if abs(pitch - pitches[0]) >= 12), 0)
    if period not in (*GROUPINGS, CHROMATIC) or len(pitches) < period + (1 if period > ARPEGGIO else 2):
        return False
    return all(abs(pitches[i + period] - pitches[i]) == 12 for i in range(len(pitches) - period))


def run_fingers(pitches: list[int], tables: CostTables, *, mirrored: bool) -> NDArray[np.intp]:
    """Finger 0-4 of each note of a run, (n,); mirrored for the left hand."""
    classes = tuple(sorted({pitch % 12 for pitch in pitches}))
    nearest_thumb = (max(pitches) if mirrored else min(pitches)) % 12
    fingers = _pattern(classes, nearest_thumb, tables, mirrored)
    return np.array([fingers[pitch % 12] for pitch in pitches])


@lru_cache(maxsize=4096)
def _pattern(classes: tuple[int, ...], nearest_thumb: int, tables: CostTables, mirrored: bool) -> dict[int, int]:
    """The cheapest fingering, by pitch class, that is the same in every octave."""
    if len(classes) == CHROMATIC:
        # 3 on black keys, 1 on white ones, 2 where two whites meet: on the second of them seen from the thumb's side.
        second = (4, 11) if mirrored else (5, 0)
        return {c: 2 if c in (1, 3, 6, 8, 10) else 1 if c in second else 0 for c in classes}
    order = classes[::-1] if mirrored else classes  # away from the thumb
    best: tuple[float, dict[int, int]] | None = None
    for grouping in GROUPINGS[len(classes)]:
        for fingers in _expansions(grouping):
            for turn in range(len(order)):
                candidate = {order[(turn + i) % len(order)]: finger for i, finger in enumerate(fingers)}
                cost = _octave_cost(order, candidate, tables, mirrored)
                if candidate[nearest_thumb] == 0:
                    first = fingers.index(0, 1) if 0 in fingers[1:] else len(fingers)
                    starts_short = order[turn] == nearest_thumb and first < len(fingers)
                    cost -= THUMB_START + SHORT_FIRST * (starts_short and first <= len(fingers) - first)
                if best is None or cost < best[0] - 1e-9:
                    best = cost, candidate
    assert best is not None
    return best[1]


def _expansions(grouping: tuple[int, ...]) -> list[list[int]]:
    sequences: list[list[int]] = [[]]
    for size in grouping:
        sequences = [before + list(fingers) for before in sequences for fingers in GROUP_FINGERS[size]]
    return sequences


def _octave_cost(order: tuple[int, ...], fingers: dict[int, int], tables: CostTables, mirrored: bool) -> float:
    """Cost of one octave up and down again."""
    sign = -1 if mirrored else 1
    cost = 0.0
    for now, following in zip(order, (*order[1:], order[0]), strict=True):
        key = MIDDLE_OCTAVE + now - LOWEST
        next_key = key + sign * ((sign * (following - now)) % 12)
        a, b = fingers[now], fingers[following]
        cost += tables.single[key, a] * 2 + tables.step[key, next_key, a, b] + tables.step[next_key, key, b, a]
    return float(cost)
