# SPDX-License-Identifier: GPL-3.0-or-later
"""What the data's camera makes of a clip: its own rate, mirrored left hands, no height, and a keyboard that lies anywhere."""

from dataclasses import replace

import numpy as np

from backend.data.camera_model import FPS, CameraModel, film, random_camera
from backend.s2c import axes
from s2c_blender.motion import rotation
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import Fingering, Score

STILL = CameraModel(pixels=0.0, distance_noise=0.0, pose_noise=0.0)


def moving_clip(frames: int = 121) -> Clip:
    random = np.random.default_rng(0)
    vectors = 0.4 * random.normal(size=(1, 2, 16, 3)) * np.linspace(0.5, 1.0, frames)[:, None, None, None]
    places = random.normal(size=(1, 2, 3)) * 0.1 + np.linspace(0.0, 0.3, frames)[:, None, None] * random.normal(size=3)
    none = np.zeros(0)
    return Clip(
        rotation=rotation.from_axis_angle(vectors).astype(np.float32),
        translation=places.astype(np.float32),
        fps=60.0,
        start=-1.0,
        score=Score(()),
        fingering=Fingering(none.astype(np.int8), none.astype(np.int8), none, none),
    )


def test_a_filmed_clip_comes_back_but_for_its_height_and_where_the_keyboard_lay() -> None:
    clip = moving_clip()
    camera = CameraModel(offset=(0.2, -0.03), scale=1.07, pixels=0.0, distance_noise=0.0, pose_noise=0.0)
    filmed = film(clip, camera, np.random.default_rng(0))
    assert filmed.pose.shape == (2, 31, 48) and filmed.translation.shape == (2, 31, 3)
    turns = np.moveaxis(rotation.from_axis_angle(filmed.pose.reshape(2, -1, 16, 3) + camera.convention.mean_pose), 0, 1)
    rotations, places = axes.both_hands(turns, np.moveaxis(filmed.translation, 0, 1), wrist=camera.convention.wrist)
    want = clip.rotation[60::2]  # every second frame from time zero on
    np.testing.assert_allclose(np.abs(np.sum(rotations * want, axis=-1)), 1.0, atol=1e-6)
    np.testing.assert_allclose(places[..., 0], 1.07 * clip.translation[60::2, :, 0] + 0.2, atol=1e-6)
    np.testing.assert_allclose(places[..., 1], 1.07 * clip.translation[60::2, :, 1] + 0.03, atol=1e-6)
    np.testing.assert_allclose(places[..., 2], -22.0, atol=1e-9)


def test_left_hands_are_stored_as_right_ones_in_the_mirror() -> None:
    clip = moving_clip()
    filmed = film(clip, STILL, np.random.default_rng(0))
    mirrored = Clip(
        rotation=rotation.mirror(clip.rotation)[:, ::-1],
        translation=(clip.translation * axes.MIRROR).astype(np.float32)[:, ::-1],
        fps=60.0,
        start=-1.0,
        score=clip.score,
        fingering=clip.fingering,
    )
    again = film(mirrored, STILL, np.random.default_rng(0))
    np.testing.assert_allclose(again.pose[HandSide.RIGHT], filmed.pose[HandSide.LEFT], atol=1e-6)
    np.testing.assert_allclose(again.translation[HandSide.RIGHT], filmed.translation[HandSide.LEFT], atol=1e-6)


def test_noise_is_of_the_size_that_the_camera_says_and_its_generators_own() -> None:
    clip = moving_clip(2000)
    camera = random_camera(np.random.default_rng(5))
    assert 0.9 <= camera.scale <= 1.1 and abs(camera.offset[0]) <= 0.25
    exact = film(clip, replace(camera, pixels=0.0, distance_noise=0.0, pose_noise=0.0), np.random.default_rng(1))
    noisy, again = (film(clip, camera, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(noisy.pose, again.pose)
    assert abs(np.std(noisy.pose - exact.pose) / camera.pose_noise - 1.0) < 0.05
    off = noisy.translation - exact.translation
    assert 0.0008 < np.std(off[..., :2]) < 0.003 and abs(np.std(off[..., 2]) / camera.distance_noise - 1.0) < 0.1
    assert noisy.pose.shape[1] == int((clip.times[-1] + 1e-9) * FPS) + 1
