# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip cut, or played at another speed: poses, notes, pedal and fingering together. NumPy only."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..wire.clip import Clip
from ..wire.notes import PedalEvent, Score
from .resample import places_at, rotations_at


def trimmed(clip: Clip, begin: float, end: float) -> Clip:
    """What lies between two times (seconds); time zero stays where it is.

    Notes are kept that are struck between them; one that goes on is cut. Raises ValueError where less than two frames are left.
    """
    first = max(int(np.ceil((begin - clip.start) * clip.rate - 1e-6)), 0)
    last = min(int(np.floor((end - clip.start) * clip.rate + 1e-6)) + 1, len(clip.rotation))
    if last - first < 2:
        raise ValueError(f"nothing is left between {begin:.2f} and {end:.2f} s")
    fingering = clip.fingering
    strike = np.where(fingering.played, fingering.strike, [note.onset for note in clip.score.notes])
    kept = np.flatnonzero((strike >= begin) & (strike < end))
    notes = tuple(replace(clip.score.notes[index], offset=min(clip.score.notes[index].offset, end)) for index in kept)
    before = [event for event in clip.score.pedal if event.time < begin]
    down = (PedalEvent(begin, before[-1].value),) if before and before[-1].value else ()
    pedal = (*down, *(event for event in clip.score.pedal if begin <= event.time < end))
    columns = {name: getattr(fingering, name)[kept] for name in ("hand", "finger", "strike", "release")}
    columns["release"] = np.minimum(columns["release"], end)
    return replace(
        clip,
        rotation=clip.rotation[first:last],
        translation=clip.translation[first:last],
        start=clip.start + first / clip.rate,
        score=replace(clip.score, notes=notes, pedal=pedal),
        fingering=replace(fingering, **columns),
    )


def retimed(clip: Clip, factor: float) -> Clip:
    """Everything takes `factor` times as long, counted from time zero; hands keep their rate."""
    old, rate = clip.times, clip.rate
    start, end = np.ceil(old[0] * factor * rate - 1e-6) / rate, np.floor(old[-1] * factor * rate + 1e-6) / rate
    at = ((start + np.arange(round((end - start) * rate) + 1) / rate) / factor - clip.start) * rate
    notes = tuple(replace(note, onset=note.onset * factor, offset=note.offset * factor) for note in clip.score.notes)
    pedal = tuple(replace(event, time=event.time * factor) for event in clip.score.pedal)
    fingering = clip.fingering
    return replace(
        clip,
        rotation=rotations_at(clip.rotation, at),
        translation=places_at(clip.translation, at).astype(np.float32),
        start=float(start),
        score=_with_bars(replace(clip.score, notes=notes, pedal=pedal), factor),
        fingering=replace(fingering, strike=fingering.strike * factor, release=fingering.release * factor),
        made=clip.made | {"speed": float(clip.made.get("speed", 1.0)) / factor},
    )


def _with_bars(score: Score, factor: float) -> Score:
    """Where the score knows its bars, they are moved too."""
    bars: tuple[float, ...] = getattr(score, "bars", ())
    moved: dict[str, Any] = {"bars": tuple(bar * factor for bar in bars)} if bars else {}
    return replace(score, **moved)
