# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the shipped piece, s2c_blender/pieces/demo.mid: the theme of Mozart's piano sonata in A major, K. 331, once through.

The music is in the public domain (1783); this encoding and its phrasing are the project's own. Run it after changing it:
`python -m tests.tools.make_demo_piece`.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mido

TARGET = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"
EIGHTH = 240  # ticks
BAR = 6  # eighths
TEMPO = 122.0  # eighths a minute: Andante grazioso

# One line a bar. A note is PITCH[+PITCH...]:EIGHTHS; `&` starts another voice of the same hand at the bar's beginning.
# Marks: ' short, > sforzato. r is a rest.
_OPENING_RIGHT = ["C#5:1.5 D5:.5 C#5:1 E5:2 E5:1", "B4:1.5 C#5:.5 B4:1 D5:2 D5:1"]
_OPENING_LEFT = [
    "E4:2 E4:1 E4:2 E4:1 & A3:1.5 B3:.5 A3:1 C#4:2 C#4:1",
    "E4:2 E4:1 E4:2 E4:1 & G#3:1.5 A3:.5 G#3:1 B3:2 B3:1",
]
_TURN_RIGHT = "A4:2 B4:1 C#5:2 F#4+B4+D5:1>"
_TURN_LEFT = "E4:2 E4:1 E4:2 r:1 & F#3:2 G#3:1 A3:2 D3:1>"

RIGHT = [
    *_OPENING_RIGHT,
    "A4:2 A4:1 B4:2 B4:1",
    "C#5:2 E5:.5 D5:.5 C#5:2 B4:1 & r:2 B4:1 A4:2 G#4:1",
    *_OPENING_RIGHT,
    _TURN_RIGHT,
    "E4+A4+C#5:2 D4+E4+G#4+B4:1 C#4+E4+A4:2 r:1",
    "E5:1.5 F#5:.5 E5:1 F#5:2 F#5:.5 F#5:.25 G#5:.25",  # the last two lean into the next bar
    "A5:1.5 G#5:.5 F#5:1 F#5:1 E5:1 E5:1'",
    "E5:1> C#5:1 A5:1' E5:1> D5:1 B5:1'",
    "E5:1> C#5:1 A5:1' C#5:2 B4:1 & r:3 A4:2 G#4:1",
    *_OPENING_RIGHT,
    _TURN_RIGHT,
    "E4+A4+C#5:2 E4+G#4+B4:1 G#4+B4:2 A4+C#5:1 & r:3 E4:3",
    "A4+C#5:2 G#4+D5:1 A4+E5:2 F#5:.5 G#5:.25 A5:.25 & E4:2 E4:1 E4:2",
    "A4:2 C#5:.5 B4:.5 A4:2.5 & r:2 G#4:1",
]
LEFT = [
    *_OPENING_LEFT,
    "E4:2 E4:1 E4:2 E4:1 & F#3:2 F#3:1 G#3:2 G#3:1",
    "A3+E4:2 D3:1 E3:3",
    *_OPENING_LEFT,
    _TURN_LEFT,
    "E3:2 E2:1 A2:2 r:1",
    "A3:1 C#4:1 E4:1 A3:1 D4:1 F#4:1",
    "A3:1 D4:1 F#4:1 A3:1 C#4:1 E4:1",
    "A3+C#4:2> r:1 G#3+D4:2> r:1",
    "A3+C#4:2> F#3+D#4:1 E3+E4:3",
    *_OPENING_LEFT,
    _TURN_LEFT,
    "E3:2 E2:1 A2:3",
    "A2+A3:2 B2+B3:1 C#3+C#4:2 D3+D4:1",
    "E3+C#4:2 E3+D4:1 A3+C#4:2.5",
]

LOUDNESS = [50, 48, 48, 52, 52, 50, 52, 50, 58, 64, 60, 58, 50, 48, 50, 54, 80, 76]  # one a bar: p, a swell, p, f
SFORZATO = 24
# Where harmonies are joined by the pedal: (bar from 1, first eighth, last eighth).
PEDAL = (
    *((bar, 3.1, 5.8) for bar in (1, 2, 3, 5, 6, 13, 14)),
    (4, 0.1, 1.8), (4, 3.1, 4.9), (7, 3.1, 4.8), (8, 0.1, 1.8), (8, 3.1, 5.2),
    (9, 0.1, 2.9), (9, 3.1, 5.4), (10, 0.1, 1.4), (10, 3.1, 3.9), (12, 3.1, 4.9),
    (15, 3.1, 4.8), (16, 0.1, 1.8), (16, 3.1, 4.9),
    (17, 0.1, 1.9), (17, 3.1, 4.8), (18, 0.1, 1.9), (18, 3.1, 6.0),
)  # fmt: skip


@dataclass(frozen=True)
class Tone:
    """One key, times in eighths from the beginning."""

    begin: float
    end: float
    pitch: int
    velocity: int


