# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finger plays which note: one dynamic programme per hand over the moments at which it strikes."""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST
from s2c_blender.wire.notes import Fingering, Score, pitch_name

from .fingering_costs import CostTables, cost_tables
from .runs import find_runs, run_fingers
from .strikes import strikes_and_releases

Array = NDArray[np.float64]

TOGETHER = 0.03  # seconds between onsets that count as one strike of the hand
FIXED = 1000.0  # cost of going against the person
LEARNED = 3.0  # cost of another finger than a practised scale's
RUN_PACE = 0.7  # seconds between onsets within which a line is one run
SUBSTITUTION = 40.0  # cost of another finger on a held key


@dataclass(frozen=True)
class _Slice:
    """One strike: the notes struck now, and those still held under fingers, in the order thumb to little finger."""

    time: float
    notes: tuple[int, ...]  # indices into the score, of struck and held
    struck: tuple[bool, ...]


def assign_fingers(score: Score, hand: NDArray[np.int8], *, span: float = 0.22) -> Fingering:
    """Fingers, strikes and releases of all notes. hand: (N,) `HandSide`; span: thumb tip to little fingertip, metres."""
    count = len(score.notes)
    finger = np.zeros(count, dtype=np.int8)
    remarks: list[str] = []
    for side in HandSide:
        of_hand = [i for i in range(count) if hand[i] == side]
        slices = _slices(score, of_hand, side=side, remarks=remarks, span=span)
        tables = cost_tables(side, span=span)
        learned = _learned(score, slices, side=side, tables=tables)
        finger_of = _best_path(score, slices, learned, tables)
        for index, number in finger_of.items():
            finger[index] = number
    strike, release = strikes_and_releases(score, hand, finger)
    return Fingering(hand.astype(np.int8), finger, strike, release, tuple(remarks))


