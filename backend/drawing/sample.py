# SPDX-License-Identifier: GPL-3.0-or-later
"""An item of a data set, and what a checkpoint makes of its notes or its sound, as takes over the keys."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import DEFAULT_STEPS, Generate
from s2c_blender.wire.notes import Score

from .. import config
from ..data.annotation import BrokenItem, read
from ..data.dataset import bad_data, items_of, resampled
from ..data.layout import FPS, POSE, POSITION, Item
from ..kept_model import KeptModel
from ..s2c.config import POSITION_SCALE
from ..s2c.take_clip import Sampled, to_clip
from ..score import read_midi
from ..source import Listener


def item_of(root: Path, split: str, number: int) -> Item:
    """Raises PianoHandsError('bad-data')."""
    items = items_of(root, split)
    if not 0 <= number < len(items):
        raise bad_data(f"{split} has {len(items)} items, and none of number {number} (they count from 0).")
    return items[number]


def recorded(root: Path, item: Item, *, seconds: float | None) -> tuple[Clip, Score]:
    """The item's own motion, laid on the keys of its notes, and these. Raises PianoHandsError('bad-data')."""
    try:
        annotation = read(item.annotation(root))
        score = _part(read_midi(item.midi(root)), annotation.start)
    except BrokenItem as error:
        raise bad_data(f"{item} cannot be used: {error}.") from error
    frames = annotation.adjusted()
    if annotation.fps != FPS:
        frames = resampled(frames, round(frames.shape[1] * FPS / annotation.fps))
    frames = frames if seconds is None else frames[:, : max(round(seconds * FPS), 1)]
    score = _until(score, frames.shape[1] / FPS)
    sampled = Sampled(frames[..., POSE] / np.pi, frames[..., POSITION] / np.array(POSITION_SCALE))
    return over_keys(to_clip(sampled, fps=FPS), score), score


def predicted(root: Path, item: Item, score: Score, checkpoint: Path, listener: Listener, *, seed: int = 0) -> Clip:
    """What the checkpoint makes of it, laid on the keys in the same way. Raises PianoHandsError."""
    from ..from_recording import generated
    from ..from_roll import read_by_s2c
    from ..listen.audio import read_mono
    from ..s2c.config import SAMPLE_RATE

    asked = Generate(job="draw", input="", output="", fps=FPS, seed=seed, steps=DEFAULT_STEPS, checkpoint=str(checkpoint))
    if config.reads_notes(asked.checkpoint):
        return over_keys(read_by_s2c(score, asked, KeptModel(), listener), score)
    sound = read_mono(item.audio(root), rate=SAMPLE_RATE, seconds=score.duration)
    return over_keys(generated(sound, asked, KeptModel(), listener), score)


def over_keys(motion: Clip, score: Score) -> Clip:
    """The motion as it is, put where the notes say that the keyboard is."""
    from ..perform import Settings, perform

    return perform(score, Settings(fps=motion.fps, on_keys=0.0), prior=motion) if score.notes else motion


def _part(score: Score, start: float) -> Score:
    """From `start` seconds on."""
    if not start:
        return score
    notes = tuple(
        replace(note, onset=note.onset - start, offset=note.offset - start) for note in score.notes if note.onset >= start
    )
    return Score(notes)


def _until(score: Score, seconds: float) -> Score:
    from ..from_notes import first_seconds

    return first_seconds(score, seconds)


def check_checkpoint(path: Path) -> None:
    """Raises PianoHandsError('bad-checkpoint')."""
    if not path.exists():
        raise PianoHandsError("bad-checkpoint", f"There is no checkpoint {path}.", "Give a folder, or a small model's file.")
