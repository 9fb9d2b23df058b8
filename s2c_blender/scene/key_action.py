# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves of the piano keys: the profile of `motion.key_motion` at the frames of the hands."""

from collections.abc import Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from ..motion.key_motion import KeyCurve, KeyMotion
from ..wire.keyboard import LOWEST, Keyboard
from .action import Keys, clear_curves, write_curves
from .keyboard import key_angle

ACTION = "Piano keys"


def animate_keys(
    keys: Mapping[int, bpy.types.Object],
    motion: KeyMotion,
    board: Keyboard,
    *,
    times: NDArray[np.float64],
    fps: float,
    start_frame: float,
) -> None:
    """Write the rotation about local X of every key that moves; the others rest.

    keys: by MIDI pitch. times: seconds of the hands' frames, between which keys move evenly, as fingers do.
    """
    for pitch, key in keys.items():
        clear_curves(key)
        key.rotation_euler = (0.0, 0.0, 0.0)
        if pitch - LOWEST in motion.curves:
            curve = motion.frame_curve(pitch - LOWEST, times)
            channel = _bezier(curve, scale=key_angle(pitch, board), fps=fps, start_frame=start_frame)
            write_curves(key, ACTION, {("rotation_euler", 0, "Key"): channel})


def _bezier(curve: KeyCurve, *, scale: float, fps: float, start_frame: float) -> Keys:
    """A cubic Hermite segment is a Bezier one whose handles lie a third of its length away, on the tangents."""
    third = np.diff(curve.times) / 3.0
    before, after = np.concatenate([third[:1], third]), np.concatenate([third, third[-1:]])

    def points(offset: np.ndarray, slope: np.ndarray) -> np.ndarray:
        return np.column_stack([start_frame + fps * (curve.times + offset), scale * (curve.share + offset * slope)])

    none = np.zeros(len(curve.times))
    frames, values = points(none, none).T
    return Keys(frames, values, points(-before, curve.slope_in), points(after, curve.slope_out))
