# SPDX-License-Identifier: GPL-3.0-or-later
"""MIDI file in, Score out: exact seconds over the whole tempo map, notes, pedal, and hands where the file tells them.

The only file that imports mido. A file is read as data; nothing in it is ever run.
"""

import io
import re
import struct
from dataclasses import dataclass, field, replace
from pathlib import Path

import mido
import numpy as np

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score, pitch_name

MAX_BYTES = 10_000_000  # a day of music at ten notes a second; read, every byte of it takes some 170
MAX_HOURS = 24
MOST_BARS = 100_000
LAST_TICK = 2**53  # up to which ticks are exact as real numbers: more than any piece has
SHORTEST_NOTE = 0.03  # seconds given to a note that the file ends where it begins
LONGEST_OPEN_NOTE = 10.0  # seconds after which a note that the file never ends is let go
DRUM_CHANNEL = 9
SUSTAIN = 64
DEFAULT_TEMPO = 500_000  # microseconds per quarter note before the first tempo event (Standard MIDI Files 1.0)
_WRITTEN_DIVISION, _WRITTEN_TEMPO = 480, 250_000  # half a millisecond a tick
MEAN_PITCH_APART = 2.0  # semitones between two tracks' mean pitches from which they count as two hands

_RIGHT_WORDS = (
    r"r|rh|rechts?|rechte[rsn]?|right|md|droite|destra|dx|derecha|direita|upper|up|treble|soprano|discant|diskant|oben|"
    r"obere[rs]?|superior|höger|oikea|prawa|правая|правой"
)
_LEFT_WORDS = (
    r"l|lh|links?|linke[rsn]?|left|mg|ms|gauche|sinistra|sx|izquierda|esquerda|lower|down|bass|basso|unten|"
    r"untere[rs]?|inferior|vänster|vasen|lewa|левая|левой"
)
_NAMED = {
    HandSide.RIGHT: re.compile(rf"(?<![^\W\d_])(?:{_RIGHT_WORDS})(?![^\W\d_])|右", re.IGNORECASE),
    HandSide.LEFT: re.compile(rf"(?<![^\W\d_])(?:{_LEFT_WORDS})(?![^\W\d_])|左", re.IGNORECASE),
}


@dataclass
class _Part:
    """The notes of one track and channel, in ticks; a note is [start, end, pitch, velocity], end -1 while it is open."""

    track: int
    channel: int
    name: str
    notes: list[list[int]] = field(default_factory=list)
    open: dict[int, list[int]] = field(default_factory=dict)  # pitch -> indices of notes still sounding, oldest first
    pedal: list[tuple[int, int]] = field(default_factory=list)

    def note_on(self, tick: int, pitch: int, velocity: int) -> None:
        self.open.setdefault(pitch, []).append(len(self.notes))
        self.notes.append([tick, -1, pitch, velocity])

    def note_off(self, tick: int, pitch: int) -> None:
        """The oldest open note ends: of two that overlap on one key, the first struck is the first to be let go."""
        waiting = self.open.get(pitch)
        if waiting:
            self.notes[waiting.pop(0)][1] = tick