def _slices(score: Score, indices: list[int], *, side: HandSide, remarks: list[str], span: float) -> list[_Slice]:
    notes = score.notes
    slices: list[_Slice] = []
    held: list[int] = []
    at = 0
    while at < len(indices):
        start = notes[indices[at]].onset
        group: dict[int, int] = {}
        while at < len(indices) and notes[indices[at]].onset - start <= TOGETHER:
            index = indices[at]
            if notes[index].pitch in group:
                remarks.append(f"{_named(score, index)}: already struck at that moment, counted as one note")
            else:
                group[notes[index].pitch] = index
            at += 1
        held = [i for i in held if notes[i].offset > start + 0.06 and notes[i].pitch not in group]
        struck = [group[pitch] for pitch in sorted(group)]
        while len(struck) > 5:
            index = struck.pop(len(struck) // 2)
            remarks.append(f"{_named(score, index)}: no finger is free")
        while held and not _within_reach(score, struck + held, span):
            held.pop(0)
        everything = sorted(struck + held, key=lambda i: notes[i].pitch, reverse=side is HandSide.LEFT)
        fresh = set(struck)
        slices.append(_Slice(start, tuple(everything), tuple(i in fresh for i in everything)))
        held = held + struck
    return slices


def _within_reach(score: Score, indices: list[int], span: float) -> bool:
    pitches = [score.notes[i].pitch for i in indices]
    return len(pitches) <= 5 and (max(pitches) - min(pitches)) * 0.1645 / 12 <= span


def _named(score: Score, index: int) -> str:
    note = score.notes[index]
    return f"{pitch_name(note.pitch)} at {note.onset:.2f} s"


@cache
def _choices(count: int) -> NDArray[np.intp]:
    """Fingers (S, count) for keys in order from the thumb's side: rising, or the thumb passed under."""
    rising = list(combinations(range(5), count))
    passed = [(*others[:place], 0, *others[place:]) for others in combinations(range(1, 5), count - 1) for place in range(1, count)]
    return np.array(rising + passed, dtype=np.intp)


def _learned(score: Score, slices: list[_Slice], *, side: HandSide, tables: CostTables) -> dict[int, int]:
    """Finger 0-4 that a practised scale or arpeggio gives to a note, by index; its ends stay free."""
    single = [current.notes[current.struck.index(True)] if sum(current.struck) == 1 else -1 for current in slices]
    pitches = [score.notes[i].pitch if i >= 0 else -1 for i in single]
    times = np.array([current.time for current in slices])
    together = np.diff(times, prepend=-np.inf) < RUN_PACE
    learned: dict[int, int] = {}
    for start, stop in find_runs(pitches, together):
        fingers = run_fingers(pitches[start:stop], tables, mirrored=side is HandSide.LEFT)
        learned.update(zip(single[start + 1 : stop - 1], fingers[1:-1].tolist(), strict=True))
    return learned


def _best_path(score: Score, slices: list[_Slice], learned: dict[int, int], tables: CostTables) -> dict[int, int]:
    notes = score.notes
    previous: _Slice | None = None
    total = np.zeros(0)
    history: list[tuple[NDArray[np.intp], NDArray[np.intp] | None]] = []
    for current in slices:
        keys = np.array([notes[i].pitch - LOWEST for i in current.notes])
        fingers = _choices(len(keys))
        cost = _node(score, current, keys=keys, fingers=fingers, tables=tables)
        for column, (index, struck) in enumerate(zip(current.notes, current.struck, strict=True)):
            if struck and index in learned:
                cost = cost + np.where(fingers[:, column] == learned[index], 0.0, LEARNED)
        if previous is None:
            back = None
            total = cost
        else:
            links = _links(score, previous, current, tables=tables) + total[:, None]
            back = links.argmin(axis=0)
            total = links[back, np.arange(len(cost))] + cost
            total -= total.min()
        history.append((fingers, back))
        previous = current
    result: dict[int, int] = {}
    state = int(total.argmin()) if len(total) else 0
    for current, (fingers, back) in zip(reversed(slices), reversed(history), strict=True):
        for index, struck, number in zip(current.notes, current.struck, fingers[state], strict=True):
            if struck:
                result[index] = int(number) + 1
        if back is not None:
            state = int(back[state])
    return result


def _node(score: Score, current: _Slice, *, keys: NDArray[np.intp], fingers: NDArray[np.intp], tables: CostTables) -> Array:
    cost = np.zeros(len(fingers))
    for column, (index, struck) in enumerate(zip(current.notes, current.struck, strict=True)):
        if not struck:
            continue
        cost += tables.single[keys[column], fingers[:, column]]
        fixed = score.notes[index].finger
        if fixed is not None:
            cost += np.where(fingers[:, column] != fixed - 1, FIXED, 0.0)
    for a in range(len(keys)):
        for b in range(a + 1, len(keys)):
            cost += tables.together[keys[a], keys[b], fingers[:, a], fingers[:, b]]
    return cost


def _links(score: Score, previous: _Slice, current: _Slice, *, tables: CostTables) -> Array:
    """(S before, S now) cost of each choice after each choice."""
    notes = score.notes
    before, now = _choices(len(previous.notes)), _choices(len(current.notes))
    cost = np.zeros((len(before), len(now)))
    wait = current.time - max(notes[i].offset for i, struck in zip(previous.notes, previous.struck, strict=True) if struck)
    eased = 1.0 if wait < 0.1 else 0.4
    pairs = 0
    for a, (index, struck) in enumerate(zip(previous.notes, previous.struck, strict=True)):
        for b, (other, fresh) in enumerate(zip(current.notes, current.struck, strict=True)):
            if index == other:
                cost += np.where(before[:, a, None] != now[None, :, b], SUBSTITUTION, 0.0)
            elif struck and fresh:
                at = (notes[index].pitch - LOWEST, notes[other].pitch - LOWEST, before[:, a, None], now[None, :, b])
                cost += eased * tables.step[at] / max(sum(previous.struck), sum(current.struck))
                pairs += 1
    return cost
