# SPDX-License-Identifier: GPL-3.0-or-later
"""The cheapest way of one hand through its notes: a dynamic programme over the moments at which it strikes.

A state says which finger is on every key that is down, struck now or still held. Time and memory are linear in the notes.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.keyboard import KEY_COUNT, LOWEST

from .fingering_costs import CostTables
from .progress import Tick, no_tick

Array = NDArray[np.float64]
Choices = NDArray[np.intp]

FIXED = 1000.0  # cost of going against the person
LEARNED = 4.0  # cost of another finger than a practised scale's
LEARNED_END = 0.8  # the same where a run begins and ends
MEMORY = 0.35  # weight of the way from the strike before the last
LET_GO = 5.0  # cost of taking a finger off a key that should be held
LET_GO_LONG = 4.0  # and more for every second that it should be, up to
LONG = 3.0  # seconds
REMEMBERED = 20_000  # situations kept, so that memory stays bounded in the longest piece
HURRY = ((0.06, 25.0), (0.13, 8.0))  # seconds between two keys under one finger, and what that costs up to there
SMEARED = 0.05  # seconds between strikes below which the hand has no time to change its shape,
SMEARED_COST = 12.0  # and what keys cost at most that it cannot hold together
UNBOUND = 3.2  # cost of one finger in two thirds in turn, which cannot be bound then; twice that for fingers crossed
WIDEST_PAIR = 5  # semitones
OCTAVE = 12  # semitones between two keys from which on a hand that takes such a pair and the next keeps its shape:
AS_ONE = 0.2  # what is left of the cost of its way
BROAD = 4  # keys struck together, from which on the whole hand goes there
REST = 0.43  # seconds of rest that take away most of a transition's cost


@dataclass(frozen=True)
class Slice:
    """One strike: the keys struck now, and those still held under fingers, in order from the thumb's side.

    notes: indices into the score. pitches: MIDI. end: seconds when the last of the struck notes ends.
    hold: seconds that each key goes on sounding, 0 for those struck now.
    wishes: (column, finger 0-4, cost of any other finger).
    """

    time: float
    end: float
    notes: tuple[int, ...]
    pitches: tuple[int, ...]
    struck: tuple[bool, ...]
    hold: tuple[float, ...]
    wishes: tuple[tuple[int, int, float], ...] = ()


@cache
def choices(count: int) -> Choices:
    """Fingers (S, count) for keys in order from the thumb's side: rising, or with the thumb passed under."""
    rising = list(combinations(range(5), count))
    passed = [(*others[:place], 0, *others[place:]) for others in combinations(range(1, 5), count - 1) for place in range(1, count)]
    return np.array(rising + passed, dtype=np.intp)


def best_fingers(slices: list[Slice], tables: CostTables, tick: Tick = no_tick) -> dict[int, int]:
    """Finger 0-4 of every struck note, by its index in the score.

    Of second order: a step is judged from the strike before and, with less weight, from the one before that, so that the hand
    has a position and not only a last finger.
    """
    if not slices:
        return {}
    costs = _Costs(tables)
    ways = costs.of(slices[0])[None, :]  # (S before, S now) cost of the best way to each pair of states
    back: list[NDArray[np.int8]] = []  # from the third slice on: best state two strikes ago, for each pair
    for position in range(1, len(slices)):
        tick(position / len(slices))
        before, now = slices[position - 1], slices[position]
        if position > 1:
            tails = ways[:, :, None] + costs.apart(slices[position - 2], now)[:, None, :]
            back.append(tails.argmin(axis=0).astype(np.int8))
            tails = tails.min(axis=0)
        else:
            tails = ways.T
        ways = tails + costs.between(before, now) + costs.of(now)
        ways -= ways.min()
    earlier, state = divmod(int(ways.argmin()), ways.shape[1])
    fingers: dict[int, int] = {}
    for position in range(len(slices) - 1, -1, -1):
        now = slices[position]
        for index, struck, finger in zip(now.notes, now.struck, choices(len(now.notes))[state].tolist(), strict=True):
            if struck:
                fingers[index] = finger
        if position:
            earlier, state = int(back[position - 2][earlier, state]) if position > 1 else 0, earlier
    return fingers