def read_midi(path: Path) -> Score:
    """Read a Standard MIDI File of format 0 or 1 (also inside RIFF).

    Raises PianoHandsError with code 'no-file', 'unreadable', 'not-midi', 'truncated', 'damaged', 'format-2', 'bad-tempo',
    'too-long' or 'no-notes'.
    """
    path = Path(path)
    file = _parse(path, _midi_bytes(path))
    if file.type not in (0, 1):
        raise PianoHandsError(
            "format-2",
            f"{path.name} is a MIDI file of format {file.type}: a set of separate patterns, not one piece.",
            "Save it as format 0 or 1 from a sequencer.",
        )
    parts, tempos, metres, last_tick = _collect(file)
    if max([last_tick, *(tick for tick, _ in tempos)]) > LAST_TICK:
        raise _damaged(path, "a pause without end")
    clock = _Clock(path.name, file.ticks_per_beat, tempos)
    hours = float(clock.seconds(np.array([last_tick]))[0]) / 3600
    if hours > MAX_HOURS:
        raise PianoHandsError(
            "too-long",
            f"{path.name} lasts {hours:.0f} hours by its own tempo, which cannot be meant.",
            "Check its tempo in a sequencer and save it again.",
        )
    drums = [part for part in parts if part.channel == DRUM_CHANNEL and part.notes]
    tonal = [part for part in parts if part.channel != DRUM_CHANNEL and part.notes]
    left_out = []
    if drums:
        count = sum(len(part.notes) for part in drums)
        left_out.append(f"{count} drum {'note' if count == 1 else 'notes'} on channel 10")
    notes = _notes(tonal, _hands(tonal), clock, left_out=left_out)
    if not notes:
        raise PianoHandsError(
            "no-notes",
            f"{path.name} has no notes that a piano can play" + (f" ({'; '.join(left_out)})." if left_out else "."),
            "Choose a file with piano notes between A0 and C8.",
        )
    return Score(notes, _pedal(parts, clock), tuple(left_out), _bars(file.ticks_per_beat, metres, clock, last_tick))


def write_midi(score: Score, path: Path) -> None:
    """Notes and pedal, exact to a quarter of a millisecond: a track for each hand that notes name, and one for the others."""
    tracks = [mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=_WRITTEN_TEMPO)])]
    for hand in (HandSide.RIGHT, HandSide.LEFT, None):
        notes = [note for note in score.notes if note.hand is hand]
        events = [(note.onset, 1, mido.Message("note_on", note=note.pitch, velocity=note.velocity)) for note in notes]
        events += [(note.offset, 0, mido.Message("note_off", note=note.pitch)) for note in notes]
        if not events:
            continue
        if len(tracks) == 1:
            pedal = (mido.Message("control_change", control=SUSTAIN, value=change.value) for change in score.pedal)
            events += [(change.time, 2, message) for change, message in zip(score.pedal, pedal, strict=True)]
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=hand.word)] if hand is not None else [])
        now = 0
        for time, _, message in sorted(events, key=lambda event: event[:2]):
            tick = round(time * 1e6 / _WRITTEN_TEMPO * _WRITTEN_DIVISION)
            track.append(message.copy(time=tick - now))
            now = tick
        tracks.append(track)
    mido.MidiFile(ticks_per_beat=_WRITTEN_DIVISION, tracks=tracks).save(path)


def merge_hands(score: Score) -> Score:
    """The same score without what the file, or the person, says about hands."""
    return replace(score, notes=tuple(replace(note, hand=None) for note in score.notes))


def _midi_bytes(path: Path) -> bytes:
    """The file's bytes, unwrapped from RIFF where they are wrapped."""
    not_midi = PianoHandsError("not-midi", f"{path.name} is not a MIDI file.", "Choose a .mid or .midi file.")
    try:
        with open(path, "rb") as file:
            if file.read(4) not in (b"MThd", b"RIFF"):
                raise not_midi
            file.seek(0)
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise PianoHandsError("no-file", f"There is no file {path}.", "Check the name and the folder.") from error
    except OSError as error:
        raise PianoHandsError(
            "unreadable", f"{path} could not be read: {error.strerror or error}.", "Choose a file that you may read."
        ) from error
    if len(data) > MAX_BYTES:
        raise PianoHandsError(
            "too-long", f"{path.name} is larger than {MAX_BYTES // 1_000_000} MB.", "Cut it into pieces in a sequencer."
        )
    if data.startswith(b"RIFF"):
        start = data.find(b"MThd")
        if data[8:12] != b"RMID" or start < 0:
            raise not_midi
        data = data[start:]
    return data


def _parse(path: Path, data: bytes) -> mido.MidiFile:
    try:
        return mido.MidiFile(file=io.BytesIO(data))
    except mido.KeySignatureError:
        # A key signature that does not exist means nothing to us: made C major, and read again.
        mended = re.sub(rb"\xff\x59\x02..", b"\xff\x59\x02\x00\x00", data, flags=re.DOTALL)
        if mended != data:
            return _parse(path, mended)
        raise _damaged(path, "its key signature") from None
    except (EOFError, struct.error) as error:
        raise PianoHandsError(
            "truncated",
            f"{path.name} ends in the middle: part of the piece is missing.",
            "Copy or download the file again; nothing of it was used.",
        ) from error
    except (OSError, ValueError, IndexError, KeyError, TypeError, LookupError) as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, what: str) -> PianoHandsError:
    return PianoHandsError("damaged", f"{path.name} is damaged ({what}).", "Open it in a sequencer and save it again.")


