# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes short pieces that ask of two hands what etudes, showpieces and careless files ask.

`python -m tests.tools.stress_pieces FOLDER`. Each hand has a track of its own, but for what is said otherwise. The pieces are
always the same.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido

TICKS = 1000  # a second: a quarter note at 60 to the minute
MAJOR = (0, 2, 4, 5, 7, 9, 11)
FIRST = 0.5  # seconds before the first note


@dataclass(frozen=True)
class Tone:
    """One key of one hand. Times in seconds."""

    begin: float
    end: float
    pitch: int
    velocity: int = 72


Line = list[Tone]
Hands = tuple[Line, Line]  # right, left
Strike = int | tuple[int, ...]  # one key, or a chord


def line(strikes: Iterable[Strike], step: float, *, start: float = FIRST, length: float = 0.95, velocity: int = 72) -> Line:
    """Even strikes; length as a share of the step."""
    tones: Line = []
    for i, struck in enumerate(strikes):
        for pitch in struck if isinstance(struck, tuple) else (struck,):
            tones.append(Tone(start + i * step, start + (i + length) * step, pitch, velocity))
    return tones


def joined(parts: Iterable[tuple[Iterable[Strike], float]], *, rest: float = 0.6, length: float = 0.95, velocity: int = 72) -> Line:
    """Lines one after another, (strikes, step) each, with rests between."""
    tones: Line = []
    start = FIRST
    for strikes, step in parts:
        listed = list(strikes)
        tones += line(listed, step, start=start, length=length, velocity=velocity)
        start += len(listed) * step + rest
    return tones


def scale(tonic: int, octaves: int, steps: tuple[int, ...] = MAJOR) -> list[int]:
    """Up and down again."""
    up = [tonic + 12 * octave + step for octave in range(octaves) for step in steps] + [tonic + 12 * octaves]
    return up + up[-2:0:-1]


def colour(low: int, high: int, *, black: bool) -> list[int]:
    """All white, or all black, keys from low to high."""
    return [pitch for pitch in range(low, high + 1) if (pitch % 12 in (1, 3, 6, 8, 10)) == black]


def runs_one_hand() -> Hands:
    keys = scale(60, 2) + scale(62, 2) + scale(66, 2)
    return line(keys, 1 / 16), line([36, 43, 40, 43], 1.0)


def runs_two_hands() -> Hands:
    keys = scale(60, 2) + scale(64, 2) + scale(61, 2)
    return line(keys, 1 / 16), line([key - 24 for key in keys], 1 / 16)


def arpeggios() -> Hands:
    keys = [k for tonic in (60, 63, 66) for k in scale(tonic, 2, (0, 4, 7))]
    return line(keys * 2, 1 / 12), line([key - 24 for key in keys * 2], 1 / 12)


def trills() -> Hands:
    """White-white, white-black, black-white, black-black; 10 to 14 a second."""
    pairs = ((72, 74, 12.0), (74, 75, 14.0), (78, 79, 10.0), (78, 80, 12.0))
    right = joined(((low, high) * round(rate * 0.7), 1 / rate) for low, high, rate in pairs)
    return right, [Tone(t.begin, t.end, t.pitch - 29, t.velocity) for t in right if t.pitch in (72, 74)][::8]


def trills_left() -> Hands:
    pairs = ((48, 50, 12.0), (46, 48, 12.0), (49, 51, 10.0), (52, 53, 13.0))
    return line([76, 79, 77, 74], 1.5), joined(((high, low) * round(rate * 0.7), 1 / rate) for low, high, rate in pairs)


def double_third_trills() -> Hands:
    pairs = (((72, 76), (74, 77), 10.0), ((67, 71), (69, 72), 11.0), ((74, 78), (76, 79), 10.0))
    right = joined(((low, high) * round(rate * 0.7), 1 / rate) for low, high, rate in pairs)
    return right, line([48, 43, 47, 50], 1.2)


