# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hand plays which note, where the file does not say: both hands' places on the keyboard, followed through the piece.

A factorial hidden Markov model: the state is the pair of places, a note goes to the hand that has it nearer, and the best
path (Viterbi) weighs spans, motion and crossing. Min-plus distance transforms make each step linear in the states.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, Score

Array = NDArray[np.float32]

TOGETHER = 0.03  # seconds between onsets that are one event
BARELY_HELD = 0.05  # seconds
GRID = 2  # semitones between the places that are told apart
CHUNK, LOOK_AHEAD = 512, 128  # events decided at a time, and how many more are heard before


@dataclass(frozen=True)
class Weights:
    """Costs of a pair of places, in nats or so; distances in semitones. Few, and found by search over pieces with known hands."""

    half_span: float = 5.4  # a hand covers this much to either side of its place
    inside: float = 0.045  # per semitone from the middle of the hand
    outside: float = 0.6  # per semitone out of the span, up to
    lost: float = 12.5
    motion: float = 0.3  # per semitone that a hand moves at once
    motion_time: float = 0.27  # seconds in which moving costs half
    apart: float = 7.8  # hands closer than this are in each other's way
    crowding: float = 0.8  # per semitone
    held: float = 0.46  # weight of a note still held against one struck
    home: float = 0.012  # per semitone from where hands like to be
    home_places: tuple[float, float] = (76.5, 50.0)  # right, left; MIDI pitch


def assign_hands(score: Score, weights: Weights | None = None) -> NDArray[np.int8]:
    """`HandSide` of every note, (N,): what notes state is kept, the rest follows from the places of both hands.

    Time is linear in the notes, memory bounded but for the result.
    """
    notes = score.notes
    hand = np.array([-1 if note.hand is None else note.hand for note in notes], dtype=np.int8)
    if (hand >= 0).all():
        return hand
    model = _Model(weights or Weights())
    events = _events(notes)
    for position, (right, left) in zip(range(len(events)), model.places(notes, events), strict=True):
        for index in events[position]:
            if hand[index] < 0:
                reach = model.reach[notes[index].pitch - LOWEST]
                hand[index] = HandSide.LEFT if reach[left] < reach[right] else HandSide.RIGHT
    return hand


def _events(notes: tuple[NoteEvent, ...]) -> list[list[int]]:
    events: list[list[int]] = []
    for index, note in enumerate(notes):
        if events and note.onset - notes[events[-1][0]].onset < TOGETHER:
            events[-1].append(index)
        else:
            events.append([index])
    return events


class _Model:
    """Tables over the grid of places: (P,) of one hand, (P right, P left) of both."""

    def __init__(self, weights: Weights) -> None:
        self._weights = w = weights
        place = np.arange(LOWEST, HIGHEST + 1, GRID, dtype=np.float32)
        self._count = len(place)
        away = np.abs(np.arange(LOWEST, HIGHEST + 1, dtype=np.float32)[:, None] - place)
        #: (88, P) cost of a key for a hand at a place
        self.reach = np.minimum(w.inside * away + w.outside * np.maximum(away - w.half_span, 0.0), w.lost)
        homes = [w.home * np.abs(place - home) for home in w.home_places]
        crowded = np.maximum(w.apart - (place[:, None] - place[None, :]), 0.0)
        self._always = (w.crowding * crowded + homes[0][:, None] + homes[1][None, :]).astype(np.float32)
        self._steps = np.arange(self._count, dtype=np.float32) * GRID

    def places(self, notes: tuple[NoteEvent, ...], events: list[list[int]]) -> Iterator[tuple[int, int]]:
        """Best places (right, left) at every event."""
        totals: list[Array] = []  # cost of the best way to each pair of places, of the events not yet decided
        prices: list[float] = []  # of motion from each of these events to the next
        held: list[int] = []
        before = 0.0
        for position, event in enumerate(events):
            start = notes[event[0]].onset
            held = [i for i in held if notes[i].offset > start + BARELY_HELD]
            cost = self._seen(notes, event, held)
            if position:
                price = self._weights.motion / (1.0 + (start - before) / self._weights.motion_time)
                cost += self._moved(totals[-1], price)
                cost -= cost.min()
                prices.append(price)
            totals.append(cost)
            held += event
            before = start
            if len(totals) == CHUNK + LOOK_AHEAD:
                yield from self._way_back(totals, prices)[:CHUNK]
                del totals[:CHUNK], prices[:CHUNK]
        yield from self._way_back(totals, prices)

    def _seen(self, notes: tuple[NoteEvent, ...], event: list[int], held: list[int]) -> Array:
        cost = self._always.copy()
        for indices, weight in ((event, 1.0), (held, self._weights.held)):
            for index in indices:
                reach = self.reach[notes[index].pitch - LOWEST] * np.float32(weight)
                side = notes[index].hand
                if side is None:
                    cost += np.minimum(reach[:, None], reach[None, :])
                else:
                    cost += reach[:, None] if side is HandSide.RIGHT else reach[None, :]
        return cost

    def _moved(self, total: Array, price: float) -> Array:
        """min over places before of total + price * distance: a distance transform along each axis, in four sweeps.

        Felzenszwalb and Huttenlocher 2012, "Distance transforms of sampled functions", section 2 (the L1 case).
        """
        ramp = self._steps * np.float32(price)
        for slope in (ramp[:, None], ramp[None, :]):
            axis = 0 if slope.shape[0] > 1 else 1
            up = np.minimum.accumulate(total - slope, axis=axis) + slope
            down = np.flip(np.minimum.accumulate(np.flip(total + slope, axis), axis=axis), axis) - slope
            total = np.minimum(up, down)
        return total

    def _way_back(self, totals: list[Array], prices: list[float]) -> list[tuple[int, int]]:
        right, left = divmod(int(totals[-1].argmin()), self._count)
        way = [(right, left)]
        for total, price in zip(totals[-2::-1], prices[::-1], strict=True):
            move = np.abs(self._steps - self._steps[right])[:, None] + np.abs(self._steps - self._steps[left])
            right, left = divmod(int((total + np.float32(price) * move).argmin()), self._count)
            way.append((right, left))
        return way[::-1]