def _collect(file: mido.MidiFile) -> tuple[list[_Part], list[tuple[int, int]], list[tuple[int, int, int]], int]:
    """Parts, (tick, microseconds per quarter) and (tick, numerator, denominator) of every track in order, and the file's last
    tick that matters.
    """
    parts: dict[tuple[int, int], _Part] = {}
    tempos: list[tuple[int, int]] = []
    metres: list[tuple[int, int, int]] = []
    last_tick = 0
    for number, track in enumerate(file.tracks):
        tick = 0
        for message in track:
            tick += message.time
            kind = message.type
            if kind == "set_tempo":
                tempos.append((tick, message.tempo))
                continue
            if kind == "time_signature":
                metres.append((tick, message.numerator, message.denominator))
                continue
            if kind not in ("note_on", "note_off", "control_change"):
                continue
            part = parts.get((number, message.channel))
            if part is None:
                part = parts[number, message.channel] = _Part(number, message.channel, _text(track.name))
            if kind == "control_change":
                if message.control == SUSTAIN:
                    part.pedal.append((tick, message.value))
            elif kind == "note_on" and message.velocity > 0:
                part.note_on(tick, message.note, message.velocity)
            else:
                part.note_off(tick, message.note)
            last_tick = max(last_tick, tick)
    return list(parts.values()), sorted(tempos, key=lambda event: event[0]), sorted(metres), last_tick


def _bars(division: int, metres: list[tuple[int, int, int]], clock: "_Clock", last_tick: int) -> tuple[float, ...]:
    """When bars begin, seconds, by the file's time signatures (4/4 before the first); none with SMPTE division."""
    if division <= 0:
        return ()
    changes = {0: (4, 4)} | {tick: (numerator, denominator) for tick, numerator, denominator in metres}
    starts = sorted(changes)
    ticks: list[float] = []
    for start, end in zip(starts, [*starts[1:], last_tick], strict=True):
        numerator, denominator = changes[start]
        length = 4.0 * division * max(numerator, 1) / denominator
        end = min(end, last_tick)
        count = min(int(np.ceil((end - start) / length - 1e-9)), MOST_BARS - len(ticks))
        ticks += [start + length * k for k in range(count)]
    return tuple(clock.seconds(np.array(ticks)).tolist()) if ticks else ()


def _text(name: str) -> str:
    """Track names carry no charset; mido reads them as Latin-1, most writers mean UTF-8."""
    try:
        return name.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return name


class _Clock:
    """Ticks to seconds over the whole tempo map; with SMPTE division the tempo has no say."""

    def __init__(self, name: str, division: int, tempos: list[tuple[int, int]]) -> None:
        if division < 0:
            frames, per_frame = -(division >> 8), division & 0xFF
            frame_rate = 30 / 1.001 if frames == 29 else float(frames)
            steps = [(0, 1.0 / (frame_rate * per_frame) if per_frame else 0.0)]
        else:
            steps = [(0, DEFAULT_TEMPO / 1e6 / division if division else 0.0)]
            steps += [(tick, tempo / 1e6 / division if division else 0.0) for tick, tempo in tempos]
        if any(step <= 0 for _, step in steps):
            raise PianoHandsError(
                "bad-tempo",
                f"{name} has a tempo or time division of zero.",
                "Set a tempo in a sequencer and save the file again.",
            )
        self._tick = np.array([tick for tick, _ in steps], dtype=np.float64)
        self._step = np.array([step for _, step in steps], dtype=np.float64)
        self._time = np.concatenate(([0.0], np.cumsum(np.diff(self._tick) * self._step[:-1])))

    def seconds(self, ticks: np.ndarray) -> np.ndarray:
        segment = np.searchsorted(self._tick, ticks, side="right") - 1
        return self._time[segment] + (ticks - self._tick[segment]) * self._step[segment]


