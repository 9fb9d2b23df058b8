# SPDX-License-Identifier: GPL-3.0-or-later
"""Music that nobody wrote: scales, arpeggios, chords, Alberti basses and random textures, in all keys, for two hands. NumPy only.

What comes out is a score in even time; `playing` makes a performance of it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, Score

_FIRST = 0.4  # seconds before the first note
_MODES = (
    (0, 2, 4, 5, 7, 9, 11),  # major
    (0, 2, 3, 5, 7, 8, 11),  # harmonic minor
    (0, 2, 3, 5, 7, 8, 10),  # natural minor
)
_PROGRESSIONS = ((0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (0, 3, 6, 2, 5, 1, 4, 0), (0, 1, 4, 0))  # degrees of a scale

Keys = tuple[int, ...]  # struck together
Line = list[tuple[float, float, Keys]]  # begin and length in beats


@dataclass(frozen=True)
class _Room:
    """What an exercise may use: a key, and where in it each hand plays."""

    random: np.random.Generator
    tonic: int  # 0 to 11
    mode: tuple[int, ...]
    beats: float

    def key(self, degree: int, octave: int) -> int:
        """MIDI pitch of a degree of the scale, which may pass beyond the octave."""
        return 12 * (octave + 1) + self.tonic + 12 * (degree // 7) + self.mode[degree % 7]

    def pick(self, choices: Sequence[float]) -> float:
        return float(self.random.choice(list(choices)))


def exercise(random: np.random.Generator, seconds: float) -> tuple[str, Score]:
    """About so many seconds of an exercise drawn by chance: its kind and its notes, each with its hand."""
    tempo = float(np.exp(random.uniform(np.log(50.0), np.log(152.0))))  # beats a minute
    room = _Room(random, int(random.integers(12)), _MODES[random.integers(len(_MODES))], seconds * tempo / 60.0)
    kind = str(random.choice(list(_KINDS)))
    right, left = _KINDS[kind](room)
    lot = random.uniform()
    if lot < 0.08:  # one hand alone but for its first strike: a file of one track does not say whose it is
        right = right[:1]
    elif lot < 0.16:
        left = left[:1]
    notes = [*_notes(right, HandSide.RIGHT, tempo, room.beats), *_notes(left, HandSide.LEFT, tempo, room.beats)]
    return kind, Score(_apart(notes))


def _notes(line: Line, side: HandSide, tempo: float, beats: float) -> Iterator[NoteEvent]:
    for begin, length, keys in line:
        for key in keys:
            if begin < beats and LOWEST <= key <= HIGHEST:
                onset = _FIRST + begin * 60.0 / tempo
                yield NoteEvent(onset, onset + length * 60.0 / tempo, key, 64, side)


def _apart(notes: list[NoteEvent]) -> tuple[NoteEvent, ...]:
    """In order, without what would strike a key that is down."""
    kept: list[NoteEvent] = []
    down: dict[int, float] = {}
    for note in sorted(notes, key=lambda note: (note.onset, note.pitch)):
        if note.onset >= down.get(note.pitch, -1.0) - 1e-6:
            kept.append(note)
            down[note.pitch] = note.offset
    return tuple(kept)


def _even(strikes: Sequence[Keys], step: float, *, begin: float = 0.0, length: float = 1.0) -> Line:
    return [(begin + step * index, step * length, keys) for index, keys in enumerate(strikes)]


def _runs(room: _Room, steps: Sequence[int]) -> tuple[Line, Line]:
    """Up and down through every `steps` of the scale, hands together, in thirds or against each other."""
    step = room.pick((0.25, 0.25, 1 / 3, 0.5))
    octaves = int(room.random.integers(1, 4))
    up = [degree + 7 * octave for octave in range(octaves) for degree in steps] + [7 * octaves]
    wave = (up + up[-2:0:-1]) * (int(room.beats / step / max(2 * len(up) - 2, 1)) + 1)
    right_octave = int(room.random.integers(4, 7 - octaves + 1)) if octaves < 3 else 4
    left_octave = int(room.random.integers(1, 4 - octaves + 1)) if octaves < 3 else 1
    shift = int(room.random.choice([0, 0, 2, 5]))
    against = room.random.uniform() < 0.25
    right = [(room.key(degree + shift, right_octave),) for degree in wave]
    left = [(room.key(7 * octaves - degree if against else degree, left_octave),) for degree in wave]
    return _even(right, step), _even(left, step)


def _scales(room: _Room) -> tuple[Line, Line]:
    return _runs(room, range(7))


def _arpeggios(room: _Room) -> tuple[Line, Line]:
    return _runs(room, (0, 2, 4) if room.random.uniform() < 0.6 else (0, 2, 4, 6))


def _progression(room: _Room) -> Iterator[tuple[float, float, int]]:
    """begin, length, degree of each harmony."""
    way = _PROGRESSIONS[room.random.integers(len(_PROGRESSIONS))]
    length = room.pick((2.0, 4.0, 4.0))
    begin, index = 0.0, 0
    while begin < room.beats:
        yield begin, length, way[index % len(way)]
        begin, index = begin + length, index + 1


def _chords(room: _Room) -> tuple[Line, Line]:
    """Chords of the right hand, struck again and again, over octaves or fifths of the left."""
    right: Line = []
    left: Line = []
    beat = room.pick((0.5, 1.0, 1.0, 2.0))
    inversion, octave = int(room.random.integers(3)), int(room.random.integers(4, 6))
    for begin, length, degree in _progression(room):
        inversion = (inversion + int(room.random.integers(-1, 2))) % 3
        tones = [degree % 7 + tone + (7 if place < inversion else 0) for place, tone in enumerate((0, 2, 4))]
        if room.random.uniform() < 0.3:
            tones.append(tones[0] + 7)
        keys = tuple(room.key(tone, octave) for tone in sorted(tones))
        right += _even([keys] * round(length / beat), beat, begin=begin, length=0.9)
        bass = (degree % 7, degree % 7 + int(room.random.choice([4, 7])))
        left.append((begin, length, tuple(room.key(tone, 2) for tone in bass)))
    return right, left


def _melody(room: _Room, octave: int, steps: Sequence[float]) -> Line:
    """A walk in the scale, with a leap now and then, rests and some double stops."""
    line: Line = []
    begin, degree = 0.0, int(room.random.integers(0, 7))
    while begin < room.beats:
        length = room.pick(steps)
        if room.random.uniform() < 0.9:
            keys = (room.key(degree, octave),)
            if room.random.uniform() < 0.12:
                keys = (room.key(degree - int(room.random.choice([2, 5])), octave), *keys)
            line.append((begin, length, keys))
        leap = room.random.uniform() < 0.15
        degree += int(room.random.integers(-5, 6) if leap else room.random.choice([-2, -1, -1, 1, 1, 2]))
        degree = int(np.clip(degree, -4, 13))
        begin += length
    return line


def _alberti(room: _Room) -> tuple[Line, Line]:
    """A melody over broken chords."""
    left: Line = []
    step = room.pick((0.25, 0.5, 0.5))
    shape = [(0, 4, 2, 4), (0, 2, 4, 2), (0, 4, 7, 4), (0, 4, 9, 4)][room.random.integers(4)]
    for begin, length, degree in _progression(room):
        tones = [(room.key(degree % 7 + tone, 3 if max(shape) < 7 else 2),) for tone in shape]
        left += _even((tones * round(length / step))[: round(length / step)], step, begin=begin)
    return _melody(room, 5, (0.5, 0.5, 1.0, 1.0, 2.0)), left


def _textures(room: _Room) -> tuple[Line, Line]:
    """Two independent hands: whatever comes."""
    steps = ((0.25, 0.25, 0.5, 1.0), (0.5, 1.0, 1.0, 2.0), (1 / 3, 1 / 3, 2 / 3))
    pick = room.random.integers
    return _melody(room, int(pick(4, 7)), steps[pick(3)]), _melody(room, int(pick(1, 4)), steps[pick(3)])


def _leaps(room: _Room) -> tuple[Line, Line]:
    """A bass note, a chord above it, and back; the right hand in octaves or thirds."""
    left: Line = []
    for begin, length, degree in _progression(room):
        chord = tuple(room.key(degree % 7 + tone, 3) for tone in (0, 2, 4))
        pair = [(room.key(degree % 7, 2 if room.random.uniform() < 0.6 else 1),), chord]
        left += _even((pair * round(length))[: round(length)], 1.0, begin=begin, length=0.8)
    apart = int(room.random.choice([2, 7]))
    melody = _melody(room, 4, (0.5, 0.5, 1.0))
    return [(begin, length, (keys[0], keys[0] + (12 if apart == 7 else 4))) for begin, length, keys in melody], left


_KINDS: dict[str, Callable[[_Room], tuple[Line, Line]]] = {
    "scales": _scales,
    "arpeggios": _arpeggios,
    "chords": _chords,
    "alberti": _alberti,
    "textures": _textures,
    "leaps": _leaps,
}
