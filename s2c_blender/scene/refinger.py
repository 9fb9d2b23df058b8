# SPDX-License-Identifier: GPL-3.0-or-later
"""Another clip of the same take in the scene: only what differs is written, so that what the person changed elsewhere stays."""

from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.key_motion import KeyMotion, key_motion
from ..wire.clip import Clip
from ..wire.keyboard import LOWEST, Keyboard
from .action import Keys, curves_of
from .action_edit import replace_span
from .armature import HAND, pose_channels, side_of
from .key_action import animate_keys
from .marks import is_ours
from .stage import TAKE
from .timing import frame_at, rate


def differing(before: Clip, after: Clip) -> NDArray[np.bool_]:
    """(T, 2) frames and hands in which two clips of the same frames differ."""
    return (before.rotation != after.rotation).any(axis=(2, 3)) | (before.translation != after.translation).any(axis=2)


def put_changes(scene: bpy.types.Scene, before: Clip, after: Clip, path: Path) -> None:
    """Bring the frames in which `after` differs from `before` onto our own hands, and the piano keys that move otherwise.

    Both clips have the same frames. `path` is the file of `after`. Of a character's take only the piano keys are ours
    (`play_on.put_changes`).
    """
    scene[TAKE] = str(path)
    if after.hands is None:
        changed = differing(before, after)
        for thing in scene.objects:
            if thing.type == "ARMATURE" and HAND in thing and is_ours(thing):
                frames = np.flatnonzero(changed[:, side_of(thing)])
                if len(frames):
                    _put_on_hand(scene, thing, after, slice(int(frames[0]), int(frames[-1]) + 1))
    put_on_keys(scene, before, after)


def _put_on_hand(scene: bpy.types.Scene, armature: bpy.types.Object, clip: Clip, span: slice) -> None:
    side = side_of(armature)
    frames = frame_at(scene, 0.0) + clip.times[span] * rate(scene)
    channels = pose_channels(armature, clip.rotation[span, side], clip.translation[span, side])
    curves = {(curve.data_path, curve.array_index): curve for curve in curves_of(armature)}
    for path, values in channels.items():
        if path.endswith("quaternion"):
            values = values * _sign(curves, path, float(frames[0]), values[0])
        for index in range(values.shape[1]):
            curve = curves.get((path, index))
            if curve is not None:
                replace_span(curve, Keys(frames, values[:, index]))


def _sign(curves: dict[tuple[str, int], bpy.types.FCurve], path: str, frame: float, first: np.ndarray) -> float:
    """Of the two quaternions of a rotation the one on whose side the curves lie before."""
    there = [curves[path, index].evaluate(frame) if (path, index) in curves else 0.0 for index in range(4)]
    return -1.0 if float(np.dot(there, first)) < 0.0 else 1.0


def put_on_keys(scene: bpy.types.Scene, before: Clip | None, after: Clip) -> None:
    """The piano keys go with the fingers of `after`. Those that go with those of `before` alike stay as they are."""
    keys = {int(thing["midi_pitch"]): thing for thing in scene.objects if "midi_pitch" in thing and is_ours(thing)}
    motion = key_motion(after.score, after.fingering)
    if before is not None:
        was = key_motion(before.score, before.fingering)
        keys = {pitch: thing for pitch, thing in keys.items() if _moves_otherwise(was, motion, pitch - LOWEST)}
    animate_keys(keys, motion, Keyboard(after.octave), times=after.times, fps=rate(scene), start_frame=frame_at(scene, 0.0))


def _moves_otherwise(before: KeyMotion, after: KeyMotion, key: int) -> bool:
    one, two = before.curves.get(key), after.curves.get(key)
    if one is None or two is None:
        return one is not two
    return not all(np.array_equal(getattr(one, name), getattr(two, name)) for name in ("times", "share", "slope_in", "slope_out"))
