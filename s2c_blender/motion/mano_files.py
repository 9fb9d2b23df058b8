# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes as files of hand motion research: PianoMotion10M's JSON, the same numbers as .npz, and AMASS-style SMPL-X .npz.

PianoMotion10M (Gan et al. 2024): 30 frames a second from the start of the sound; per hand and frame whether it is seen, MANO's
translation, 48 numbers of axis-angle relative to MANO's mean pose, 10 of shape. Its camera looks down on the keys, and a left
hand is a right one in the mirror. MANO's mean pose is licensed, so the mean that was taken away is written beside the poses.
"""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..wire.archive import read_arrays, write_array
from ..wire.clip import Clip, hand_rate
from ..wire.errors import PianoHandsError, write_failed
from ..wire.hands import HandSide
from ..wire.notes import Fingering, Score
from . import mano_axes, rotation
from .mano_axes import HandConvention
from .resample import places_at, rotations_at

Array = NDArray[np.floating]

FPS = 30.0  # of the data set
PRE_ROLL = 1.0  # seconds for which hands hold their first pose before time zero
#: Camera above the keys, metres: with the data set's focal length of 37 500 pixels 88 keys just fill 1920.
HEIGHT = 24.0
_COLUMNS = 62  # of a frame of a hand: seen 1, translation 3, pose 48, shape 10
_LARGEST = 1_000_000_000  # bytes

#: SMPL-X's axes in the keyboard frame, for a player who faces the keys: its x is to the person's left, y up, z to the front.
BODY = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
_WRISTS = {HandSide.RIGHT: 21, HandSide.LEFT: 20}  # SMPL-X joints
_HANDS_BEGIN = {HandSide.LEFT: 75, HandSide.RIGHT: 120}  # in the 165 numbers of a pose


def save_json(clip: Clip, path: Path) -> None:
    """PianoMotion10M's annotation of the take. Raises PianoHandsError('write-failed')."""
    pose, translation, convention = _for_dataset(clip)
    about: dict[str, Any] = {"fps": FPS, "adjust": [0.0, 0.0, 0.0], **_beside(convention)}
    for side in HandSide:
        rows = np.zeros((len(pose), _COLUMNS))
        rows[:, 0], rows[:, 1:4], rows[:, 4:52] = 1.0, translation[:, side], pose[:, side]
        about[side.word] = np.round(rows, 7).tolist()
    _write(path, lambda temporary: temporary.write_text(json.dumps(about), encoding="ascii"))


def save_npz(clip: Clip, path: Path) -> None:
    """The same numbers: pose (T, 2, 48) and trans (T, 2, 3), right hand first. Raises PianoHandsError('write-failed')."""
    pose, translation, convention = _for_dataset(clip)
    extra = {name: np.array(value) for name, value in _beside(convention).items()}
    arrays = {
        "pose": pose.astype(np.float32),
        "trans": translation.astype(np.float32),
        "betas": np.zeros((2, 10), dtype=np.float32),
        "fps": np.array(FPS),
        **extra,
    }
    _write(path, lambda temporary: _write_npz(temporary, arrays))


