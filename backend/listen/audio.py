# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings of any common format as one channel at the rate asked for, block by block: memory does not grow with their length."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError

from .decoders import Refused, Stream, by_wave, decoders
from .resample import resampled

Array = NDArray[np.float32]
Tick = Callable[[int, int], None]

SLOWEST_RATE, FASTEST_RATE = 4000, 400_000  # samples a second


def _no_tick(done: int, total: int) -> None:
    """Nobody listens."""


def duration(path: Path) -> float:
    """Seconds, by what the file says of itself. Raises PianoHandsError('no-file', 'not-sound')."""
    with opened(path) as stream:
        if stream.frames:
            return stream.frames / stream.rate
        return sum(len(block) for block in stream.blocks) / stream.rate  # it does not say


def mono_blocks(path: Path, *, rate: int, seconds: float | None = None, tick: Tick = _no_tick) -> Iterator[Array]:
    """Blocks (n,) at `rate`, the channels' mean. Raises PianoHandsError('no-file', 'not-sound').

    `tick(done, total)` hears of source frames read, and may raise.
    """
    with opened(path) as stream:
        limit = None if seconds is None else round(seconds * stream.rate)
        yield from resampled(_mixed(stream, limit, tick), stream.rate, rate)


def read_mono(path: Path, *, rate: int, seconds: float | None = None, tick: Tick = _no_tick) -> Array:
    """(samples,) at `rate`: the whole recording. Raises PianoHandsError('no-file', 'not-sound', 'too-short')."""
    blocks = list(mono_blocks(path, rate=rate, seconds=seconds, tick=tick))
    sound = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if len(sound) < rate:
        raise PianoHandsError("too-short", f"{path.name} lasts less than a second.", "Choose a longer recording.")
    return sound


@contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """The file by the first decoder that can read its head and its first block. Raises PianoHandsError('no-file', 'not-sound')."""
    if not path.is_file():
        raise PianoHandsError("no-file", f"There is no file {path}.", "Choose another recording.")
    try:
        with ExitStack() as stack:
            yield _begun(path, stack)
    except Refused as error:
        raise PianoHandsError(
            "not-sound",
            f"{path.name} is damaged, and cannot be read to its end: {error}.",
            "Take the part before the damage (only so many seconds), or save the recording again in an audio editor.",
        ) from error


def _begun(path: Path, stack: ExitStack) -> Stream:
    reason = ""
    for decoder in decoders():
        with ExitStack() as attempt:
            try:
                stream = attempt.enter_context(decoder(path))
                _check_rate(stream.rate)
                first = next(stream.blocks, None)
            except Refused as error:
                reason = str(error)
                continue
            except OSError as error:
                raise PianoHandsError(
                    "no-file", f"{path} cannot be read: {error.strerror or error}.", "Choose another recording."
                ) from error
            if first is None or not len(first):
                reason = "there is no sound in it"
                continue
            stack.enter_context(attempt.pop_all())
            return Stream(stream.rate, stream.frames, chain((first,), stream.blocks))
    raise PianoHandsError("not-sound", f"{path.name} is no recording that can be read: {reason}.", _advice())


def _check_rate(rate: int) -> None:
    if not SLOWEST_RATE <= rate <= FASTEST_RATE:
        raise Refused(f"{rate} samples a second make no sense")


def _advice() -> str:
    if decoders() == (by_wave,):
        return "Save it as an uncompressed WAV file; or use a Python with soundfile and av, which read every common format."
    return "Choose a WAV, FLAC, MP3, OGG, M4A, MP4 or MOV file that plays elsewhere."


def _mixed(stream: Stream, limit: int | None, tick: Tick) -> Iterator[Array]:
    """Blocks (n,) of at most `limit` frames in all. Samples that are no numbers are silence."""
    done = 0
    for block in stream.blocks:
        if limit is not None:
            block = block[: limit - done]
        done += len(block)
        total = max(stream.frames if limit is None else min(limit, stream.frames or limit), done)
        tick(done, total)
        yield np.nan_to_num(block.mean(axis=1, dtype=np.float32), nan=0.0, posinf=1.0, neginf=-1.0)
        if limit is not None and done >= limit:
            return
