# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds and frames: the scene's rate, its range, and where time zero lies."""

import math

import bpy

from ..wire.clip import Clip

START_FRAME = "s2c_start_frame"  # scene property: frame of time zero
PRE_ROLL = 1.0  # at least so many seconds before time zero
_FIRST = 1


def set_timing(scene: bpy.types.Scene, clip: Clip) -> float:
    """Give the scene the clip's rate and range; returns the frame of time zero, also left in `scene["s2c_start_frame"]`."""
    scene.render.fps = max(1, round(clip.fps))
    scene.render.fps_base = scene.render.fps / clip.fps  # 1.001 for the NTSC rates
    pre_roll = max(PRE_ROLL, -clip.start)
    start_frame = float(_FIRST + math.ceil(pre_roll * clip.fps - 1e-6))
    end = max(clip.times[-1], clip.score.duration)
    scene.frame_start = _FIRST
    scene.frame_end = math.ceil(start_frame + end * clip.fps - 1e-6)
    scene.frame_set(_FIRST)
    scene[START_FRAME] = start_frame
    return start_frame


def rate(scene: bpy.types.Scene) -> float:
    """Frames per second."""
    return scene.render.fps / scene.render.fps_base


def frame_at(scene: bpy.types.Scene, seconds: float) -> float:
    """Frame of a moment of the music, in a scene that holds a take."""
    return scene[START_FRAME] + seconds * rate(scene)
