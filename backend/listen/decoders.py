# SPDX-License-Identifier: GPL-3.0-or-later
"""Three ways to get at the samples of a file: soundfile, PyAV, and for plain WAV files the standard library.

Each opens a path and gives a `Stream`; what it cannot read it refuses with `Refused`. Nothing is read into memory as a whole.
"""

import importlib.util
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_BLOCK = 1 << 18  # frames read at a time
#: What PyAV may open: no playlists and nothing else that names further files or addresses.
_CONTAINERS = "mov,mp4,m4a,aac,mp3,flac,ogg,wav,aiff,matroska,webm,asf,avi,mpegts,caf,amr,w64,au,ac3"


class Refused(Exception):
    """A decoder cannot make sense of the file; the words say why."""


@dataclass(frozen=True)
class Stream:
    """Sound as it comes: blocks (n, channels). `frames` is what the file says of its length, and may be wrong."""

    rate: int
    frames: int
    blocks: Iterator[Array]


Decoder = Callable[[Path], AbstractContextManager[Stream]]


def decoders() -> tuple[Decoder, ...]:
    """Those that this Python has, the best first."""
    found: list[Decoder] = []
    if importlib.util.find_spec("soundfile") is not None:
        found.append(by_soundfile)
    if importlib.util.find_spec("av") is not None:
        found.append(by_av)
    return tuple(found) or (by_wave,)


@contextmanager
def by_soundfile(path: Path) -> Iterator[Stream]:
    """WAV, FLAC, OGG, MP3, AIFF and more, by libsndfile."""
    import soundfile

    try:
        with soundfile.SoundFile(str(path)) as file:
            yield Stream(int(file.samplerate), max(0, int(file.frames)), _soundfile_blocks(file))
    except soundfile.LibsndfileError as error:
        raise Refused(str(error.error_string).rstrip(".")) from error


def _soundfile_blocks(file: Any) -> Iterator[Array]:
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        yield block


@contextmanager
def by_av(path: Path) -> Iterator[Stream]:
    """What ffmpeg's libraries read: also AAC, and the sound of films. Pictures are not decoded."""
    import av
    from av.error import FFmpegError

    options = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", metadata_errors="ignore", options=options) as container:
            if not container.streams.audio:
                raise Refused("it has no sound")
            stream = container.streams.audio[0]
            length = stream.duration * stream.time_base if stream.duration and stream.time_base else (container.duration or 0) / 1e6
            yield Stream(int(stream.rate or 0), max(0, round(length * (stream.rate or 0))), _av_blocks(container, stream))
    except FFmpegError as error:
        raise Refused(str(error.strerror or error).rstrip(".")) from error


def _av_blocks(container: Any, stream: Any) -> Iterator[Array]:
    import av
    from av.error import InvalidDataError

    to_float = av.AudioResampler(format="fltp", rate=stream.rate)
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:  # a damaged packet; the next one may be whole
            continue
        for frame in frames:
            for piece in to_float.resample(frame):
                yield np.asarray(piece.to_ndarray().T, np.float32)


@contextmanager
def by_wave(path: Path) -> Iterator[Stream]:
    """Uncompressed WAV files, where nothing is installed."""
    try:
        with wave.open(str(path), "rb") as file:
            size = file.getsampwidth() * file.getnchannels()
            if file.getsampwidth() not in (1, 2, 3, 4):
                raise wave.Error(f"samples of {file.getsampwidth()} bytes")
            # A program that writes into a pipe does not know the length, and says the greatest there is.
            frames = min(file.getnframes(), path.stat().st_size // max(1, size))
            yield Stream(file.getframerate(), frames, _wave_blocks(file))
    except (wave.Error, EOFError) as error:
        raise Refused(str(error) or "it is cut off") from error


def _wave_blocks(file: wave.Wave_read) -> Iterator[Array]:
    width, channels = file.getsampwidth(), file.getnchannels()
    while frames := len(data := file.readframes(_BLOCK)) // (width * channels):
        yield _samples(data[: frames * width * channels], width).reshape(frames, channels)


def _samples(data: bytes, width: int) -> Array:
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128.0) / 128.0
    if width == 3:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((octets[:, 0] << 8 | octets[:, 1] << 16 | octets[:, 2] << 24) >> 8).astype(np.float32) / 2.0**23
    return np.frombuffer(data, f"<i{width}").astype(np.float32) / 2.0 ** (8 * width - 1)
