# SPDX-License-Identifier: GPL-3.0-or-later
"""Three cameras: from the player's shoulder, from above, and one close by that goes along with the hands."""

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

from ..wire.clip import Clip
from ..wire.keyboard import LOWEST, Keyboard
from .action import Keys, write_curves
from .marks import mark

Array = NDArray[np.float64]

ACTION = "Piano camera"
FRONT, TOP, CLOSE = "Camera front", "Camera top", "Camera close"
_SENSOR = 36.0  # mm, Blender's default
_SPACE_Y = (-0.145, 0.150)  # hands and keys, from the wrists to the fallboard
_SPACE_Z = (-0.025, 0.090)
_LEAST_WIDTH = 0.62  # m of keyboard in view, so that two hands always fit
_BESIDE = 0.075  # m left free beside the outermost keys used
_MOSTLY = (2.0, 98.0)  # percentiles of the wrists' places that count where no notes are known
_FOLLOW = 1.1  # seconds over which the close camera evens out the hands' movement
_KEYS_PER_SECOND = 2.0


@dataclass(frozen=True)
class View:
    """Where a camera looks from: degrees around (0: from the player, positive: from the treble) and above the keys; lens in mm.

    `spare` says where the rest goes when the picture is wider or higher than it need be, from 0, evenly, to 1, all to the right
    or above: rather to the piano than to the floor and the ends of the arms.
    """

    around: float
    above: float
    lens: float
    spare: tuple[float, float]

    def rotation(self) -> Matrix:
        around, above = np.radians([self.around, self.above])
        to_camera = Vector((np.cos(above) * np.sin(around), -np.cos(above) * np.cos(around), np.sin(above)))
        return to_camera.to_track_quat("Z", "Y").to_matrix()


_VIEWS = {
    FRONT: View(14.0, 62.0, 55.0, (0.0, 0.9)),
    TOP: View(0.0, 84.0, 60.0, (0.0, 0.8)),
    CLOSE: View(60.0, 29.0, 65.0, (0.8, 0.3)),
}


def build_cameras(
    clip: Clip, scene: bpy.types.Scene, collection: bpy.types.Collection, *, start_frame: float
) -> dict[str, bpy.types.Object]:
    """Make the cameras for the keys that the clip plays and link them to `collection`; the front one is the scene's."""
    low, high = _range_played(clip)
    aspect = scene.render.resolution_y / scene.render.resolution_x
    cameras = {}
    for name, view in _VIEWS.items():
        data = mark(bpy.data.cameras.new(name))
        data.lens, data.clip_start, data.clip_end = view.lens, 0.01, 100.0
        camera = mark(bpy.data.objects.new(name, data))
        collection.objects.link(camera)
        camera.rotation_euler = view.rotation().to_euler()
        camera.location = _fit(view, low, high, aspect)
        cameras[name] = camera
    _follow(cameras[CLOSE], clip, aspect, start_frame=start_frame)
    scene.camera = cameras[FRONT]
    return cameras


def _range_played(clip: Clip) -> tuple[float, float]:
    """x of the left and right end of what a camera has to show."""
    x = Keyboard(clip.octave).x
    played = [x[note.pitch - LOWEST] for note in clip.score.notes]
    if not played:  # without notes, where the wrists mostly are
        played = np.percentile(clip.translation[..., 0], _MOSTLY).tolist()
    low, high = min(played) - _BESIDE, max(played) + _BESIDE
    spare = max(0.0, 0.5 * (_LEAST_WIDTH - (high - low)))
    return low - spare, high + spare


def _fit(view: View, low: float, high: float, aspect: float) -> Vector:
    """Camera location from which the space over the keys from x `low` to `high` just fills the picture."""
    corners = np.array([(x, y, z) for x in (low, high) for y in _SPACE_Y for z in _SPACE_Z])
    rotation = np.array(view.rotation())
    seen = corners @ rotation  # in the camera's axes: right, up, towards the camera
    half = 0.5 * _SENSOR / view.lens / max(1.0, aspect)
    tangent = np.array([half, half * aspect])
    # Two planes through the camera, at +tangent and -tangent, that touch the corners.
    high_side = np.max(seen[:, :2] + tangent * seen[:, 2:], axis=0)
    low_side = np.min(seen[:, :2] - tangent * seen[:, 2:], axis=0)
    away = np.max(0.5 * (high_side - low_side) / tangent)
    middle = 0.5 * (high_side + low_side)
    place = middle + np.array(view.spare) * (low_side + tangent * away - middle)
    location = np.array([*place, away])
    return Vector(rotation @ location)


def _follow(camera: bpy.types.Object, clip: Clip, aspect: float, *, start_frame: float) -> None:
    """Let the camera go along with both wrists, near enough to show both hands, softly."""
    times = clip.times
    wrists = _evened(clip.translation[:, :, 0].astype(float), clip.rate)
    step = max(1, round(clip.rate / _KEYS_PER_SECOND))
    chosen = np.unique(np.append(np.arange(0, len(times), step), len(times) - 1))
    margin = 0.115
    x = np.sort(wrists[chosen], axis=1)
    view = _VIEWS[CLOSE]
    places = np.array([_fit(view, low - margin, high + margin, aspect) for low, high in x])
    frames = start_frame + times[chosen] * clip.fps
    channels = {("location", axis, "Location"): _smooth_keys(frames, places[:, axis]) for axis in range(3)}
    write_curves(camera, ACTION, channels)
    camera.location = places[0]


def _evened(values: Array, rate: float) -> Array:
    """A Gaussian mean over time (T, ...), the ends held."""
    width = max(1, round(_FOLLOW * rate))
    kernel = np.exp(-0.5 * (np.arange(-2 * width, 2 * width + 1) / width) ** 2)
    padded = np.pad(values, ((2 * width, 2 * width), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T]
    return np.stack(columns, axis=1)


def _smooth_keys(frames: Array, values: Array) -> Keys:
    """Bezier keys whose tangents are those of the sampled curve."""
    if len(frames) < 2:
        return Keys(frames, values)
    slope = np.gradient(values, frames)
    third = np.diff(frames) / 3.0
    before, after = np.concatenate([third[:1], third]), np.concatenate([third, third[-1:]])
    left = np.column_stack([frames - before, values - slope * before])
    right = np.column_stack([frames + after, values + slope * after])
    return Keys(frames, values, left, right)
