# SPDX-License-Identifier: GPL-3.0-or-later
"""From sound to notes with velocity and pedal, by transkun (Yan and Duan, "Scoring time intervals using non-hierarchical
transformer for automatic piano transcription", ISMIR 2024; weights in its package), window by window in bounded memory.
"""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

Array = NDArray[np.float32]
#: Hears of seconds of sound transcribed, before and after every window, and within one with the same figure. May raise.
Tick = Callable[[float], None]

RATE = 44100
WINDOW, HOP = 16.0, 14.0  # seconds; its authors' hop of 8 takes almost twice the work for 0.003 more of F1
_SILENT = 10 ** (-70 / 20)  # peak below which a window is not looked at: it would only be noise made loud
_SHORTEST = 0.02  # seconds of a note
_SUSTAIN = -64  # transkun's pitch for the pedal
_DOWN, _UP = 127, 0


@dataclass(frozen=True)
class _Event:
    """A note or a pedal, as one window has it; its ends may lie outside."""

    start: float
    end: float
    pitch: int
    velocity: int
    has_onset: bool
    has_offset: bool


class Transcriber:
    """transkun's network on a device. It holds no sound; `transcribe` may be called again and again."""

    rate = RATE

    def __init__(self, network: Any, device: torch.device) -> None:
        self._network, self._device = network, device
        self._look: Callable[[], None] = lambda: None
        for module in network.modules():  # a window takes seconds: whoever wants to stop is heard in every layer
            module.register_forward_pre_hook(self._before_layer)
        self._frame = int(network.hopSize)
        self._hop = math.ceil(HOP * RATE / self._frame) * self._frame
        self._window = math.ceil(WINDOW * RATE)
        self._pad = math.ceil((WINDOW - HOP) * RATE)

    @staticmethod
    def load(device: torch.device) -> "Transcriber":
        """The network that transkun's package carries. Raises PianoHandsError('no-transcriber') where it does not fit."""
        from transkun import ModelTransformer, Util

        class MelSpectrum(Util.MelSpectrum):
            """As transkun's own, whose constructor takes the filters from torchaudio: they are among the weights too."""

            def __init__(self, windowSize: int, *_args: Any, n_mels: int, nExtraWins: int, **_options: Any) -> None:
                torch.nn.Module.__init__(self)
                self.outputDim, self.nChannel = n_mels, nExtraWins + 1
                self.log, self.eps, self.toMono = True, 1e-5, True
                self.register_buffer("freq2mels", torch.zeros(windowSize // 2 + 1, n_mels))
                self.spectrogramExtractor = Util.Spectrum(windowSize, nExtraWins)

        folder = files("transkun") / "pretrained"
        config = ModelTransformer.Config()
        vars(config).update(json.loads((folder / "2.0.conf").read_text(encoding="utf-8"))["Model"]["config"])
        own, ModelTransformer.MelSpectrum = ModelTransformer.MelSpectrum, MelSpectrum
        try:
            network = ModelTransformer.TransKun(config)
        finally:
            ModelTransformer.MelSpectrum = own
        with (folder / "2.0.pt").open("rb") as file:
            weights = torch.load(file, map_location="cpu", weights_only=True)
        weights = weights.get("best_state_dict", weights.get("state_dict"))
        missing, _more = network.load_state_dict(weights, strict=False)
        if missing or network.fs != RATE:
            raise PianoHandsError(
                "no-transcriber",
                "The installed transkun is not the one this was made for.",
                "Install the version that pyproject.toml pins.",
            )
        return Transcriber(network.eval().requires_grad_(False).to(device), device)

    def transcribe(self, blocks: Iterator[Array], tick: Tick) -> Score:
        """Notes of a sound at `RATE`, in blocks (n,). The windows and their joints are as in transkun's own `transcribe`."""
        joints = _Joints()
        begin = math.floor(self._pad / self._frame)
        starts = [begin] * len(self._network.targetMIDIPitch)
        for first, sound in _windows(blocks, window=self._window, hop=self._hop, pad=self._pad):
            at = first / RATE
            self._look = lambda at=at: tick(max(0.0, at))
            self._look()
            events, ends = self._hear(sound, starts)
            joints.add(events, at)
            starts = [max(end - self._hop // self._frame, 0) for end in ends]
            tick(at + HOP)
        return joints.score()

    def _before_layer(self, _module: torch.nn.Module, _given: tuple[Any, ...]) -> None:
        self._look()

    def _hear(self, sound: Array, starts: list[int]) -> tuple[list[_Event], list[int]]:
        """Events of one window, in its own time, and per pitch the frame at which its last one ends."""
        if np.abs(sound).max() < _SILENT:
            return [], [0] * len(starts)
        from transkun.Util import makeFrame

        samples = torch.from_numpy(sound).to(self._device)[None]
        frames = makeFrame(samples, self._frame, int(self._network.windowSize))[None]
        with torch.inference_mode():
            (notes,), ends = self._network.transcribeFrames(
                frames, forcedStartPos=starts, lastFrameIdx=round(self._window / self._frame)
            )
        events = [
            _Event(note.start, note.end, note.pitch, note.velocity, bool(note.hasOnset), bool(note.hasOffset)) for note in notes
        ]
        return events, ends


def _windows(blocks: Iterator[Array], *, window: int, hop: int, pad: int) -> Iterator[tuple[int, Array]]:
    """(first sample, sound): windows that overlap, the first one led by silence, the last ones filled up with it."""
    held, first, ended = np.zeros(pad, np.float32), -pad, False
    while True:
        parts, length = [held], len(held)
        while length < window and not ended:
            block = next(blocks, None)
            ended = block is None
            if block is not None:
                parts.append(block)
                length += len(block)
        held = np.concatenate(parts)
        yield first, np.pad(held[:window], (0, max(0, window - len(held))))
        if ended and len(held) <= window:
            return  # all of it has been heard
        held, first = held[hop:], first + hop


class _Joints:
    """Events of window after window, those that cross a joint made one again."""

    def __init__(self) -> None:
        self._events: dict[int, list[_Event]] = defaultdict(list)

    def add(self, events: list[_Event], at: float) -> None:
        for event in events:
            event = replace(event, start=max(event.start + at, 0.0), end=max(event.end + at, 0.0))
            known = self._events[event.pitch]
            if known and event.start < known[-1].end:
                last = known[-1]
                goes_on = replace(last, end=max(last.end, event.end), has_offset=event.has_offset)
                known[-1] = event if event.has_onset else goes_on
            elif event.has_onset:
                known.append(event)

    def score(self) -> Score:
        """Whatever has both its ends, or sounds last of its pitch."""
        notes: list[NoteEvent] = []
        pedal: list[PedalEvent] = []
        for pitch, events in self._events.items():
            if not events:
                continue
            whole = [event for event in events[:-1] if event.has_offset] + events[-1:]
            for event, after in zip(whole, [*whole[1:], None], strict=True):
                end = max(event.end, event.start + _SHORTEST)
                if after is not None:
                    end = min(end, after.start)
                if pitch == _SUSTAIN:
                    pedal += [PedalEvent(event.start, _DOWN), PedalEvent(end, _UP)]
                elif pitch > 0 and end > event.start:
                    notes.append(NoteEvent(event.start, end, pitch, min(max(event.velocity, 1), 127)))
        return Score(
            tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))), tuple(sorted(pedal, key=lambda event: event.time))
        )
