# SPDX-License-Identifier: GPL-3.0-or-later
"""Small MIDI files for tests, good and bad, written byte by byte or with mido."""

from pathlib import Path

import mido

TICKS = 480


def piece(path: Path, *, notes: int = 6, seconds_apart: float = 0.3, tempo: int = 500_000) -> Path:
    """A little scale in one track: `notes` notes, their onsets `seconds_apart` at the usual 120 beats a minute."""
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=tempo)])
    step = round(seconds_apart * 2 * TICKS)
    for number in range(notes):
        pitch = 60 + number % 12
        track.append(mido.Message("note_on", note=pitch, velocity=70, time=0 if number == 0 else step // 4))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=step - step // 4))
    mido.MidiFile(ticks_per_beat=TICKS, tracks=[track]).save(path)
    return path


def truncated(path: Path) -> Path:
    piece(path, notes=40)
    path.write_bytes(path.read_bytes()[:-60])
    return path


def not_midi(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    return path


def without_notes(path: Path) -> Path:
    return piece(path, notes=0)


def absurd_tempo(path: Path) -> Path:
    """A tempo of zero microseconds a beat: infinitely fast."""
    return piece(path, tempo=0)


def endless(path: Path) -> Path:
    """At the slowest tempo there is, and far apart: weeks long."""
    return piece(path, notes=50, seconds_apart=1000.0, tempo=0xFFFFFF)


def long(path: Path, *, hours: float = 3.0, notes: int = 60) -> Path:
    return piece(path, notes=notes, seconds_apart=hours * 3600 / notes)
