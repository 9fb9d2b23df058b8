# SPDX-License-Identifier: GPL-3.0-or-later
"""From a score in even time to a performance of it: tempo and velocity that breathe, touch, chance, and the pedal. NumPy only."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

Array = NDArray[np.float64]

_PHRASES = (4.0, 14.0)  # seconds
_GRID = 0.05  # seconds between points of a curve
_GAP = 0.03  # seconds that a key stays up before it is struck again
_SHORTEST = 0.05
_CLEAR = 0.08  # seconds after a bass note at which the pedal goes down again


def played(score: Score, random: np.random.Generator) -> Score:
    """A performance, drawn by chance; the notes' hands stay."""
    if not score.notes:
        return score
    clock = _clock(score.duration, random, swing=float(random.uniform(0.01, 0.09)), pace=float(random.normal(0.0, 0.06)))
    loud = _velocities(score.notes, random)
    touch = float(random.choice([0.55, 0.8, 0.95, 1.0, 1.05]))  # from short to overlapping
    unsteady = float(random.uniform(0.001, 0.009))
    notes: list[NoteEvent] = []
    for note, velocity in zip(score.notes, loud.tolist(), strict=True):
        onset, offset = (float(np.interp(time, *clock)) for time in (note.onset, note.offset))
        onset = max(onset + float(np.clip(random.normal(0.0, unsteady), -0.02, 0.02)), 0.0)
        length = max(touch * (offset - onset) * float(np.exp(random.normal(0.0, 0.05))), _SHORTEST)
        notes.append(replace(note, onset=onset, offset=onset + length, velocity=round(velocity)))
    notes = _let_go_in_time(notes)
    pedal = _pedal(notes, random) if random.uniform() < 0.6 else ()
    return replace(score, notes=tuple(notes), pedal=pedal, bars=())


def _curve(duration: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Times, and a slow curve of about unit size over them."""
    times = np.arange(0.0, duration + 2 * _GRID, _GRID)
    value = np.zeros(len(times))
    for _ in range(3):
        value += np.sin(2 * np.pi * (times / random.uniform(*_PHRASES) + random.uniform())) / np.sqrt(1.5)
    return times, value


def _clock(duration: float, random: np.random.Generator, *, swing: float, pace: float) -> tuple[Array, Array]:
    """Even time and played time."""
    times, curve = _curve(duration, random)
    slower = np.exp(swing * curve + pace)
    end = np.clip((times - duration + 2.0) / 2.0, 0.0, 1.0)
    slower *= 1.0 + random.uniform(0.0, 0.4) * end**2  # the last two seconds broaden
    return times, np.concatenate([[0.0], np.cumsum(slower[:-1]) * _GRID])


def _velocities(notes: tuple[NoteEvent, ...], random: np.random.Generator) -> Array:
    """Of each note: what the score says or a level of its own, phrases, the upper voice, and chance."""
    written = np.array([note.velocity for note in notes], float)
    onset = np.array([note.onset for note in notes])
    level = random.uniform(45.0, 85.0)
    loud = level + 0.5 * (written - written.mean())
    loud += random.uniform(3.0, 12.0) * np.interp(onset, *_curve(float(onset[-1]), random))
    right = np.array([note.hand is not HandSide.LEFT for note in notes])
    loud += np.where(right, 5.0, -4.0) + 0.12 * (np.array([note.pitch for note in notes]) - 64.0)
    loud += random.normal(0.0, 4.0, len(notes))
    return np.clip(loud, 18.0, 118.0)


def _let_go_in_time(notes: list[NoteEvent]) -> list[NoteEvent]:
    """In order, each key up a moment before it is struck again; what comes too soon for that is not played."""
    kept: list[NoteEvent] = []
    last: dict[int, int] = {}
    for note in sorted(notes, key=lambda note: (note.onset, note.pitch)):
        before = last.get(note.pitch)
        if before is not None and note.onset - _GAP < kept[before].offset:
            if note.onset - _GAP < kept[before].onset + _SHORTEST:
                continue
            kept[before] = replace(kept[before], offset=note.onset - _GAP)
        last[note.pitch] = len(kept)
        kept.append(note)
    return kept


def _pedal(notes: list[NoteEvent], random: np.random.Generator) -> tuple[PedalEvent, ...]:
    """Up at a bass note, down again after it, about once a harmony."""
    events: list[PedalEvent] = []
    wait, last = random.uniform(0.8, 2.5), -10.0
    pitches = np.array([note.pitch for note in notes])
    low = float(np.percentile(pitches, 40))
    for note in notes:
        if note.pitch > low or note.onset < last + wait:
            continue
        if events:
            events.append(PedalEvent(note.onset, 0))
        events.append(PedalEvent(note.onset + _CLEAR * float(random.uniform(0.6, 1.6)), int(random.integers(80, 128))))
        last = note.onset
    if events:
        events.append(PedalEvent(max(note.offset for note in notes) + 0.3, 0))
    return tuple(sorted(events, key=lambda event: event.time))