def tremolos() -> Hands:
    """Octaves, then chords broken in two; both hands."""
    right: list[tuple[Sequence[Strike], float]] = [((72, 84) * 12, 1 / 12), (((64, 67), 72) * 12, 1 / 12)]
    left: list[tuple[Sequence[Strike], float]] = [((36, 48) * 12, 1 / 12), (((43, 48), 52) * 12, 1 / 12)]
    return joined(right), joined(left)


def glissandi_white() -> Hands:
    up, down = colour(60, 91, black=False), colour(60, 91, black=False)[::-1]
    right = joined([(up, 1 / 25), (down, 1 / 25), (up, 1 / 40), (down, 1 / 40)], rest=0.8)
    low = colour(36, 59, black=False)
    return right, joined([(low[::-1], 1 / 30), (low, 1 / 30)], rest=1.5)


def glissandi_black() -> Hands:
    up = colour(61, 90, black=True)
    right = joined([(up, 1 / 20), (up[::-1], 1 / 20), (up, 1 / 28), (up[::-1], 1 / 28)], rest=0.8)
    return right, line([36, 43, 41, 36], 1.2)


def repeated_notes() -> Hands:
    right = joined([([76] * 24, 1 / 12), ([78] * 24, 1 / 12)], length=0.6)
    return right, joined([([48] * 24, 1 / 12), ([46] * 16, 1 / 10)], length=0.6)


def repeated_chords() -> Hands:
    right: list[Strike] = [(64, 67, 72)] * 16 + [(65, 69, 74)] * 16 + [(63, 66, 70)] * 16
    left: list[Strike] = [(36, 48)] * 16 + [(41, 53)] * 16 + [(39, 51)] * 16
    return line(right, 1 / 8, length=0.6), line(left, 1 / 8, length=0.6)


def repeated_octave_triplets() -> Hands:
    """Erlkoenig: octaves six to seven a second."""
    return line([(67, 79)] * 44, 1 / 6.5, length=0.6), line([43, 46, 48, 50, 51, 50, 46, 43], 0.8)


def leaps() -> Hands:
    """Two octaves in a quarter of a second."""
    return line([60, 84, 62, 86, 64, 88, 65, 89] * 3, 0.25), line([60, 36, 59, 35, 57, 33, 55, 31] * 3, 0.25)


def stride() -> Hands:
    bass: list[Strike] = [28, (52, 55, 60), 31, (53, 55, 59), 24, (52, 55, 58), 29, (53, 57, 60)] * 3
    tune: list[Strike] = [76, 79, 84, 83, 81, 79, 77, 74] * 3
    return line(tune, 0.28, length=0.7), line(bass, 0.28, length=0.7)


def octaves() -> Hands:
    keys = scale(60, 1) + scale(62, 1)
    return line([(k, k + 12) for k in keys], 1 / 7, length=0.7), line([(k - 24, k - 12) for k in keys], 1 / 7, length=0.7)


def crossed_hands() -> Hands:
    """The left hand leaps over the right one, which stays."""
    left = line([40, 79, 43, 81, 41, 83, 38, 79], 1.0, length=0.4)
    return line([60, 64, 67, 64] * 12, 1 / 6), left


def interlocking_hands() -> Hands:
    """Hands in turn on neighbouring keys of one register (Ravel, Scarlatti), and the left one above."""
    right, left = [67, 71, 74, 71] * 6, [69, 72, 76, 72] * 6
    return line(right, 0.25, length=0.4), line(left, 0.25, start=FIRST + 0.125, length=0.4)


def martellato() -> Hands:
    """Chords of both hands in turn in one register."""
    right: list[Strike] = [(64, 67, 71), (65, 69, 72), (67, 71, 74), (65, 69, 72)] * 4
    left: list[Strike] = [(60, 62, 66), (62, 64, 67), (62, 65, 69), (62, 64, 67)] * 4
    return line(right, 0.3, length=0.4), line(left, 0.3, start=FIRST + 0.15, length=0.4)


def one_hand_repeats_the_other() -> Hands:
    keys = [60, 62, 64, 65, 67, 65, 64, 62] * 3
    return line(keys, 0.3, length=0.45), line(keys, 0.3, start=FIRST + 0.15, length=0.45)


