# SPDX-License-Identifier: GPL-3.0-or-later
"""What a perfect S2C would give for a piece: the planner's clip, seen by the camera of S2C's data; and notes heard badly."""

from dataclasses import replace

import numpy as np

from backend.data.camera_model import CameraModel, film
from backend.s2c.config import POSITION_SCALE
from backend.s2c.take_clip import Sampled, to_clip
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.notes import NoteEvent, Score


def as_s2c(clip: Clip, camera: CameraModel, *, seed: int = 0) -> Clip:
    """The raw take of an S2C that knows the clip's motion exactly, and saw it as the camera does."""
    filmed = film(clip, camera, np.random.default_rng(seed))
    raw = to_clip(Sampled(filmed.pose / np.pi, filmed.translation / np.array(POSITION_SCALE)), fps=clip.fps)
    return replace(raw, hand_size=clip.hand_size, octave=clip.octave, made={"prior": "s2c", "seed": seed})


def misheard(score: Score, *, wrong: float = 0.05, missing: float = 0.05, seed: int = 0) -> Score:
    """Some notes left out, and some at another pitch."""
    random = np.random.default_rng(seed)
    notes: list[NoteEvent] = []
    for note in score.notes:
        lot = random.uniform()
        if lot < missing:
            continue
        if lot < missing + wrong:
            note = replace(note, pitch=int(np.clip(note.pitch + random.choice((-12, -7, -5, 5, 7, 12)), 21, 108)))
        notes.append(note)
    return replace(score, notes=tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))
