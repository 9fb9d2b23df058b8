# SPDX-License-Identifier: GPL-3.0-or-later
"""Any length from windows of a fixed one: they overlap, and agree on the clean signal at every step of the sampling.

All windows share one noisy take, so that there is no seam to be hidden: where two overlap, the x0 they predict are averaged with
weights that rise and fall smoothly (after Bar-Tal et al. 2023, "MultiDiffusion", here in x0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from s2c_blender.wire.errors import Cancelled

from .audio_encoder import Loudness
from .config import MODEL_FPS, SAMPLE_RATE
from .dual_denoiser import Conditioning
from .model import S2CModel
from .schedule import NoiseSchedule

OVERLAP = 30  # frames: one second

Tick = Callable[[], bool]


@dataclass(frozen=True)
class Windows:
    """`starts`: first frame of each window; `size` frames each; the take has `frames`, at least one window."""

    starts: tuple[int, ...]
    size: int
    frames: int
    overlap: int

    @staticmethod
    def over(frames: int, size: int, overlap: int = OVERLAP) -> "Windows":
        """As few as overlap by at least `overlap` frames, spread evenly. A short take is one window, filled up with silence."""
        frames = max(frames, size)
        count = -(-(frames - size) // (size - overlap)) + 1
        starts = tuple(round((frames - size) * index / max(count - 1, 1)) for index in range(count))
        return Windows(starts, size, frames, overlap)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def weight(self) -> Tensor:
        """(size,) rises over the overlap as a half cosine, and falls."""
        if not self.overlap:
            return torch.ones(self.size)
        place = (torch.arange(self.size) + 0.5).clamp(max=self.overlap) / self.overlap
        rise = 0.5 - 0.5 * torch.cos(torch.pi * place)
        return torch.minimum(rise, rise.flip(0)).clamp(min=1e-4)

    def cut(self, take: Tensor, first: int, last: int) -> Tensor:
        """Windows `first` to `last` of a take (2, T, C): (B, 2, size, C)."""
        return torch.stack([take[:, start : start + self.size] for start in self.starts[first:last]])


class Stitch:
    """Sums windows' predictions and gives their weighted mean."""

    def __init__(self, windows: Windows, channels: int, device: torch.device) -> None:
        self._windows, self._device = windows, device
        self._weight = windows.weight.to(device)[:, None]
        self._sum = torch.zeros(2, windows.frames, channels, device=device)
        self._share = torch.zeros(windows.frames, 1, device=device)

    def add(self, first: int, predicted: Tensor) -> None:
        """`predicted` (B, 2, size, C) of the windows from `first` on."""
        for start, window in zip(self._windows.starts[first:], predicted.float(), strict=False):
            place = slice(start, start + self._windows.size)
            self._sum[:, place] += window * self._weight
            self._share[place] += self._weight

    def take(self) -> Tensor:
        """(2, T, C)."""
        return self._sum / self._share


class WindowBatches:
    """Goes through windows a batch at a time. When memory runs out the batch is halved, and what it was doing is done again."""

    def __init__(
        self, count: int, batch: int, *, free: Callable[[], None], cancelled: Tick, tell: Callable[[int, int], None]
    ) -> None:
        """`tell(done, count)` is called after each batch."""
        self._count, self._batch, self._free, self._cancelled, self._tell = count, batch, free, cancelled, tell

    def each(self, work: Callable[[int, int], None]) -> None:
        """`work(first, last)` must leave nothing behind when it raises. Raises Cancelled between two batches."""
        first = 0
        while first < self._count:
            if self._cancelled():
                raise Cancelled
            last = min(first + self._batch, self._count)
            try:
                work(first, last)
            except RuntimeError as error:
                if self._batch == 1 or not out_of_memory(error):
                    raise
                self._batch //= 2
                self._free()
                continue
            first = last
            self._tell(first, self._count)


def out_of_memory(error: RuntimeError) -> bool:
    """Whether torch, on any device, has said that there is no more memory."""
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


class TakeModel:
    """The model over a whole take: conditioned once, then asked for x0 at every step."""

    def __init__(self, model: S2CModel, windows: Windows, batches: WindowBatches, *, device: torch.device) -> None:
        self.model, self.windows, self._batches, self._device = model, windows, batches, device
        self._schedule = NoiseSchedule.cosine(model.config.diffusion_steps)
        self._dtype = model.denoiser.hand(0).exit.weight.dtype
        self._conditioning: Conditioning | None = None
        self.denoise: Callable[[Tensor, Tensor, Conditioning], Tensor] = model.denoiser

    @torch.inference_mode()
    def listen(self, heard: Tensor, *, causal: bool = False, joint: bool = False) -> Tensor:
        """Condition on sound (samples,), or a roll (2, T, keys), of the whole take; returns positions (2, T, 3) in (-1, 1).

        Loudness is normalised over the recording, or (`joint`) over each batch of windows as the published scripts do.
        """
        parts = list[Conditioning]()
        stitch = Stitch(self.windows, 3, self._device)
        notes = self.model.config.reads_notes
        joint = joint and not notes
        loudness = Loudness() if joint or notes else Loudness.of(heard)  # applied by window: a long recording is not copied

        def work(first: int, last: int) -> None:
            starts = self.windows.starts[first:last]
            cut = torch.stack([self._roll(heard, start) if notes else self._sound(heard, start, loudness) for start in starts])
            cut = Loudness.of(cut).normalise(cut) if joint else cut
            positions, conditioning = self.model.prepare(cut.to(self._device), causal=causal and last - first == 1)
            parts.append(conditioning)
            stitch.add(first, positions)

        self._batches.each(work)
        positions = stitch.take()
        cut = self.windows.cut(positions, 0, len(self.windows))
        self._conditioning = self.model.denoiser.guide(Conditioning.join(parts), cut)
        return positions

    @torch.inference_mode()
    def predict(self, x: Tensor, step: int) -> Tensor:
        """x (2, T, C) at a diffusion step to x0 (2, T, C)."""
        assert self._conditioning is not None, "listen first"
        conditioning = self._conditioning
        stitch = Stitch(self.windows, x.shape[-1], self._device)
        at = torch.tensor([step], device=self._device)

        def work(first: int, last: int) -> None:
            cut = self.windows.cut(x, first, last)
            v = self.denoise(cut.to(self._dtype), at, conditioning.take(first, last))
            stitch.add(first, self._schedule.clean(cut, v.float(), step))

        self._batches.each(work)
        return stitch.take()

    def _roll(self, roll: Tensor, start: int) -> Tensor:
        """The frames of the window that starts at a frame, without notes after the end."""
        cut = roll[:, start : start + self.windows.size]
        return torch.nn.functional.pad(cut, (0, 0, 0, self.windows.size - cut.shape[1]))

    def _sound(self, sound: Tensor, start: int, loudness: Loudness) -> Tensor:
        """The samples of the window that starts at a frame, with silence after the end."""
        first = round(start / MODEL_FPS * SAMPLE_RATE)
        cut = loudness.normalise(sound[first : first + self.model.config.samples])
        return torch.nn.functional.pad(cut, (0, self.model.config.samples - len(cut)))
