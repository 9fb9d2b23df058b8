# SPDX-License-Identifier: GPL-3.0-or-later
"""A Clip: two hands' poses over time, with the notes they play; and its .npz file."""

import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import PianoHandsError, write_failed
from .hands import HandSide
from .keyboard import STANDARD_OCTAVE
from .notes import Fingering, NoteEvent, PedalEvent, Score

FORMAT = 1
MINIMUM_HAND_RATE = 48.0


def hand_rate(fps: float) -> float:
    """Keys per second that hands carry: the smallest multiple of the scene's fps of at least 48."""
    return fps * int(np.ceil(MINIMUM_HAND_RATE / fps - 1e-9))


@dataclass(frozen=True)
class Clip:
    """Poses of true right and left hands in the keyboard frame.

    rotation: (T, 2, 16, 4) unit quaternions wxyz, MANO joint order, each relative to its parent; rest axes lie along the
      keyboard frame (identity: flat hand, palm down, fingers along +y, thumbs facing each other).
    translation: (T, 2, 3) of the wrist joint, metres.
    Frame i is at `start + i / rate` seconds; `start` is negative: the pre-roll in which the hands come in.
    """

    rotation: NDArray[np.float32]
    translation: NDArray[np.float32]
    fps: float  # the scene's
    start: float
    score: Score
    fingering: Fingering
    skeleton: str = "default"
    hand_size: float = 0.22  # span from thumb tip to little fingertip, metres
    octave: float = STANDARD_OCTAVE
    made: dict[str, Any] = field(default_factory=dict)  # seed, prior, style, versions

    @property
    def rate(self) -> float:
        return hand_rate(self.fps)

    @property
    def times(self) -> NDArray[np.float64]:
        return self.start + np.arange(len(self.rotation)) / self.rate

    def save(self, path: Path) -> None:
        """Write the .npz under a temporary name, then rename it. Raises PianoHandsError('write-failed')."""
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            # np.savez leaves a broken archive behind that complains on stderr when the disk is full.
            with open(temporary, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, array in _to_arrays(self).items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                        np.lib.format.write_array(entry, array, allow_pickle=False)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise write_failed(path, error) from error

    @staticmethod
    def load(path: Path) -> "Clip":
        """Read a clip's .npz; nothing in the file is ever executed. Raises PianoHandsError('bad-clip')."""
        try:
            with np.load(path, allow_pickle=False) as file:
                return _from_arrays({name: file[name] for name in file.files})
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise PianoHandsError("bad-clip", f"{path} is no clip this version can read: {error}.", "Generate it again.") from error


def _to_arrays(clip: Clip) -> dict[str, NDArray[Any]]:
    notes = clip.score.notes
    about = {
        "format": FORMAT,
        "fps": clip.fps,
        "start": clip.start,
        "skeleton": clip.skeleton,
        "hand_size": clip.hand_size,
        "octave": clip.octave,
        "left_out": clip.score.left_out,
        "remarks": clip.fingering.remarks,
        "made": clip.made,
    }
    return {
        "about": np.array(json.dumps(about)),
        "rotation": clip.rotation.astype(np.float32),
        "translation": clip.translation.astype(np.float32),
        "note_time": np.array([(n.onset, n.offset) for n in notes], dtype=np.float64).reshape(-1, 2),
        "note_pitch": np.array([n.pitch for n in notes], dtype=np.int16),
        "note_velocity": np.array([n.velocity for n in notes], dtype=np.int16),
        # What the file or the person fixed: -1 where nothing.
        "note_hand": np.array([-1 if n.hand is None else n.hand for n in notes], dtype=np.int8),
        "note_finger": np.array([-1 if n.finger is None else n.finger for n in notes], dtype=np.int8),
        "pedal_time": np.array([p.time for p in clip.score.pedal], dtype=np.float64),
        "pedal_value": np.array([p.value for p in clip.score.pedal], dtype=np.int16),
        "hand": clip.fingering.hand,
        "finger": clip.fingering.finger,
        "strike": clip.fingering.strike,
        "release": clip.fingering.release,
    }


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> Clip:
    about = json.loads(str(arrays["about"]))
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']} instead of {FORMAT}")
    rotation, translation = arrays["rotation"], arrays["translation"]
    if rotation.shape[1:] != (2, 16, 4) or translation.shape != (len(rotation), 2, 3):
        raise ValueError(f"rotation {rotation.shape} and translation {translation.shape} do not fit together")
    notes = tuple(
        NoteEvent(
            onset=float(time[0]),
            offset=float(time[1]),
            pitch=int(pitch),
            velocity=int(velocity),
            hand=None if hand < 0 else HandSide(int(hand)),
            finger=None if finger < 0 else int(finger),
        )
        for time, pitch, velocity, hand, finger in zip(
            *(arrays[f"note_{name}"] for name in ("time", "pitch", "velocity", "hand", "finger")), strict=True
        )
    )
    pedal = tuple(PedalEvent(float(t), int(v)) for t, v in zip(arrays["pedal_time"], arrays["pedal_value"], strict=True))
    return Clip(
        rotation=rotation,
        translation=translation,
        fps=about["fps"],
        start=about["start"],
        score=Score(notes, pedal, tuple(about["left_out"])),
        fingering=Fingering(arrays["hand"], arrays["finger"], arrays["strike"], arrays["release"], tuple(about["remarks"])),
        skeleton=about["skeleton"],
        hand_size=about["hand_size"],
        octave=about["octave"],
        made=about["made"],
    )