def tones(bars: list[str], *, softer: int) -> list[Tone]:
    """The tones of one hand, phrased."""
    found = sorted(_read(bars, softer=softer), key=lambda tone: (tone.begin, tone.pitch))
    again = [min((b.begin for b in found if b.pitch == a.pitch and b.begin > a.begin), default=math.inf) for a in found]
    # A key that is struck again is let up before; everything else is joined to what follows.
    return [
        Tone(tone.begin, min(tone.end, struck - min(0.25, 0.4 * (tone.end - tone.begin))), tone.pitch, tone.velocity)
        for tone, struck in zip(found, again, strict=True)
    ]


def _read(bars: list[str], *, softer: int) -> Iterator[Tone]:
    for number, bar in enumerate(bars):
        for voice in bar.split("&"):
            at = 0.0
            for pitches, length, mark in re.findall(r"(\S+?):([\d.]+)(['>]?)", voice):
                begin, end = number * BAR + at, number * BAR + at + float(length)
                if mark == "'":
                    end = begin + 0.5 * float(length)
                names = [] if pitches == "r" else pitches.split("+")
                for name in names:
                    top = name == names[-1]
                    yield Tone(begin, end, _pitch(name), _velocity(begin, mark, softer=softer + (0 if top else 6)))
                at += float(length)
            if at > BAR:
                raise ValueError(f"bar {number + 1} has {at} eighths: {voice}")


def _pitch(name: str) -> int:
    return {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]] + name.count("#") + 12 * (int(name[-1]) + 1)


def _velocity(begin: float, mark: str, *, softer: int) -> int:
    bar, place = divmod(begin, BAR)
    swell = 5.0 * math.sin(math.pi * ((begin / BAR) % 4.0) / 4.0)  # phrases of four bars breathe
    weight = {0.0: 4.0, 3.0: 2.0}.get(place, 0.0 if place == int(place) else -4.0)
    return round(LOUDNESS[int(bar)] + swell + weight + (SFORZATO if mark == ">" else 0) - softer)


def _tempo(begin: float) -> float:
    """Eighths a minute at a place: forward in the middle of a phrase, held back at its end."""
    bar = begin / BAR
    within = (bar % 4.0) / 4.0 if bar < 12 else ((bar - 12.0) % 6.0) / 6.0
    pace = TEMPO * (1.0 + 0.045 * math.sin(math.pi * within))
    for end, held in ((8.0, 0.10), (12.0, 0.06), (16.0, 0.05), (18.0, 0.24)):
        if end - 1.0 <= bar < end:
            pace *= 1.0 - held * (bar - (end - 1.0))
    return pace


def _track(name: str, events: list[tuple[float, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    """A track from messages at times in eighths; what ends comes before what begins."""
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for at, message in sorted(events, key=lambda event: (round(event[0] * EIGHTH), event[1].type == "note_on")):
        tick = round(at * EIGHTH)
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _hand(name: str, bars: list[str], *, channel: int, softer: int, pedal: bool = False) -> mido.MidiTrack:
    events: list[tuple[float, mido.Message | mido.MetaMessage]] = []
    for tone in tones(bars, softer=softer):
        events.append((tone.begin, mido.Message("note_on", channel=channel, note=tone.pitch, velocity=tone.velocity)))
        events.append((tone.end, mido.Message("note_off", channel=channel, note=tone.pitch, velocity=0)))
    for bar, down, up in PEDAL if pedal else ():
        for place, value in ((down, 127), (up, 0)):
            message = mido.Message("control_change", channel=channel, control=64, value=value)
            events.append(((bar - 1) * BAR + place, message))
    return _track(name, events)


def piece() -> mido.MidiFile:
    """The theme as a MIDI file: tempo map, right hand, left hand with the pedal."""
    places = [0.5 * BAR * half for half in range(2 * len(RIGHT) + 1)] + [len(RIGHT) * BAR - step for step in (1.0, 2.0)]
    conductor: list[tuple[float, mido.Message | mido.MetaMessage]] = [
        (0.0, mido.MetaMessage("time_signature", numerator=6, denominator=8)),
        (0.0, mido.MetaMessage("key_signature", key="A")),
        *((at, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(_tempo(at) / 2.0))) for at in places),
    ]
    title = "W. A. Mozart, Sonata in A major K. 331, theme (Andante grazioso)"
    return mido.MidiFile(
        type=1,
        ticks_per_beat=2 * EIGHTH,
        tracks=[
            _track(title, conductor),
            _hand("right hand", RIGHT, channel=0, softer=0),
            _hand("left hand", LEFT, channel=1, softer=9, pedal=True),
        ],
    )


if __name__ == "__main__":
    piece().save(TARGET)
    print(f"{TARGET.name}: {piece().length:.1f} s")
