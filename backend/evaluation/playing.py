# SPDX-License-Identifier: GPL-3.0-or-later
"""The third block: made motion laid over the keys of the window's notes, its contact before the solve and after it. NumPy only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from s2c_blender.motion.contact_scores import NoteScores
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import Score

from ..data.dataset import Window
from ..from_notes import first_seconds
from ..perform import Settings, perform
from ..s2c.config import POSITION_SCALE
from ..s2c.take_clip import Sampled, to_clip
from ..score import read_midi
from .contact import note_scores
from .evaluate import Motions

FEWEST_NOTES = 4  # in a window, for it to be looked at


@dataclass(frozen=True)
class Played:
    """A window's number and the notes that begin in it, from its beginning on."""

    window: int
    score: Score


def played_windows(root: Path, windows: Sequence[Window], *, seconds: float, most: int) -> Iterator[Played]:
    """At most so many windows whose video has a MIDI file with notes there."""
    scores = dict[Path, Score | None]()
    found = 0
    for index, window in enumerate(windows):
        if found == most:
            return
        path = window.recorded.item.midi(root)
        if path not in scores:
            scores[path] = _read(path)
        whole = scores[path]
        if whole is None:
            continue
        score = first_seconds(_from(whole, window.recorded.start + window.time), seconds)
        if len(score.notes) >= FEWEST_NOTES:
            found += 1
            yield Played(index, score)


def _read(path: Path) -> Score | None:
    try:
        return read_midi(path)
    except PianoHandsError:
        return None


def _from(score: Score, begin: float) -> Score:
    """What is struck from a moment on, which becomes time zero."""
    notes = tuple(
        replace(note, onset=note.onset - begin, offset=note.offset - begin) for note in score.notes if note.onset >= begin
    )
    pedal = tuple(replace(event, time=event.time - begin) for event in score.pedal if event.time >= begin)
    return replace(score, notes=notes, pedal=pedal, bars=())


def contact(motions: Motions, played: Sequence[Played]) -> dict[str, Any]:
    """Means over windows, before and after the solve."""
    found: dict[str, list[NoteScores]] = {"before": [], "after": []}
    for each in played:
        sampled = Sampled(motions.pose[each.window] / np.pi, motions.positions[each.window] / np.array(POSITION_SCALE))
        raw = to_clip(sampled, fps=Settings.fps)
        for when, on_keys in (("before", 0.0), ("after", 1.0)):
            found[when].append(note_scores(perform(each.score, Settings(on_keys=on_keys), prior=raw)))
    return {when: _means(scores) for when, scores in found.items()} | {"windows": len(played)}


def _means(scores: Sequence[NoteScores]) -> dict[str, float | None]:
    """F1 of notes and of frames; of hits the 95th percentile of the timing's error, and the right finger's share."""
    columns = {
        "note_f1": [score.notes.f1 for score in scores],
        "frame_f1": [score.frames.f1 for score in scores],
        "timing_p95_ms": [1000 * score.timing_p95 for score in scores if score.notes.hits],
        "right_finger": [score.right_finger for score in scores if score.right_finger is not None],
    }
    return {name: float(np.mean(values)) if values else None for name, values in columns.items()}