def _hands(parts: list[_Part]) -> list[HandSide | None]:
    """The hand of each part: from names where they tell both hands apart, else from the pitch of two tracks or two channels."""
    by_track = len({part.track for part in parts}) > 1
    groups: dict[int, list[_Part]] = {}
    for part in parts:
        groups.setdefault(part.track if by_track else part.channel, []).append(part)
    hands = [_named_hand(members[0].name) if by_track else None for members in groups.values()]
    if {HandSide.RIGHT, HandSide.LEFT} - set(hands):  # the names do not tell
        hands = _two_hands(list(groups.values()), hands) if len(groups) == 2 else [None] * len(groups)
    hand_of = dict(zip(groups, hands, strict=True))
    return [hand_of[part.track if by_track else part.channel] for part in parts]


def _two_hands(groups: list[list[_Part]], named: list[HandSide | None]) -> list[HandSide | None]:
    """Of two tracks the one that is named settles the other; else the higher one is the right hand."""
    if named[0] is not named[1]:
        first = named[0] if named[0] is not None else _other(named[1])
        return [first, _other(first)]
    low, high = (float(np.mean([note[2] for part in group for note in part.notes])) for group in groups)
    if abs(high - low) < MEAN_PITCH_APART:
        return [None, None]
    return [HandSide.LEFT, HandSide.RIGHT] if high > low else [HandSide.RIGHT, HandSide.LEFT]


def _other(hand: HandSide | None) -> HandSide:
    return HandSide.LEFT if hand is HandSide.RIGHT else HandSide.RIGHT


def _named_hand(name: str) -> HandSide | None:
    plain = name.replace(".", "")  # R.H. and m.d.
    said = [hand for hand, words in _NAMED.items() if words.search(plain)]
    return said[0] if len(said) == 1 else None


def _notes(parts: list[_Part], hands: list[HandSide | None], clock: _Clock, *, left_out: list[str]) -> tuple[NoteEvent, ...]:
    notes: list[NoteEvent] = []
    outside: list[str] = []
    for part, hand in zip(parts, hands, strict=True):
        ticks = np.array([note[:2] for note in part.notes], dtype=np.float64)
        onsets = clock.seconds(ticks[:, 0])
        offsets = clock.seconds(np.maximum(ticks[:, 1], 0))
        end = max(onsets.max(), offsets.max())
        for (_, end_tick, pitch, velocity), onset, offset in zip(part.notes, onsets.tolist(), offsets.tolist(), strict=True):
            if end_tick < 0:
                offset = min(max(end, onset + 1.0), onset + LONGEST_OPEN_NOTE)
            if not LOWEST <= pitch <= HIGHEST:
                outside.append(f"{pitch_name(pitch)} at {onset:.2f} s")
                continue
            notes.append(NoteEvent(onset, max(offset, onset + SHORTEST_NOTE), pitch, velocity, hand))
    if outside:
        named = ", ".join(outside[:20]) + (f" and {len(outside) - 20} more" if len(outside) > 20 else "")
        left_out.append(f"{len(outside)} {'note' if len(outside) == 1 else 'notes'} outside the 88 keys: {named}")
    notes.sort(key=lambda note: (note.onset, note.pitch))
    return tuple(notes)


def _pedal(parts: list[_Part], clock: _Clock) -> tuple[PedalEvent, ...]:
    """One pedal for all channels: the lowest pressed one counts; unchanged values are dropped."""
    events = sorted(((tick, number, value) for number, part in enumerate(parts) for tick, value in part.pedal), key=lambda e: e[0])
    times = clock.seconds(np.array([tick for tick, _, _ in events], dtype=np.float64))
    pressed: dict[int, int] = {}
    pedal: list[PedalEvent] = []
    for (_, number, value), time in zip(events, times.tolist(), strict=True):
        pressed[number] = value
        deepest = max(pressed.values())
        if not pedal or pedal[-1].value != deepest:
            pedal.append(PedalEvent(time, deepest))
    return tuple(pedal)
