# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheapest way of one hand through its notes: a dynamic programme over the moments at which it strikes.

A state says which finger is on every key that is down, struck now or still held. Time and memory are linear in the notes.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import LOWEST

from .fingering_costs import CostTables

Array = NDArray[np.float64]
Choices = NDArray[np.intp]

FIXED = 1000.0  # cost of going against the person
LEARNED = 3.0  # cost of another finger than a practised scale's
LET_GO = 7.0  # cost of taking a finger off a key that should be held
HURRY = 8.0  # cost of one finger on two keys in a row faster than
HURRIED = 0.13  # seconds
REST_EASES = 0.7  # share of a transition's cost that a long rest takes away
REST = 0.25  # seconds of rest that take away most of that


@dataclass(frozen=True)
class Slice:
    """One strike: the keys struck now, and those still held under fingers, in order from the thumb's side.

    notes: indices into the score. pitches: MIDI. end: seconds when the last of the struck notes ends.
    wishes: (column, finger 0-4, cost of any other finger).
    """

    time: float
    end: float
    notes: tuple[int, ...]
    pitches: tuple[int, ...]
    struck: tuple[bool, ...]
    wishes: tuple[tuple[int, int, float], ...] = ()


@cache
def choices(count: int) -> Choices:
    """Fingers (S, count) for keys in order from the thumb's side: rising, or with the thumb passed under."""
    rising = list(combinations(range(5), count))
    passed = [(*others[:place], 0, *others[place:]) for others in combinations(range(1, 5), count - 1) for place in range(1, count)]
    return np.array(rising + passed, dtype=np.intp)


def best_fingers(slices: list[Slice], tables: CostTables) -> dict[int, int]:
    """Finger 0-4 of every struck note, by its index in the score."""
    costs = _Costs(tables)
    total = np.zeros(0)
    back: list[NDArray[np.intp]] = []
    before: Slice | None = None
    for now in slices:
        cost = costs.of(now)
        if before is not None:
            links = costs.between(before, now)
            links += total[:, None]
            best = links.argmin(axis=0)
            back.append(best)
            cost = cost + links[best, np.arange(len(best))]
            cost -= cost.min()
        total, before = cost, now
    fingers: dict[int, int] = {}
    state = int(total.argmin()) if slices else 0
    for position in range(len(slices) - 1, -1, -1):
        now = slices[position]
        row = choices(len(now.notes))[state]
        for index, struck, finger in zip(now.notes, now.struck, row.tolist(), strict=True):
            if struck:
                fingers[index] = finger
        if position:
            state = int(back[position - 1][state])
    return fingers


class _Costs:
    """Costs of states and of pairs of states; equal situations recur all through a piece and are computed once."""

    def __init__(self, tables: CostTables) -> None:
        self._tables = tables
        self._nodes: dict[tuple, Array] = {}
        self._links: dict[tuple, tuple[Array, Array, Array]] = {}

    def of(self, now: Slice) -> Array:
        """(S,) of a slice's states by themselves."""
        situation = (now.pitches, now.struck)
        cost = self._nodes.get(situation)
        if cost is None:
            cost = self._nodes[situation] = self._node(now)
        for column, finger, price in now.wishes:
            cost = cost + np.where(choices(len(now.notes))[:, column] == finger, 0.0, price)
        return cost

    def _node(self, now: Slice) -> Array:
        keys = [pitch - LOWEST for pitch in now.pitches]
        fingers = choices(len(keys))
        cost = np.zeros(len(fingers))
        for a, struck in enumerate(now.struck):
            if struck:
                cost += self._tables.single[keys[a], fingers[:, a]]
            for b in range(a + 1, len(keys)):
                pair = self._tables.together[keys[a], keys[b], fingers[:, a], fingers[:, b]]
                # A key that only is held can be let go; one that is struck cannot be left out.
                cost += pair if struck and now.struck[b] else np.minimum(pair, LET_GO)
        return cost

    def between(self, before: Slice, now: Slice) -> Array:
        """(S before, S now) of each state after each state; a new array."""
        stays = tuple((a, now.notes.index(i)) for a, i in enumerate(before.notes) if i in now.notes)
        situation = (before.pitches, before.struck, now.pitches, now.struck, stays)
        parts = self._links.get(situation)
        if parts is None:
            parts = self._links[situation] = self._link(before, now, stays)
        moves, same_finger, let_go = parts
        rest = max(now.time - before.end - 0.03, 0.0)
        cost = moves * (1.0 - REST_EASES * (1.0 - np.exp(-rest / REST))) + let_go
        if now.time - before.time < HURRIED:
            cost += HURRY * same_finger
        return cost

    def _link(self, before: Slice, now: Slice, stays: tuple[tuple[int, int], ...]) -> tuple[Array, Array, Array]:
        old, new = choices(len(before.notes)), choices(len(now.notes))
        moves = np.zeros((len(old), len(new)))
        same_finger = np.zeros_like(moves)
        let_go = np.zeros_like(moves)
        for a, b in stays:
            let_go += LET_GO * (old[:, a, None] != new[None, :, b])
        line = sum(before.struck) == 1 and sum(now.struck) == 1
        table = self._tables.step if line else self._tables.shift
        share = 1.0 / max(sum(before.struck), sum(now.struck))
        for a in np.flatnonzero(before.struck):
            for b in np.flatnonzero(now.struck):
                was, becomes = old[:, a, None], new[None, :, b]
                moves += share * table[before.pitches[a] - LOWEST, now.pitches[b] - LOWEST, was, becomes]
                if before.pitches[a] != now.pitches[b]:
                    same_finger += was == becomes
        return moves, same_finger, let_go
