# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hand plays which note, where the file does not say: both hands' places on the keyboard, followed through the piece.

A factorial hidden Markov model: the state is the pair of places, a note goes to the hand that has it nearer, and the best
path (Viterbi) weighs spans, motion and crossing. Then each hand's loudness and articulation around a note are known, and
the model is solved again with what they say.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, Score

from .progress import Tick, no_tick, part_of

Array = NDArray[np.float32]

TOGETHER = 0.03  # seconds between onsets that are one event
BARELY_HELD = 0.05  # seconds
GRID = 2  # semitones between the places that are told apart
CHUNK, LOOK_AHEAD = 512, 128  # events decided at a time, and how many more are heard before


@dataclass(frozen=True)
class Weights:
    """Costs of a pair of places; distances in semitones. Few, and found by search over pieces with known hands.

    None is critical: changed by 40 %, one at a time, the span costs 1.3 % of the notes, any other half a percent at most.
    """

    half_span: float = 5.4  # a hand covers this much to either side of its place
    inside: float = 0.035  # per semitone from the middle of the hand
    outside: float = 0.45  # per semitone out of the span, up to
    lost: float = 12.5
    motion: float = 0.3  # per semitone that a hand moves at once
    motion_time: float = 0.27  # seconds in which moving costs half
    apart: float = 9.0  # hands closer than this are in each other's way
    crowding: float = 0.8  # per semitone
    held: float = 0.46  # weight of a note still held against one struck
    home: float = 0.012  # per semitone from where hands like to be
    home_places: tuple[float, float] = (76.5, 50.0)  # right, left; MIDI pitch
    loudness: float = 0.5  # most that a note's loudness can say against a hand that plays otherwise
    loudness_scale: float = 12.0  # MIDI velocity
    length: float = 0.5  # the same of its length
    length_scale: float = 0.4  # logarithm of seconds
    voice_time: float = 6.0  # seconds to either side in which a hand plays alike
    rounds: int = 3


def assign_hands(score: Score, weights: Weights | None = None, *, tick: Tick = no_tick) -> NDArray[np.int8]:
    """`HandSide` of every note, (N,): what notes state is kept, the rest follows from the places of both hands.

    Time is linear in the notes, memory bounded but for the result.
    """
    notes = score.notes
    stated = np.array([-1 if note.hand is None else note.hand for note in notes], dtype=np.int8)
    if (stated >= 0).all():
        return stated
    weights = weights or Weights()
    model, events = _Model(weights), _events(notes)
    hand, against_left = stated, np.zeros(len(notes), dtype=np.float32)
    for turn in range(weights.rounds):
        hand = stated.copy()
        own = part_of(tick, turn / weights.rounds, (turn + 1) / weights.rounds)
        for position, (right, left) in enumerate(model.places(notes, events, against_left, own)):
            for index in events[position]:
                if hand[index] < 0:
                    reach = model.reach[notes[index].pitch - LOWEST]
                    nearer_left = reach[left] + against_left[index] < reach[right]
                    hand[index] = HandSide.LEFT if nearer_left else HandSide.RIGHT
        against_left = _voices(notes, hand, weights)
    return hand


def _voices(notes: tuple[NoteEvent, ...], hand: NDArray[np.int8], weights: Weights) -> Array:
    """(N,) how much less each note sounds like the left hand's notes around it than like the right hand's."""
    onset = np.array([note.onset for note in notes])
    first = np.searchsorted(onset, onset - weights.voice_time)
    last = np.searchsorted(onset, onset + weights.voice_time, side="right")
    loudness = np.array([note.velocity for note in notes], dtype=float)
    length = np.log([max(note.offset - note.onset, TOGETHER) for note in notes])
    against = np.zeros(len(notes))
    for value, weight, scale in (
        (loudness, weights.loudness, weights.loudness_scale),
        (length, weights.length, weights.length_scale),
    ):
        unlike = []
        for side in HandSide:
            mine = hand == side
            count = np.concatenate(([0], np.cumsum(mine)))
            total = np.concatenate(([0.0], np.cumsum(mine * value)))
            # Without the note itself; one note like the piece's mean keeps empty surroundings quiet.
            around = total[last] - total[first] - mine * value + value.mean()
            unlike.append(np.abs(value - around / (count[last] - count[first] - mine + 1)))
        against += weight * np.clip((unlike[HandSide.LEFT] - unlike[HandSide.RIGHT]) / scale, -1.0, 1.0)
    return against.astype(np.float32)


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

    def places(
        self, notes: tuple[NoteEvent, ...], events: list[list[int]], against_left: Array, tick: Tick = no_tick
    ) -> Iterator[tuple[int, int]]:
        """Best places (right, left) at every event. against_left: (N,) cost of giving a note to the left hand."""
        totals: list[Array] = []  # cost of the best way to each pair of places, of the events not yet decided
        prices: list[float] = []  # of motion from each of these events to the next
        held: list[int] = []
        before = 0.0
        for position, event in enumerate(events):
            start = notes[event[0]].onset
            tick(position / len(events))
            held = [i for i in held if notes[i].offset > start + BARELY_HELD]
            cost = self._seen(notes, event, 1.0, against_left)
            cost += self._always
            cost += self._seen(notes, held, self._weights.held, against_left)
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

    def _seen(self, notes: tuple[NoteEvent, ...], indices: list[int], weight: float, against_left: Array) -> Array:
        """(P, P) cost of notes at each pair of places, each note with the hand that has it cheaper."""
        cost = np.zeros_like(self._always)
        for index in indices:
            right = self.reach[notes[index].pitch - LOWEST]
            left = right + against_left[index]
            side = notes[index].hand
            if side is None:
                cost += np.minimum(right[:, None], left[None, :])
            else:
                cost += right[:, None] if side is HandSide.RIGHT else left[None, :]
        return cost * np.float32(weight)

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
