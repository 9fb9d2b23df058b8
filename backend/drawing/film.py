# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels one above the other as an MP4 file with sound, by PyAV."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import write_failed

from .. import config
from .panel import Panel

WIDTH, HEIGHT, FPS = 854, 480, 30
RATE = 44_100
_BLOCK = 300  # frames whose hands are worked out at a time

Sound = Iterator[NDArray[np.float32]]  # blocks (n,) at 44.1 kHz from time zero on


def write_film(
    path: Path,
    panels: list[Panel],
    *,
    seconds: float,
    sound: Sound | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """From time zero on. Raises PianoHandsError('no-torch') where PyAV is missing, and ('write-failed')."""
    config.require(("av",), "Videos need")
    import av
    from av.error import FFmpegError

    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    frames = max(round(seconds * FPS), 1)
    try:
        with av.open(str(temporary), "w", format="mp4") as container:
            video: Any = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "21"})
            video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            audio = _Audio(container, sound) if sound is not None else None
            for index, picture in enumerate(_pictures(panels, frames)):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(video.encode(frame))
                if audio is not None:
                    audio.write_until((index + 1) / FPS)
                tell(index + 1, frames)
            container.mux(video.encode(None))
            if audio is not None:
                audio.end()
        os.replace(temporary, path)
    except (OSError, FFmpegError) as error:
        raise write_failed(path, error if isinstance(error, OSError) else OSError(str(error))) from error
    finally:
        temporary.unlink(missing_ok=True)


def panels_of(clips: list[Clip]) -> list[Panel]:
    """Of the same height, one for each take."""
    return [Panel(clip, WIDTH, HEIGHT // len(clips)) for clip in clips]


def _pictures(panels: list[Panel], frames: int) -> Iterator[NDArray[np.uint8]]:
    for first in range(0, frames, _BLOCK):
        times = np.arange(first, min(first + _BLOCK, frames)) / FPS
        bars = [panel.bars(times) for panel in panels]
        for index, time in enumerate(times.tolist()):
            picture = np.concatenate([panel.picture(row[index], time) for panel, row in zip(panels, bars, strict=True)])
            yield np.pad(picture, ((0, HEIGHT - len(picture)), (0, 0), (0, 0)))


class _Audio:
    """The sound beside the pictures, as far as they have come."""

    def __init__(self, container: Any, sound: Sound) -> None:
        self._container = container
        self._stream = container.add_stream("aac", rate=RATE, layout="mono")
        self._sound = sound
        self._done = 0  # samples
        self._left: NDArray[np.float32] = np.zeros(0, np.float32)

    def write_until(self, seconds: float) -> None:
        import av

        while self._done < seconds * RATE:
            while len(self._left) < 1024:
                block = next(self._sound, None)
                if block is None:
                    block = np.zeros(RATE, np.float32)
                self._left = np.concatenate([self._left, block])
            samples, self._left = self._left[:1024], self._left[1024:]
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None]), format="fltp", layout="mono")
            frame.rate, frame.pts = RATE, self._done
            self._done += len(samples)
            self._container.mux(self._stream.encode(frame))

    def end(self) -> None:
        self._container.mux(self._stream.encode(None))
