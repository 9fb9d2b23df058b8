# SPDX-License-Identifier: GPL-3.0-or-later
"""A score made audible: a piano good enough to check timing by ear. NumPy and the standard library only.

Time zero of the file is time zero of the score, and every note begins on its exact sample.
"""

import os
import wave
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import Cancelled, PianoHandsError, write_failed
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

from .tone import LAYERS, UNDAMPED, USUAL, Voice, struck

Sound = NDArray[np.float32]

_BLOCK_SECONDS = 8.0
_CACHE_BYTES = 160 * 2**20
_TAIL = 1.6  # seconds after the last damper has fallen, for the room to die away
_PEDAL_DOWN = 64  # CC64 at which the dampers are off the strings
_WAVE_LIMIT = 2**32 - 64  # bytes of sound a .wav can count


@dataclass(frozen=True)
class Instrument:
    """A piano in a room. room: how long it sounds, against the usual one; echo: how loud, against the strings."""

    voice: Voice = USUAL
    room: float = 1.0
    echo: float = 0.22


def render_score(
    score: Score,
    path: Path,
    *,
    sample_rate: int = 44100,
    report: Callable[[float, float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Write `score` as 16-bit stereo .wav, under a temporary name that is then renamed.

    `report(done, total)` hears of progress in seconds of sound. Memory stays bounded however long the piece is.
    Raises Cancelled, PianoHandsError('write-failed') and PianoHandsError('too-long').
    """
    total = max(_damper_times(score), default=0.0) + _TAIL
    if total * sample_rate * 4 > _WAVE_LIMIT:
        raise PianoHandsError(
            "too-long", f"{total / 3600:.1f} hours of sound do not fit into a .wav file.", "Take a part of the piece."
        )
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    done = 0.0
    try:
        with open(temporary, "wb") as raw, wave.open(raw, "wb") as file:
            file.setnchannels(2)
            file.setsampwidth(2)
            file.setframerate(sample_rate)
            for block in sound_of(score, sample_rate=sample_rate, instrument=Instrument()):
                if cancelled is not None and cancelled():
                    raise Cancelled
                file.writeframes(np.ascontiguousarray((32767.0 * block.T).astype("<i2")).tobytes())
                done += block.shape[1] / sample_rate
                if report is not None:
                    report(min(done, total), total)
        os.replace(temporary, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def sound_of(score: Score, *, sample_rate: int, instrument: Instrument) -> Iterator[Sound]:
    """Consecutive (2, n) blocks within -1 to 1 until the room has died away."""
    ends = _damper_times(score)
    frames = round((max(ends, default=0.0) + _TAIL) * sample_rate)
    size = int(_BLOCK_SECONDS * sample_rate)
    strings, room = _Strings(sample_rate, instrument.voice), _Room(sample_rate, size, instrument)
    gain = _gain(score)
    sounding = np.zeros((2, 0), dtype=np.float32)
    upcoming = 0
    for begin in range(0, frames, size):
        block = sounding
        while upcoming < len(score.notes) and round(score.notes[upcoming].onset * sample_rate) < begin + size:
            note = score.notes[upcoming]
            at = round(note.onset * sample_rate) - begin
            block = _add(block, strings.sound(note, ends[upcoming]), at)
            upcoming += 1
        block = _add(block, np.zeros((2, size), dtype=np.float32), 0)
        sounding = block[:, size:].copy()
        yield _limited(gain * room.with_echo(block[:, :size]))[:, : frames - begin]


def _add(block: Sound, sound: Sound, at: int) -> Sound:
    """`block` with `sound` mixed in from sample `at`, made longer in generous steps where needed."""
    end = at + sound.shape[1]
    if end > block.shape[1]:
        block = np.pad(block, ((0, 0), (0, end + end // 2 - block.shape[1])))
    block[:, at:end] += sound
    return block


class _Strings:
    """Sounds of struck keys, kept by pitch and brightness, the least used forgotten first."""

    def __init__(self, sample_rate: int, voice: Voice) -> None:
        self._rate, self._voice = sample_rate, voice
        self._kept: OrderedDict[tuple[int, int], tuple[float, Sound]] = OrderedDict()
        self._bytes = 0

    def sound(self, note: NoteEvent, end: float) -> Sound:
        """The note as it sounds until its damper (at `end` seconds) has silenced it."""
        fall = 0.035 + 0.0012 * max(0, 90 - note.pitch)  # thick strings take longer to damp
        needed = end - note.onset + 7.0 * fall
        undamped = self._undamped(note.pitch, min(note.velocity * LAYERS // 128, LAYERS - 1), needed)
        sound = undamped[:, : round(needed * self._rate)] * _level(note)
        damped = sound[:, round((end - note.onset) * self._rate) :]
        damped *= np.exp(-np.arange(damped.shape[1], dtype=np.float32) / (fall * self._rate))
        return sound

    def _undamped(self, pitch: int, layer: int, seconds: float) -> Sound:
        key = (pitch, layer)
        length, sound = self._kept.get(key, (0.0, None))
        if sound is None or length < seconds:
            # Lengths double, so that a key's sound is made again only a few times.
            length = 2.0 ** np.ceil(np.log2(max(seconds, 0.5)))
            self._bytes -= 0 if sound is None else sound.nbytes
            sound = struck(pitch, layer=layer, seconds=length, sample_rate=self._rate, voice=self._voice)
            self._bytes += sound.nbytes
            self._kept[key] = (length, sound)
        self._kept.move_to_end(key)
        while self._bytes > _CACHE_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1][1].nbytes
        return sound


class _Room:
    """A small, warm room: every block is joined by its own echo and by what is left of the echo before it."""

    def __init__(self, sample_rate: int, size: int, instrument: Instrument) -> None:
        length = int(1.1 * instrument.room * sample_rate)
        time = np.arange(length) / sample_rate
        noise = np.random.default_rng(88).standard_normal((2, length))
        # Walls swallow the treble sooner: blend towards a duller noise as time passes.
        dull = np.stack([np.convolve(row, np.hanning(25) / 5.0, mode="same") for row in noise])
        swallowed = np.minimum(1.0, time / 0.15)
        echo = (
            ((1.0 - swallowed) * noise + swallowed * dull) * np.exp(-time / (0.2 * instrument.room)) * np.minimum(1.0, time / 0.03)
        )
        echo[:, : int(0.009 * sample_rate)] = 0.0  # nothing comes back sooner than from the nearest wall
        self._points = 1 << (size + length - 1).bit_length()
        self._echo = np.fft.rfft(instrument.echo * echo / np.sqrt(np.sum(echo**2, axis=1, keepdims=True)), self._points)
        self._left = np.zeros((2, length), dtype=np.float32)

    def with_echo(self, block: Sound) -> Sound:
        size, length = block.shape[1], self._left.shape[1]
        wet = np.fft.irfft(np.fft.rfft(block, self._points) * self._echo, self._points)[:, : size + length].astype(np.float32)
        wet[:, :length] += self._left
        self._left = wet[:, size:]
        return block + wet[:, :size]


def _damper_times(score: Score) -> list[float]:
    """When each note's damper falls: its note-off, later where the pedal is down then, sooner where it is struck again."""
    changes = _pedal_changes(score.pedal)
    times = [time for time, _ in changes]
    ends: list[float] = []
    last_of_pitch: dict[int, int] = {}
    for index, note in enumerate(score.notes):
        end = max(note.offset, note.onset)
        if note.pitch >= UNDAMPED:
            end += 8.0
        else:
            change = bisect_right(times, end) - 1
            if change >= 0 and changes[change][1]:
                end = times[change + 1] if change + 1 < len(times) else score.duration
        ends.append(end)
        before = last_of_pitch.get(note.pitch)
        if before is not None:
            ends[before] = min(ends[before], max(note.onset, score.notes[before].onset))
        last_of_pitch[note.pitch] = index
    return ends


def _pedal_changes(pedal: tuple[PedalEvent, ...]) -> list[tuple[float, bool]]:
    """Moments at which the pedal goes down or comes up."""
    changes: list[tuple[float, bool]] = []
    for event in pedal:
        down = event.value >= _PEDAL_DOWN
        if down != (changes[-1][1] if changes else False):
            changes.append((event.time, down))
    return changes


def _level(note: NoteEvent) -> np.float32:
    """Peak of a note: about 40 dB between velocities 10 and 127, treble a little softer."""
    return np.float32((note.velocity / 127.0) ** 1.8 * (1.0 - 0.35 * max(0, note.pitch - 60) / 48.0))


def _gain(score: Score) -> float:
    """One gain for the whole piece, so that its loudest moments come close to full scale.

    The moments are estimated from the notes, since the sound is never held in memory as a whole: peaks of independent notes
    add up like their squares, and fade within about a second.
    """
    loudest = power = 0.0
    before = 0.0
    for note in score.notes:
        power *= np.exp(-(note.onset - before) / 0.6)
        power += float(_level(note)) ** 2
        before = note.onset
        loudest = max(loudest, power)
    return 0.62 / max(np.sqrt(loudest), 0.08)


def _limited(sound: Sound) -> Sound:
    """Untouched below 0.7; above it bent smoothly so that nothing passes 1."""
    loud = np.abs(sound)
    if loud.max(initial=0.0) <= 0.7:
        return sound
    bent = 0.7 + 0.3 * np.tanh((loud - 0.7) / 0.3)
    return np.where(loud > 0.7, np.copysign(bent, sound), sound).astype(np.float32)
