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

from .archive import read_arrays, write_array
from .errors import PianoHandsError, write_failed
from .hands import HandSide
from .keyboard import HIGHEST, LOWEST, STANDARD_OCTAVE
from .notes import Fingering, NoteEvent, PedalEvent, Score

FORMAT = 1
MINIMUM_HAND_RATE = 48.0
LARGEST = 4_000_000_000  # bytes unfolded: a day of music at 60 keys a second has 3.2
FASTEST = 1000.0  # frames a second
HANDS = "hands_"  # begins the names of a HandSkeleton's arrays in the file


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
    hands: dict[str, NDArray[np.float64]] | None = None  # arrays of the HandSkeleton; None: our own hands, of that size

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
            # Poses are packed quickly: they hardly get smaller.
            with open(temporary, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, array in _to_arrays(self).items():
                    write_array(archive, name, array)
            os.replace(temporary, path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise write_failed(path, error) from error

    @staticmethod
    def load(path: Path) -> "Clip":
        """Read a clip's .npz; nothing in the file is ever executed. Raises PianoHandsError('bad-clip')."""
        try:
            return _from_arrays(read_arrays(path, largest=LARGEST))
        except KeyError as error:
            problem = f"it lacks {error}"
        except (OSError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
            problem = str(error)
        raise PianoHandsError("bad-clip", f"{path} is no clip this version can read: {problem}.", "Generate it again.")


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
        "bars": clip.score.bars,
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
        **{HANDS + name: values for name, values in (clip.hands or {}).items()},
    }


def _from_arrays(arrays: dict[str, NDArray[Any]]) -> Clip:
    """Raises ValueError, KeyError, TypeError and their like for what is no clip."""
    about = json.loads(str(arrays["about"]))
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']} instead of {FORMAT}")
    _check_poses(arrays["rotation"], arrays["translation"])
    notes = tuple(
        NoteEvent(
            onset=float(time[0]),
            offset=float(time[1]),
            pitch=_within("pitch", pitch, LOWEST, HIGHEST),
            velocity=_within("velocity", velocity, 1, 127),
            hand=None if hand < 0 else HandSide(int(hand)),
            finger=None if finger < 0 else _within("finger", finger, 1, 5),
        )
        for time, pitch, velocity, hand, finger in zip(
            *(arrays[f"note_{name}"] for name in ("time", "pitch", "velocity", "hand", "finger")), strict=True
        )
    )
    pedal = tuple(PedalEvent(float(t), int(v)) for t, v in zip(arrays["pedal_time"], arrays["pedal_value"], strict=True))
    return Clip(
        rotation=arrays["rotation"],
        translation=arrays["translation"],
        fps=_number(about, "fps", above=0.0, most=FASTEST),
        start=_number(about, "start"),
        score=Score(notes, pedal, _words(about, "left_out"), _rising(about.get("bars", []))),
        fingering=_fingering(arrays, len(notes), remarks=_words(about, "remarks")),
        skeleton=str(about["skeleton"]),
        hand_size=_number(about, "hand_size", above=0.0),
        octave=_number(about, "octave", above=0.0),
        made=dict(about["made"]),
        hands={name[len(HANDS) :]: values for name, values in arrays.items() if name.startswith(HANDS)} or None,
    )


def _check_poses(rotation: NDArray[Any], translation: NDArray[Any]) -> None:
    if rotation.shape[1:] != (2, 16, 4) or translation.shape != (len(rotation), 2, 3) or not len(rotation):
        raise ValueError(f"rotation {rotation.shape} and translation {translation.shape} do not fit together")
    if rotation.dtype != np.float32 or translation.dtype != np.float32:
        raise ValueError(f"poses of {rotation.dtype} and {translation.dtype} instead of float32")
    lengths = np.linalg.norm(rotation, axis=-1)
    if not (np.isfinite(translation).all() and (np.abs(lengths - 1.0) < 0.01).all()):
        raise ValueError("its poses hold what is no rotation or no place")


def _fingering(arrays: dict[str, NDArray[Any]], notes: int, *, remarks: tuple[str, ...]) -> Fingering:
    hand, finger, strike, release = (arrays[name] for name in ("hand", "finger", "strike", "release"))
    if {values.shape for values in (hand, finger, strike, release)} != {(notes,)}:
        raise ValueError(f"its fingering is not that of {notes} notes")
    times = np.concatenate([arrays["note_time"].ravel(), arrays["pedal_time"], strike, release])
    if not np.isfinite(times).all():
        raise ValueError("it holds a time that is no number")
    if not (np.isin(hand, list(HandSide)).all() and np.isin(finger, range(6)).all()):
        raise ValueError("its fingering names a hand or a finger that there is not")
    return Fingering(hand.astype(np.int8), finger.astype(np.int8), strike, release, remarks)


def _within(name: str, value: Any, lowest: int, highest: int) -> int:
    if not lowest <= int(value) <= highest:
        raise ValueError(f"{name} {int(value)}")
    return int(value)


def _number(about: dict[str, Any], name: str, *, above: float = -np.inf, most: float = np.inf) -> float:
    value = about[name]
    if not isinstance(value, int | float) or not above < value <= most or not np.isfinite(value):
        raise ValueError(f"{name} {value!r}")
    return value


def _rising(times: list[Any]) -> tuple[float, ...]:
    if not all(isinstance(time, int | float) and np.isfinite(time) for time in times) or sorted(times) != times:
        raise ValueError("its bars are no times in order")
    return tuple(float(time) for time in times)


def _words(about: dict[str, Any], name: str) -> tuple[str, ...]:
    if not all(isinstance(word, str) for word in about[name]):
        raise ValueError(f"{name} is no list of sentences")
    return tuple(about[name])
