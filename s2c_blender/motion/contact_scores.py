# SPDX-License-Identifier: GPL-3.0-or-later
"""From how deep hands were in keys to what they played, and how well that fits the notes. Arithmetic only, no scene."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGERS, HandSide
from ..wire.keyboard import DAMPED, LET_OFF
from ..wire.notes import Fingering, Score, pitch_name

Array = NDArray[np.float64]

ONSET_WINDOW = 0.050
ROLLED = 0.001  # a strike further than this from its onset is a rolled one
FRAME_RATE = 100.0
NO_FINGER = -1  # it cannot be told
OTHER_PART = -2  # of the hand or body: no finger at all


def part_name(finger: int) -> str:
    """A finger in words, from its number as in `Press`."""
    if finger < 0:
        return "a palm or wrist" if finger == OTHER_PART else "a hand"
    hand, digit = divmod(finger, 5)
    return f"{HandSide(hand).word} {FINGERS[digit]}"


@dataclass(frozen=True)
class Press:
    """A key held down by a hand. `finger` is 5 * hand + finger (0-4) at the onset, OTHER_PART or NO_FINGER.

    `cut`: it was already down when the measurement began, so its onset is not known.
    """

    pitch: int
    onset: float
    offset: float
    finger: int = NO_FINGER
    cut: bool = False


@dataclass(frozen=True)
class ReferenceNote:
    """What should be heard: notes of one pitch struck within 50 ms of each other are one. `fingers` may each strike it."""

    pitch: int
    onset: float
    offset: float
    fingers: tuple[int, ...] = ()
    rolled: bool = False
    unplayed: bool = False


@dataclass(frozen=True)
class Miss:
    """A note without its press, or a press without a note; `seconds` and `semitones` lead to the nearest of the other kind."""

    pitch: int
    time: float
    seconds: float | None = None
    semitones: int | None = None
    said: str = ""  # who pressed, or why nobody can

    def __str__(self) -> str:
        where = f"{pitch_name(self.pitch)} at {self.time:.2f} s{', ' if self.said else ''}{self.said}"
        if self.seconds is None or self.semitones is None:
            return f"{where} (nothing near)"
        key = pitch_name(self.pitch + self.semitones) if self.semitones else "the same key"
        return f"{where} (nearest: {key}, {1000 * self.seconds:+.0f} ms)"


@dataclass(frozen=True)
class Share:
    """Precision, recall and F1 out of counts."""

    hits: int
    reference: int
    estimated: int

    @property
    def precision(self) -> float:
        return self.hits / self.estimated if self.estimated else float(self.reference == 0)

    @property
    def recall(self) -> float:
        return self.hits / self.reference if self.reference else float(self.estimated == 0)

    @property
    def f1(self) -> float:
        total = self.reference + self.estimated
        return 2.0 * self.hits / total if total else 1.0

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class NoteScores:
    """Goal figures of section 4 and 6 of the measurement. Times in seconds; errors are absolute but for `timing_bias`."""

    notes: Share
    frames: Share
    timing_median: float
    timing_p95: float
    timing_max: float
    timing_bias: float  # mean; positive is late
    right_finger: float | None  # of the hits whose finger can be told
    rolled: int
    unplayed: int
    missed: tuple[Miss, ...]
    extra: tuple[Miss, ...]


def reference_notes(score: Score, fingering: Fingering | None = None) -> tuple[ReferenceNote, ...]:
    """The notes to be heard, in order of onset."""
    merged: dict[int, list[ReferenceNote]] = {}
    for i, note in enumerate(score.notes):
        unplayed = fingering is not None and not fingering.played[i]
        fingers = () if fingering is None or unplayed else (5 * int(fingering.hand[i]) + int(fingering.finger[i]) - 1,)
        rolled = fingering is not None and not unplayed and abs(float(fingering.strike[i]) - note.onset) > ROLLED
        new = ReferenceNote(note.pitch, note.onset, note.offset, fingers, rolled, unplayed)
        row = merged.setdefault(note.pitch, [])
        if row and note.onset - row[-1].onset <= ONSET_WINDOW:
            row[-1] = _joined(row[-1], new)
        else:
            row.append(new)
    return tuple(sorted((note for row in merged.values() for note in row), key=lambda note: (note.onset, note.pitch)))


def _joined(a: ReferenceNote, b: ReferenceNote) -> ReferenceNote:
    fingers = a.fingers + b.fingers
    # One of two is enough for the key to go down: the note is unplayed only if nobody plays it.
    return ReferenceNote(a.pitch, a.onset, max(a.offset, b.offset), fingers, a.rolled or b.rolled, a.unplayed and b.unplayed)


def find_presses(depth: Array, *, pitch: int, start: float, rate: float, finger: NDArray[np.integer] | None = None) -> list[Press]:
    """Presses of one key from its depth (T,) as a share of the travel, sampled at `rate` from `start` seconds."""
    state = np.where(depth >= LET_OFF, 1, np.where(depth <= DAMPED, 0, -1))
    state[0] = max(state[0], 0)
    known = np.maximum.accumulate(np.where(state >= 0, np.arange(len(depth)), 0))
    down = state[known] > 0
    begins = np.flatnonzero(down & ~np.concatenate([[False], down[:-1]]))
    ends = np.flatnonzero(~down & np.concatenate([[False], down[:-1]]))
    presses = []
    for i, begin in enumerate(begins):
        onset = start + _crossing(depth, int(begin), LET_OFF) / rate
        offset = start + (_crossing(depth, int(ends[i]), DAMPED) if i < len(ends) else len(depth) - 1) / rate
        struck = NO_FINGER if finger is None else int(finger[begin])
        presses.append(Press(pitch, onset, offset, struck, cut=bool(begin == 0)))
    return presses


def _crossing(depth: Array, after: int, level: float) -> float:
    """Where between two samples the depth passes the level, in samples."""
    if after == 0:
        return 0.0
    a, b = depth[after - 1], depth[after]
    return after - 1 + float((level - a) / (b - a))


def match_onsets(reference: Array, estimated: Array, window: float = ONSET_WINDOW) -> list[tuple[int, int]]:
    """Pairs of indices of two ascending lists of onsets: as many as can be, and of those the ones with the least error.

    As many pairs as mir_eval's maximum bipartite matching finds within one pitch (and, as there, differences are rounded to
    0.1 ms). On a line some best matching never crosses, so a dynamic programme over the two lists finds it.
    """
    pairs: list[tuple[int, int]] = []
    events = sorted([(t, 0, i) for i, t in enumerate(reference)] + [(t, 1, j) for j, t in enumerate(estimated)])
    cluster: list[tuple[float, int, int]] = []
    for event in events:
        if cluster and event[0] - cluster[-1][0] > window + 1e-3:
            pairs += _match_cluster(cluster, window)
            cluster = []
        cluster.append(event)
    return pairs + _match_cluster(cluster, window)


def _match_cluster(events: list[tuple[float, int, int]], window: float) -> list[tuple[int, int]]:
    rows = [(t, i) for t, kind, i in events if kind == 0]
    columns = [(t, j) for t, kind, j in events if kind == 1]
    best = [[(0, 0.0)] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for i, (a, _) in enumerate(rows):
        for j, (b, _) in enumerate(columns):
            choice = max(best[i][j + 1], best[i + 1][j])
            if round(abs(a - b), 4) <= window:
                count, gain = best[i][j]
                choice = max(choice, (count + 1, gain - abs(a - b)))
            best[i + 1][j + 1] = choice
    pairs = []
    i, j = len(rows), len(columns)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((rows[i][1], columns[j][1]))
    return pairs[::-1]


def match_notes(notes: tuple[ReferenceNote, ...], presses: list[Press]) -> list[tuple[int, int]]:
    """Index pairs (note, press) of one pitch within the onset window."""
    pairs = []
    for pitch in sorted({note.pitch for note in notes}):
        rows = [i for i, note in enumerate(notes) if note.pitch == pitch]
        columns = [j for j, press in enumerate(presses) if press.pitch == pitch and not press.cut]
        onsets = np.array([notes[i].onset for i in rows])
        struck = np.array([presses[j].onset for j in columns])
        order, second = np.argsort(onsets, kind="stable"), np.argsort(struck, kind="stable")
        pairs += [(rows[order[a]], columns[second[b]]) for a, b in match_onsets(onsets[order], struck[second])]
    return pairs


def roll(intervals: Iterable[tuple[int, float, float]], *, start: float, end: float) -> NDArray[np.bool_]:
    """Piano roll (F, 128) at 100 Hz of (pitch, onset, offset): what sounds in the middle of each hundredth of a second."""
    frames = max(round((end - start) * FRAME_RATE), 0)
    sounding = np.zeros((frames, 128), dtype=bool)
    for pitch, onset, offset in intervals:
        first, last = (max(int(np.ceil((t - start) * FRAME_RATE - 0.5)), 0) for t in (onset, offset))
        sounding[first:last, pitch] = True
    return sounding


def score_notes(notes: tuple[ReferenceNote, ...], presses: list[Press], *, start: float, end: float) -> NoteScores:
    """Scores of the stretch from `start` to `end`; notes and presses beyond it serve only to match those at its edges."""
    presses = sorted(presses, key=lambda press: press.onset)
    pairs = match_notes(notes, presses)
    note_of = {j: i for i, j in pairs}
    counted = {i for i, note in enumerate(notes) if start <= note.onset < end}
    hits = [(i, j) for i, j in pairs if i in counted]
    matched = {i for i, _ in hits}
    extra = [p for j, p in enumerate(presses) if j not in note_of and not p.cut and start <= p.onset < end]
    errors = np.array([presses[j].onset - notes[i].onset for i, j in hits if not notes[i].rolled])
    size = np.abs(errors)
    told = [presses[j].finger in notes[i].fingers for i, j in hits if notes[i].fingers and presses[j].finger != NO_FINGER]
    truth = roll(((n.pitch, n.onset, n.offset) for n in notes), start=start, end=end)
    played = roll(((p.pitch, p.onset, p.offset) for p in presses), start=start, end=end)
    missed = [notes[i] for i in sorted(counted - matched)]
    return NoteScores(
        notes=Share(len(hits), len(counted), len(hits) + len(extra)),
        frames=Share(int((truth & played).sum()), int(truth.sum()), int(played.sum())),
        timing_median=float(np.median(size)) if len(size) else 0.0,
        timing_p95=float(np.percentile(size, 95)) if len(size) else 0.0,
        timing_max=float(size.max()) if len(size) else 0.0,
        timing_bias=float(errors.mean()) if len(size) else 0.0,
        right_finger=float(np.mean(told)) if told else None,
        rolled=sum(notes[i].rolled for i in counted),
        unplayed=sum(notes[i].unplayed for i in counted),
        missed=tuple(_nearest(n.pitch, n.onset, presses, "which no finger can play" if n.unplayed else "") for n in missed),
        extra=tuple(_nearest(p.pitch, p.onset, notes, f"by {part_name(p.finger)}") for p in extra),
    )


def _nearest(pitch: int, time: float, others: Sequence[Press | ReferenceNote], said: str) -> Miss:
    """The nearest of `others` (ascending onsets) within a second and an octave; a semitone away weighs as much as 50 ms."""
    first, last = (bisect_left(others, t, key=lambda other: other.onset) for t in (time - 1.0, time + 1.0))
    near = [other for other in others[first:last] if abs(other.pitch - pitch) <= 12]
    if not near:
        return Miss(pitch, time, said=said)
    best = min(near, key=lambda other: abs(other.onset - time) + ONSET_WINDOW * abs(other.pitch - pitch))
    return Miss(pitch, time, best.onset - time, best.pitch - pitch, said)


def held_spans(notes: tuple[ReferenceNote, ...], presses: list[Press], margin: float) -> list[tuple[int, float, float]]:
    """(pitch, from, to) while a hand holds a note, `margin` seconds away from its ends."""
    spans = []
    for i, j in match_notes(notes, presses):
        begin = max(notes[i].onset, presses[j].onset) + margin
        finish = min(notes[i].offset, presses[j].offset) - margin
        if finish > begin:
            spans.append((notes[i].pitch, begin, finish))
    return spans
