# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes and who plays them: what a piece of music is to the rest of the program."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import PianoHandsError
from .hands import HandSide

#: Finger number of a note that no finger can play as written.
UNPLAYED = 0


@dataclass(frozen=True, slots=True)
class NoteEvent:
    """One note. Times in exact seconds from time zero of the MIDI file or recording."""

    onset: float
    offset: float
    pitch: int  # MIDI, 21-108
    velocity: int  # 1-127
    hand: HandSide | None = None  # where the file, or the person, says so
    finger: int | None = None  # 1-5 where the person has fixed it


@dataclass(frozen=True, slots=True)
class PedalEvent:
    """A change of the sustain pedal: MIDI CC64 at `time` seconds, value 0-127."""

    time: float
    value: int


@dataclass(frozen=True)
class Score:
    """Notes in order of (onset, pitch), pedal in order of time, and what had to be left out, in words.

    bars: when each bar begins, seconds, as far as a file says so; the first is bar 1.
    """

    notes: tuple[NoteEvent, ...]
    pedal: tuple[PedalEvent, ...] = ()
    left_out: tuple[str, ...] = ()
    bars: tuple[float, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from time zero to the last note-off."""
        return max((note.offset for note in self.notes), default=0.0)

    def between_bars(self, first: int, last: int) -> tuple[float, float]:
        """When bar `first` begins and bar `last` ends, seconds; the last of the piece ends with it.

        Raises PianoHandsError('bad-range').
        """
        if not self.bars:
            raise PianoHandsError("bad-range", "This take knows no bars.", "Give seconds instead.")
        if not 1 <= first <= last <= len(self.bars):
            raise PianoHandsError(
                "bad-range",
                f"There are no bars {first} to {last}: this piece has bars 1 to {len(self.bars)}.",
                "Choose some of them, in order.",
            )
        end = self.bars[last] if last < len(self.bars) else max(self.duration, self.bars[-1])
        return self.bars[first - 1], end


@dataclass(frozen=True)
class Fingering:
    """Which finger plays which note, and when it really does.

    All arrays run over the score's notes (N).
    `hand` is a `HandSide`; `finger` is 1-5, or `UNPLAYED` for a note that ten fingers cannot play as written.
    `strike` is the moment the hammer is let off: the onset, except in a rolled chord (at most 40 ms away).
    `release` is when the finger leaves: the note-off, or earlier to let the key rise before it is struck again.
    """

    hand: NDArray[np.int8]
    finger: NDArray[np.int8]
    strike: NDArray[np.float64]
    release: NDArray[np.float64]
    remarks: tuple[str, ...] = field(default=())  # rolled chords and unplayed notes, by name

    @property
    def played(self) -> NDArray[np.bool_]:
        return self.finger != UNPLAYED


_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")


def pitch_name(pitch: int) -> str:
    """Name of a MIDI pitch, middle C (60) being C4."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"