def unisons() -> Hands:
    """Both hands on the same keys at once, apart by a few milliseconds, and with other keys beside them."""
    keys: list[Strike] = [60, 62, 64, 65, (60, 67), (62, 65), (60, 64), 60] * 3
    other: list[Strike] = [60, 62, 64, 65, (55, 60), (57, 62), (55, 60), 60] * 3
    return line(keys, 0.35), line(other, 0.35, start=FIRST + 0.008)


def ten_note_chords() -> Hands:
    right: list[Strike] = [(60, 64, 67, 70, 72), (62, 65, 69, 71, 74), (61, 64, 68, 71, 73), (60, 63, 66, 69, 72)]
    left: list[Strike] = [(36, 40, 43, 46, 48), (38, 41, 45, 47, 50), (37, 40, 44, 47, 49), (36, 39, 42, 45, 48)]
    return line(right * 4, 0.6), line(left * 4, 0.6)


def stretched_chords() -> Hands:
    """Tenths to twelfths, held and short."""
    right: list[Strike] = [(60, 76), (60, 67, 76), (62, 77), (60, 77), (60, 67, 72, 79), (61, 77)]
    left: list[Strike] = [(36, 52), (36, 43, 52), (38, 53), (36, 53), (36, 43, 48, 55), (37, 53)]
    return joined([(right, 0.8), (right, 0.35)], length=0.8), joined([(left, 0.8), (left, 0.35)], length=0.8)


def clusters() -> Hands:
    """Five neighbouring keys: white, chromatic, black."""
    right: list[Strike] = [(60, 62, 64, 65, 67), (64, 65, 66, 67, 68), (66, 68, 70, 73, 75), (71, 72, 73, 74, 75)]
    left: list[Strike] = [(43, 45, 47, 48, 50), (47, 48, 49, 50, 51), (42, 44, 46, 49, 51), (52, 53, 54, 55, 56)]
    return line(right * 3, 0.5, length=0.7), line(left * 3, 0.5, length=0.7)


def twelve_note_chords() -> Hands:
    """More keys than fingers: seven right and five left, then six and six."""
    right: list[Strike] = [(60, 62, 64, 67, 69, 71, 72), (60, 64, 65, 67, 70, 72)]
    left: list[Strike] = [(36, 40, 43, 46, 48), (36, 40, 43, 45, 46, 48)]
    return line(right * 4, 0.8, length=0.8), line(left * 4, 0.8, length=0.8)


def very_soft() -> Hands:
    chords: list[Strike] = [(48, 55), (47, 55), (45, 52), (43, 50)]
    return line([76, 74, 72, 71, 72, 74, 76, 79], 1.0, velocity=8), line(chords, 2.0, velocity=5)


def very_loud() -> Hands:
    right: list[Strike] = [(60, 64, 67, 72), (62, 65, 69, 74), 76, 79, (64, 67, 72, 76), 84, 83, 79]
    left: list[Strike] = [(36, 48), (38, 50), 43, 47, (36, 48), 40, 43, 31]
    return line(right * 2, 0.4, length=0.8, velocity=127), line(left * 2, 0.4, length=0.8, velocity=127)


def grace_notes() -> Hands:
    """Short and double appoggiaturas 45 to 70 ms before the beat, mordents and a turn."""
    right: Line = []
    for i, (main, graces) in enumerate(((72, (71,)), (76, (77,)), (79, (76, 77)), (74, (73,)), (72, (74, 76)), (67, (66, 67, 69)))):
        for repeat in (0, 1):
            beat = FIRST + 0.5 + (2 * i + repeat) * 0.7
            step = 0.06 if len(graces) == 1 else 0.07
            for k, grace in enumerate(graces):
                begin = beat - step * (len(graces) - k)
                right.append(Tone(begin, begin + 0.9 * step, grace, 60))
            right.append(Tone(beat, beat + 0.4, main))
    return right, line([(48, 55), (50, 57), (47, 55), (48, 52)], 2.0)


