# SPDX-License-Identifier: GPL-3.0-or-later
"""What ten fingers can strike: doubled notes, notes for the other hand, rolled chords, and what nobody can play."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import Score, pitch_name

from .fingering_costs import reach

Array = NDArray[np.float64]

TOGETHER = 0.03  # seconds between onsets that are one strike of the hand
ONE_STROKE = 0.05  # seconds between onsets of one pitch that are one stroke of its key
BARELY_HELD = 0.06  # seconds: a note that ends so soon after a strike does not bind its finger
ROLL = 0.04  # seconds to either side of the onset over which a wide chord may be rolled
ROLL_SPEED = 0.25  # metres a second at which the hand opens in a roll
SHORTEST_ROLL = 0.07  # seconds: below that two fingers too far apart for one hand would both be on their keys
WIDEST_ROLL = 0.09  # metres beyond the reach that a roll bridges
FINGERS = 5
LONGEST_LOOK = 8.0  # seconds back in which held notes are looked for


@dataclass
class Playable:
    """The notes as hands can take them; arrays over the score's notes (N).

    hand: who plays it. played: False where nobody can, or another stroke of the same key has it already.
    offset: seconds; where two notes share a key, the later end. delay: seconds between onset and strike (rolls).
    """

    hand: NDArray[np.int8]
    played: NDArray[np.bool_]
    offset: Array
    delay: Array
    remarks: list[str]


def make_playable(score: Score, hand: NDArray[np.int8], *, span: float) -> Playable:
    """Decide which notes are struck, by which hand, and when within a rolled chord."""
    count = len(score.notes)
    result = Playable(hand.astype(np.int8), np.ones(count, bool), np.array([n.offset for n in score.notes]), np.zeros(count), [])
    _merge_strokes(score, result)
    x = Keyboard().x[[note.pitch - LOWEST for note in score.notes]] if count else np.zeros(0)
    strike = _Strike(score, result, x, reach(span))
    for side, group in _groups(score, result):
        strike.settle(group, side)
    return result


def roll(score: Score, playable: Playable, chord: list[int], excess: float) -> None:
    """Strike a chord upwards, as long as the hand needs to open by `excess` metres; the onset lies in the middle."""
    notes = score.notes
    ordered = sorted(chord, key=lambda i: notes[i].pitch)
    x = Keyboard().x[[notes[i].pitch - LOWEST for i in ordered]]
    onsets = np.array([notes[i].onset for i in ordered])
    half = float(np.clip(excess / ROLL_SPEED, SHORTEST_ROLL, 2 * ROLL)) / 2
    # Linear in place, not in rank: the hand travels evenly.
    wanted = onsets.mean() + half * ((x - x[0]) / (x[-1] - x[0]) * 2.0 - 1.0)
    playable.delay[ordered] = np.clip(wanted - onsets, -ROLL, ROLL)
    names = " ".join(pitch_name(notes[i].pitch) for i in ordered)
    playable.remarks.append(f"{names} at {onsets.min():.2f} s: wider than the hand, rolled over {2000 * half:.0f} ms")


def named(score: Score, index: int) -> str:
    note = score.notes[index]
    return f"{pitch_name(note.pitch)} at {note.onset:.2f} s"


def _merge_strokes(score: Score, result: Playable) -> None:
    """Of two notes on one key within 50 ms, one is struck. Of two that overlap, the later one lasts as long as both."""
    last: dict[int, int] = {}
    for index, note in enumerate(score.notes):
        earlier = last.get(note.pitch)
        if earlier is None or note.onset - score.notes[earlier].onset > ONE_STROKE:
            if earlier is not None:  # the key goes up for this stroke; then it is this note's finger that has it
                result.offset[index] = max(result.offset[index], result.offset[earlier])
            last[note.pitch] = index
            continue
        kept, doubled = earlier, index
        if note.finger is not None and score.notes[earlier].finger is None:
            kept, doubled = index, earlier
            last[note.pitch] = index
        result.played[doubled] = False
        result.offset[kept] = max(result.offset[kept], result.offset[doubled])
        other = result.hand[kept] != result.hand[doubled]
        result.remarks.append(f"{named(score, doubled)}: doubled {'with the other hand' if other else 'in the same hand'}")


def _groups(score: Score, result: Playable) -> list[tuple[HandSide, list[int]]]:
    """What each hand strikes together, in order of time."""
    groups: list[tuple[HandSide, list[int]]] = []
    latest: dict[HandSide, list[int]] = {}
    for index, note in enumerate(score.notes):
        if not result.played[index]:
            continue
        side = HandSide(int(result.hand[index]))
        if side in latest and note.onset - score.notes[latest[side][0]].onset <= TOGETHER:
            latest[side].append(index)
        else:
            latest[side] = [index]
            groups.append((side, latest[side]))
    return groups


@dataclass
class _Strike:
    """What one hand strikes together: made to fit under it."""

    score: Score
    result: Playable
    x: Array
    reach: float
    held: tuple[list[int], list[int]] = field(default_factory=lambda: ([], []))  # what each hand still has down of what is settled

    def settle(self, group: list[int], side: HandSide) -> None:
        now, others = self.score.notes[group[0]].onset, self.held[1 - side]
        others[:] = [i for i in others if self.result.offset[i] > now]
        mine = [index for index in group if not (self._amid(index, side) and self._other_takes(index, side))]
        if not mine:
            return
        while len(mine) > 1 and (len(mine) > FINGERS or self._width(mine) > self.reach):
            spare = self._spare(mine, side)
            if not self._other_takes(spare, side):
                break
            mine.remove(spare)
        self._drop_or_roll(mine, side)
        self.held[side].extend(mine)

    def _spare(self, mine: list[int], side: HandSide) -> int:
        """The note that the hand can best do without: the innermost, but one that is not fixed where there is one.

        Of a chord that is too wide only one of its ends will do. Where the file tells all hands, none counts as fixed.
        """
        ordered = sorted(mine, key=lambda i: self.x[i], reverse=side is HandSide.LEFT)
        candidates = ordered if len(mine) > FINGERS else (ordered[0], ordered[-1])
        notes = self.score.notes
        return next((i for i in candidates if notes[i].hand is None and notes[i].finger is None), ordered[0])

    def _width(self, indices: list[int]) -> float:
        return float(np.ptp(self.x[indices]))

    def _other_takes(self, index: int, side: HandSide) -> bool:
        """Give the note to the other hand, if it has a finger free and is near."""
        other = HandSide(1 - side)
        if self.score.notes[index].finger is not None:
            return False
        busy = self._busy(index, other)
        if not busy or len(busy) >= FINGERS or self._width([*busy, index]) > self.reach:
            return False
        self.result.hand[index] = other
        self.held[other].append(index)
        self.result.remarks.append(f"{named(self.score, index)}: taken by the {other.word} hand")
        return True

    def _amid(self, index: int, side: HandSide) -> bool:
        """Whether a note lies between keys that the other hand holds: a second one has no room there."""
        notes, offset = self.score.notes, self.result.offset
        onset, pitch = notes[index].onset, notes[index].pitch
        before, after = onset - TOGETHER, onset + BARELY_HELD
        around = [notes[i].pitch for i in self.held[1 - side] if notes[i].onset < before and offset[i] > after]
        return bool(around) and min(around) < pitch < max(around)

    def _busy(self, index: int, other: HandSide) -> list[int]:
        """Notes that the other hand has down or strikes at the moment of this one."""
        notes, result = self.score.notes, self.result
        onset = notes[index].onset
        first = bisect_left(notes, onset - LONGEST_LOOK, key=lambda note: note.onset)
        last = bisect_right(notes, onset + 2 * TOGETHER, key=lambda note: note.onset)
        return [
            i
            for i in range(first, last)
            if result.hand[i] == other and result.played[i] and result.offset[i] > onset - 2 * TOGETHER
        ]

    def _drop_or_roll(self, mine: list[int], side: HandSide) -> None:
        while len(mine) > FINGERS:
            ordered = sorted(mine, key=lambda i: self.x[i])
            gaps = [self.x[c] - self.x[a] for a, c in zip(ordered, ordered[2:], strict=False)]
            self._drop(mine, ordered[1 + int(np.argmin(gaps))], "no finger is free")
        while len(mine) > 1 and self._width(mine) > self.reach + WIDEST_ROLL:
            self._drop(mine, self._spare(mine, side), "out of reach")
        excess = self._width(mine) - self.reach
        if excess > 0:
            roll(self.score, self.result, mine, excess)

    def _drop(self, mine: list[int], index: int, why: str) -> None:
        mine.remove(index)
        self.result.played[index] = False
        self.result.remarks.append(f"{named(self.score, index)}: {why}")
