# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as S2C hears them: WAV files to one channel at 16 kHz, block by block. NumPy and the standard library only."""

import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError

Array = NDArray[np.float32]

SLOWEST_RATE, FASTEST_RATE = 4000, 400_000  # samples a second

_BLOCK = 1 << 18  # frames read at a time
_ZEROS = 24  # zero crossings of the resampling filter to each side

Tick = Callable[[int, int], None]


def _no_tick(done: int, total: int) -> None:
    """Nobody listens."""


def wav_duration(path: Path) -> float:
    """Seconds, by the file's head and its size. Raises PianoHandsError('no-file', 'not-wav')."""
    with _opened(path) as file:
        # A program that writes into a pipe does not know the length, and says the greatest there is.
        held = path.stat().st_size // max(1, file.getsampwidth() * file.getnchannels())
        return min(file.getnframes(), held) / file.getframerate()


def read_wav(path: Path, *, rate: int, seconds: float | None = None, tick: Tick = _no_tick) -> Array:
    """(samples,) in [-1, 1] at `rate`, channels averaged. Raises PianoHandsError('no-file', 'not-wav', 'too-short').

    `tick(done, total)` hears of source frames read, and may raise.
    """
    with _opened(path) as file:
        source = file.getframerate()
        limit = file.getnframes() if seconds is None else min(file.getnframes(), round(seconds * source))
        blocks = list(_resampled(_blocks(file, limit, tick), source, rate))
    sound = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if len(sound) < rate:
        raise PianoHandsError("too-short", f"{path.name} lasts less than a second.", "Choose a longer recording.")
    return sound


@contextmanager
def _opened(path: Path) -> Iterator[wave.Wave_read]:
    try:
        with wave.open(str(path), "rb") as file:
            if not SLOWEST_RATE <= file.getframerate() <= FASTEST_RATE:
                raise wave.Error(f"{file.getframerate()} samples a second make no sense")
            yield file
    except FileNotFoundError as error:
        raise PianoHandsError("no-file", f"There is no file {path}.", "Choose another recording.") from error
    except (wave.Error, EOFError, OSError, ValueError) as error:
        raise PianoHandsError(
            "not-wav",
            f"{path.name} is no WAV file that can be read: {str(error) or 'it is cut off'}.",
            "Save the recording as WAV, 16 or 24 bit PCM, in an audio editor or by: ffmpeg -i RECORDING OUT.wav",
        ) from error


def _blocks(file: wave.Wave_read, limit: int, tick: Tick) -> Iterator[Array]:
    width, channels = file.getsampwidth(), file.getnchannels()
    done = 0
    while done < limit:
        data = file.readframes(min(_BLOCK, limit - done))
        frames = len(data) // (width * channels)
        if not frames:
            return
        done += frames
        tick(min(done, limit), limit)
        yield _samples(data[: frames * width * channels], width).reshape(frames, channels).mean(axis=1, dtype=np.float32)


def _samples(data: bytes, width: int) -> Array:
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
    if width == 3:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((octets[:, 0] << 8 | octets[:, 1] << 16 | octets[:, 2] << 24) >> 8).astype(np.float32) / 2.0**23
    kind = {2: "<i2", 4: "<i4"}.get(width)
    if kind is None:
        raise ValueError(f"samples of {width} bytes")
    return np.frombuffer(data, kind).astype(np.float32) / 2.0 ** (8 * width - 1)


def _hann(place: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 + 0.5 * np.cos(np.pi * place)


def _resampled(blocks: Iterator[Array], source: int, target: int) -> Iterator[Array]:
    """Band-limited interpolation by a windowed sinc (Smith, "Digital Audio Resampling"), over a sliding stretch of the sound."""
    if source == target:
        yield from blocks
        return
    up, down = target // gcd(source, target), source // gcd(source, target)
    cutoff = 0.94 * min(1.0, target / source)
    reach = int(np.ceil(_ZEROS / cutoff))
    taps = np.arange(-reach, reach + 1)
    offset = taps[None, :] - (np.arange(up) / up)[:, None]  # (phases, taps)
    kernel = (cutoff * np.sinc(cutoff * offset) * _hann(offset / (reach + 1))).astype(np.float32)
    held, first, asked = np.zeros(reach, np.float32), -reach, 0
    ended = False
    while not ended:
        block = next(blocks, None)
        ended = block is None
        held = np.concatenate([held, np.zeros(reach + 1, np.float32) if block is None else block])
        known = first + len(held) - reach - (1 if ended else 0)  # samples before this have all their neighbours
        count = -(-known * up // down) - asked
        if count > 0:
            place = (asked + np.arange(count)) * down
            start, phase = place // up - first - reach, place % up
            yield np.concatenate(
                [
                    np.einsum(
                        "nk,nk->n", np.lib.stride_tricks.sliding_window_view(held, 2 * reach + 1)[start[cut]], kernel[phase[cut]]
                    )
                    for cut in (slice(at, at + 8192) for at in range(0, count, 8192))
                ]
            )
            asked += count
        drop = max(0, asked * down // up - first - reach)
        held, first = held[drop:], first + drop