def very_short_notes() -> Hands:
    """Ten milliseconds each, as drum pads and careless files write them."""
    keys = scale(60, 2)
    return line(keys, 0.25, length=0.04), line([(k - 24, k - 20) for k in keys[::2]], 0.5, length=0.02)


def held_polyphony() -> Hands:
    """Two voices in each hand, one held while the other moves."""
    right = line([72, 74, 76, 74, 71, 72, 74, 76], 1.0, length=1.0)
    right += line([64, 65, 67, 65, 64, 62, 60, 62] * 4, 0.25)
    left = line([43, 41, 40, 41, 43, 45, 43, 40], 1.0, length=1.0)
    left += line([52, 53, 55, 53, 52, 50, 48, 50] * 2, 0.5)
    return right, left


def extremes() -> Hands:
    """The ends of the keyboard: A0 and C8."""
    right: list[Strike] = [*range(96, 109), *range(107, 95, -1), (96, 103, 108), (101, 108), 108, 107, 108]
    left: list[Strike] = [*range(33, 20, -1), *range(22, 34), (21, 28, 33), (21, 33), 21, 22, 21]
    return line(right, 0.25), line(left, 0.25)


def far_apart_in_turn() -> Hands:
    """Chords at both ends and in the middle by turns."""
    right: list[Strike] = [(60, 64, 67), (96, 100, 103), (62, 65, 69), (98, 101, 105)] * 3
    left: list[Strike] = [(24, 36), (48, 52, 55), (26, 38), (50, 53, 57)] * 3
    return line(right, 0.45, length=0.6), line(left, 0.45, length=0.6)


def both_hands_at_one_place() -> Hands:
    """Close five-finger positions that overlap by a third."""
    return line([64, 65, 67, 69, 71, 69, 67, 65] * 3, 0.25), line([67, 65, 64, 62, 60, 62, 64, 65] * 3, 0.25, start=FIRST + 0.125)


def merged_runs() -> Hands:
    """One track: the hands are not told apart."""
    right, left = runs_two_hands()
    return sorted(right + left, key=lambda tone: tone.begin), []


PIECES: dict[str, Callable[[], Hands]] = {
    make.__name__: make
    for make in (
        runs_one_hand, runs_two_hands, arpeggios, trills, trills_left, double_third_trills, tremolos, glissandi_white,
        glissandi_black, repeated_notes, repeated_chords, repeated_octave_triplets, leaps, stride, octaves, crossed_hands,
        interlocking_hands, martellato, one_hand_repeats_the_other, unisons, ten_note_chords, stretched_chords, clusters,
        twelve_note_chords, very_soft, very_loud, grace_notes, very_short_notes, held_polyphony, extremes, far_apart_in_turn,
        both_hands_at_one_place, merged_runs,
    )
}  # fmt: skip


def midi(hands: Hands) -> mido.MidiFile:
    """A file of format 1: tempo, right hand, left hand; no track for a hand without notes."""
    tempo = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)])
    tracks = [
        _track(name, channel, tones) for channel, (name, tones) in enumerate(zip(("right", "left"), hands, strict=True)) if tones
    ]
    return mido.MidiFile(type=1, ticks_per_beat=TICKS, tracks=[tempo, *tracks])


def _track(name: str, channel: int, tones: Line) -> mido.MidiTrack:
    """What ends comes before what begins."""
    events: list[tuple[int, bool, Tone]] = []
    for tone in tones:
        events += [(round(tone.begin * TICKS), True, tone), (round(tone.end * TICKS), False, tone)]
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
    now = 0
    for tick, begins, tone in sorted(events, key=lambda event: event[:2]):
        kind, velocity = ("note_on", tone.velocity) if begins else ("note_off", 0)
        track.append(mido.Message(kind, channel=channel, note=tone.pitch, velocity=velocity, time=tick - now))
        now = tick
    return track


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.stress_pieces", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write them")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PIECES.items():
        file = midi(make())
        file.save(folder / f"{name}.mid")
        print(f"{name}: {file.length:.1f} s")


if __name__ == "__main__":
    main()