def load_motion(path: Path, *, fps: float) -> Clip:
    """A clip without notes of one of these two files, for a scene of `fps`; nothing in the file is ever executed.

    Raises PianoHandsError('bad-motion').
    """
    try:
        pose, translation, about = _read_json(path) if path.suffix.lower() == ".json" else _read_npz(path)
        return _clip(pose, translation, about, fps=fps)
    except KeyError as error:
        problem = f"it lacks {error}"
    except (OSError, ValueError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        problem = str(error)
    raise PianoHandsError(
        "bad-motion", f"{path.name} holds no hand motion that can be read: {problem}.", "Give PianoMotion10M's JSON, or our .npz."
    )


def save_smplx(clip: Clip, path: Path) -> None:
    """AMASS's columns for SMPL-X: hands and wrists of a body at rest that faces the keys; z is up, metres.

    The body's arms are at rest, for where they are is the body's affair; `wrist_trans` (T, 2, 3), right first, says where the
    wrists are. Poses are relative to the flat hand. Raises PianoHandsError('write-failed').
    """
    rest = rotation.from_matrix(mano_axes.REST)
    turned = clip.rotation.astype(float)
    turned[:, HandSide.LEFT] = rotation.mirror(turned[:, HandSide.LEFT])
    turns = rotation.multiply(rotation.multiply(rotation.conjugate(rest), turned), rest)
    root = rotation.from_matrix(BODY)
    frames = len(turned)
    poses = np.zeros((frames, 165))
    poses[:, :3] = rotation.to_axis_angle(root)
    for side in HandSide:
        wrist = rotation.multiply(clip.rotation[:, side, 0].astype(float), _flat_hand(side))
        local = rotation.multiply(rotation.conjugate(root), wrist)
        poses[:, 3 * _WRISTS[side] : 3 * _WRISTS[side] + 3] = rotation.to_axis_angle(local)
        fingers = rotation.to_axis_angle(turns[:, side, 1:])
        if side is HandSide.LEFT:  # an axis in the mirror x -> -x
            fingers = fingers * np.array([1.0, -1.0, -1.0])
        begin = _HANDS_BEGIN[side]
        poses[:, begin : begin + 45] = fingers.reshape(frames, 45)
    arrays: dict[str, NDArray[Any]] = {
        "gender": np.array("neutral"),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(clip.rate),
        "mocap_time_length": np.array(frames / clip.rate),
        "trans": np.zeros((frames, 3)),
        "poses": poses,
        "root_orient": poses[:, :3],
        "pose_body": poses[:, 3:66],
        "pose_jaw": poses[:, 66:69],
        "pose_eye": poses[:, 69:75],
        "pose_hand": poses[:, 75:],
        "betas": np.zeros(16),
        "num_betas": np.array(16),
        "wrist_trans": clip.translation.astype(float),
        "start": np.array(clip.start),
    }
    _write(path, lambda temporary: _write_npz(temporary, arrays))


def _flat_hand(side: HandSide) -> Array:
    """The turn from SMPL-X's axes, in which its hands rest along its arms, to the keyboard's, in which ours rest along the keys.

    A right hand of SMPL-X rests as MANO's does: fingers along -x, back along +y, thumb along +z; the left one in the mirror.
    """
    right = rotation.from_matrix(mano_axes.REST)
    return right if side is HandSide.RIGHT else rotation.mirror(right)


def _for_dataset(clip: Clip) -> tuple[Array, Array, HandConvention]:
    """Pose (T, 2, 48) and translation (T, 2, 3) at the data set's rate from time zero on."""
    convention = HandConvention()
    count = max(int(np.floor((clip.times[-1] + 1e-9) * FPS)) + 1, 1)
    at = (np.arange(count) / FPS - clip.start) * clip.rate
    turns, places = mano_axes.as_right_hands(
        rotations_at(clip.rotation, at), places_at(clip.translation, at), wrist=convention.wrist
    )
    vectors = rotation.to_axis_angle(turns) - convention.mean_pose
    places[..., 2] += HEIGHT
    return vectors.reshape(count, 2, 48), places, convention


def _beside(convention: HandConvention) -> dict[str, Any]:
    """What a reader needs to undo it exactly; the data set's own files have none of it."""
    return {
        "mean_pose": convention.mean_pose.ravel().tolist(),
        "wrist": convention.wrist.tolist(),
        "origin": [0.0, 0.0, HEIGHT],
    }


def _read_json(path: Path) -> tuple[Array, Array, dict[str, Any]]:
    if path.stat().st_size > _LARGEST:
        raise ValueError("it is too large")
    about = json.loads(path.read_text(encoding="utf-8"))
    rows = np.stack([np.array(about[side.word], dtype=float) for side in HandSide], axis=1)
    if rows.ndim != 3 or rows.shape[2] < 52 or not len(rows):
        raise ValueError(f"its hands are of shape {rows.shape}")
    return rows[:, :, 4:52], rows[:, :, 1:4], about


def _read_npz(path: Path) -> tuple[Array, Array, dict[str, Any]]:
    arrays = read_arrays(path, largest=_LARGEST)
    pose, translation = arrays["pose"].astype(float), arrays["trans"].astype(float)
    if pose.shape[1:] != (2, 48) or translation.shape != (len(pose), 2, 3) or not len(pose):
        raise ValueError(f"its pose is of shape {pose.shape}, its trans of {translation.shape}")
    return pose, translation, arrays


def _clip(pose: Array, translation: Array, about: dict[str, Any], *, fps: float) -> Clip:
    if not (np.isfinite(pose).all() and np.isfinite(translation).all()):
        raise ValueError("it holds what is no number")
    from_fps = float(about["fps"])
    if not 1.0 <= from_fps <= 1000.0:
        raise ValueError(f"its fps are {from_fps}")
    usual = HandConvention()
    mean = np.array(about.get("mean_pose", usual.mean_pose), dtype=float).reshape(16, 3)
    wrist = np.array(about.get("wrist", usual.wrist), dtype=float).reshape(3)
    turns = rotation.from_axis_angle(pose.reshape(len(pose), 2, 16, 3) + mean)
    own = "origin" in about
    if own:
        translation = translation - np.array(about["origin"], dtype=float).reshape(3)
    rotations, places = mano_axes.both_hands(turns, translation, wrist=wrist)
    if not own:
        places = mano_axes.onto_keys(places)
    rate, nothing = hand_rate(fps), np.zeros(0)
    at = (-PRE_ROLL + np.arange(int(np.ceil((PRE_ROLL + len(pose) / from_fps) * rate))) / rate) * from_fps
    return Clip(
        rotation=rotations_at(rotations, at),
        translation=places_at(places, at).astype(np.float32),
        fps=fps,
        start=-PRE_ROLL,
        score=Score(()),
        fingering=Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing),
        made={"prior": "file"},
    )


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_failed(path, error) from error


def _write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    with open(path, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            write_array(archive, name, array)