class _Costs:
    """Costs of states and of pairs of states; equal situations recur all through a piece and are computed once."""

    def __init__(self, tables: CostTables) -> None:
        self._tables = tables
        self._nodes: dict[tuple, Array] = {}
        self._moves: dict[tuple, tuple[Array, Array]] = {}

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
        moves, same_finger = self._move(before, now, bound=True)
        cost = moves * _eased(before, now)
        if now.time - before.time < HURRY[-1][0]:
            cost += _hurry(before, now) * same_finger + self._smeared(before, now)
        if not all(now.struck):
            old, new = choices(len(before.notes)), choices(len(now.notes))
            for a, index in enumerate(before.notes):
                if index in now.notes:
                    b = now.notes.index(index)
                    price = LET_GO + LET_GO_LONG * min(now.hold[b], LONG)
                    cost += price * (old[:, a, None] != new[None, :, b])
        return cost

    def apart(self, earlier: Slice, now: Slice) -> Array:
        """(S earlier, S now) of states with one strike between them; a new array."""
        moves, same_finger = self._move(earlier, now, bound=False)
        cost = moves * (MEMORY * _eased(earlier, now))
        if now.time - earlier.time < HURRY[-1][0]:
            cost += _hurry(earlier, now) * same_finger + self._smeared(earlier, now)
        return cost

    def _smeared(self, before: Slice, now: Slice) -> Array | float:
        """(S before, S now): strikes that come nearly at once need one shape of the hand."""
        if now.time - before.time >= SMEARED:
            return 0.0
        old, new = choices(len(before.notes)), choices(len(now.notes))
        cost = np.zeros((len(old), len(new)))
        for a in np.flatnonzero(before.struck):
            for b in np.flatnonzero(now.struck):
                was, becomes = old[:, a, None], new[None, :, b]
                pair = self._tables.together[before.pitches[a] - LOWEST, now.pitches[b] - LOWEST, was, becomes]
                cost += np.minimum(pair, SMEARED_COST)
        return cost

    def _move(self, before: Slice, now: Slice, *, bound: bool) -> tuple[Array, Array]:
        """(S before, S now) cost of the hand's way, and how many fingers strike two keys in turn.

        bound: whether the hand goes straight from one to the other, without a strike between.
        """
        situation = (before.pitches, before.struck, now.pitches, now.struck, bound)
        parts = self._moves.get(situation)
        if parts is not None:
            return parts
        old, new = choices(len(before.notes)), choices(len(now.notes))
        moves = np.zeros((len(old), len(new)))
        same_finger = np.zeros_like(moves)
        pair, next_pair = (_pair(strike, 0, WIDEST_PAIR) for strike in (before, now))
        most = max(sum(before.struck), sum(now.struck))
        if bound and most == 1:
            table = self._tables.step
        elif bound and most < BROAD and not (pair and next_pair):
            table = self._tables.chord
        else:
            table = self._tables.shift
        share = 1.0 / most
        for a in np.flatnonzero(before.struck):
            for b in np.flatnonzero(now.struck):
                was, becomes = old[:, a, None], new[None, :, b]
                moves += share * table[before.pitches[a] - LOWEST, now.pitches[b] - LOWEST, was, becomes]
                if before.pitches[a] != now.pitches[b]:
                    same_finger += was == becomes
        if pair and next_pair:
            was, becomes = old[:, pair[0], None], new[None, :, next_pair[0]]
            outwards = before.pitches[pair[1]] - before.pitches[pair[0]]  # pitch direction away from the thumb
            away = (now.pitches[next_pair[0]] - before.pitches[pair[0]]) * outwards
            over = (was > 0) & (becomes > 0) & ((becomes - was) * away < 0)
            moves += UNBOUND * (same_finger + 2.0 * over)
        if _pair(before, OCTAVE, KEY_COUNT) and _pair(now, OCTAVE, KEY_COUNT):
            moves *= AS_ONE
        if len(self._moves) >= REMEMBERED:
            self._moves.clear()
        self._moves[situation] = moves, same_finger
        return moves, same_finger


def _hurry(before: Slice, now: Slice) -> float:
    return next(cost for seconds, cost in HURRY if now.time - before.time < seconds)


def _pair(strike: Slice, least: int, most: int) -> tuple[int, ...]:
    """The columns of both notes of two that are so many semitones apart, thumb's side first; empty for anything else."""
    columns = tuple(column for column, struck in enumerate(strike.struck) if struck)
    so_wide = len(columns) == 2 and least <= abs(strike.pitches[columns[1]] - strike.pitches[columns[0]]) <= most
    return columns if so_wide else ()


def _eased(before: Slice, now: Slice) -> float:
    """Rests make the way easier: what is left of its cost."""
    rest = max(now.time - before.end - 0.03, 0.0)
    return float(np.exp(-rest / REST))
