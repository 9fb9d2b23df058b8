# SPDX-License-Identifier: GPL-3.0-or-later
"""From S2C's camera and MANO's axes to the keyboard's: known turns, metres, mirrored hands, true left and right hands."""

import numpy as np
import pytest

from backend.s2c import axes
from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig, skin
from s2c_blender.motion.skeleton import forward
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide

RIG = load_hand_rig()
SKELETON = hand_skeleton(RIG)
TREBLE, AWAY, UP = np.eye(3)
#: The camera's axes in the keyboard frame: x to the treble, y down the picture to the player, z from the camera down to the keys.
CAMERA_X, CAMERA_Y, CAMERA_Z = TREBLE, -AWAY, -UP
#: MANO's right hand at rest: where fingers, back and thumb's side point.
FINGERS, BACK, THUMB = -np.eye(3)[0], np.eye(3)[1], np.eye(3)[2]


def at_rest(frames: int = 1) -> np.ndarray:
    return np.broadcast_to(rotation.IDENTITY, (frames, 2, 16, 4)).copy()


def turn(*, fingers: np.ndarray, back: np.ndarray) -> np.ndarray:
    """The quaternion of MANO's right hand whose fingers and back point so, given in the camera's axes."""
    thumb = np.cross(back, fingers)
    return rotation.from_matrix(np.stack([-fingers, back, thumb], axis=1))


def test_the_changes_of_axes_are_rotations() -> None:
    for matrix in (axes.CAMERA, axes.REST):
        np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
        assert np.linalg.det(matrix) == 1.0


def test_the_camera_looks_down_on_the_keys_with_the_treble_to_its_right() -> None:
    np.testing.assert_array_equal(axes.CAMERA @ np.eye(3), np.stack([CAMERA_X, CAMERA_Y, CAMERA_Z], axis=1))
    np.testing.assert_array_equal(np.cross(CAMERA_X, CAMERA_Y), CAMERA_Z)


def test_manos_rest_is_the_flat_hand() -> None:
    np.testing.assert_array_equal(axes.REST @ FINGERS, AWAY)
    np.testing.assert_array_equal(axes.REST @ BACK, UP)
    np.testing.assert_array_equal(axes.REST @ THUMB, -TREBLE)  # a right hand's thumb is to the bass


@pytest.mark.parametrize(
    ("fingers", "back"),
    [(AWAY, UP), (AWAY, -UP), (TREBLE, UP), (UP, -AWAY), (-AWAY, UP), (np.array([0.6, 0.8, 0.0]), UP)],
)
def test_a_hand_seen_by_the_camera_points_the_same_way_over_the_keys(fingers: np.ndarray, back: np.ndarray) -> None:
    turns = at_rest()
    turns[:, :, 0] = turn(fingers=axes.CAMERA.T @ fingers, back=axes.CAMERA.T @ back)
    rotations, _ = axes.both_hands(turns, np.zeros((1, 2, 3)), wrist=axes.WRIST)
    wrist = rotations[0, HandSide.RIGHT, 0]
    np.testing.assert_allclose(rotation.rotate(wrist, AWAY), fingers, atol=1e-12)
    np.testing.assert_allclose(rotation.rotate(wrist, UP), back, atol=1e-12)
    # The left hand is the same in the mirror.
    wrist = rotations[0, HandSide.LEFT, 0]
    np.testing.assert_allclose(rotation.rotate(wrist, AWAY), fingers * axes.MIRROR, atol=1e-12)
    np.testing.assert_allclose(rotation.rotate(wrist, UP), back * axes.MIRROR, atol=1e-12)


def test_a_palm_down_on_the_keys_is_the_identity() -> None:
    turns = at_rest()
    turns[:, :, 0] = turn(fingers=axes.CAMERA.T @ AWAY, back=axes.CAMERA.T @ UP)
    rotations, _ = axes.both_hands(turns, np.zeros((1, 2, 3)), wrist=axes.WRIST)
    np.testing.assert_allclose(np.abs(rotations[..., 0]), 1.0, atol=1e-12)


def test_a_finger_that_curls_in_manos_axes_curls_towards_the_palm_on_both_hands() -> None:
    turns = at_rest()
    turns[:, :, 0] = turn(fingers=axes.CAMERA.T @ AWAY, back=axes.CAMERA.T @ UP)
    turns[:, :, 4] = rotation.from_axis_angle(np.cross(FINGERS, -BACK) * 0.5)  # about the axis that takes fingers to the palm
    rotations, _ = axes.both_hands(turns, np.zeros((1, 2, 3)), wrist=axes.WRIST)
    places, _ = forward(SKELETON, rotations, np.zeros((1, 2, 3)))
    bone = places[0, :, 5] - places[0, :, 4]
    length = np.linalg.norm(bone, axis=-1)
    np.testing.assert_allclose(bone[:, 2], -length * np.sin(0.5), atol=1e-9)
    np.testing.assert_allclose(bone[:, 1], length * np.cos(0.5), atol=1e-9)


def test_places_are_the_wrist_joint_in_metres() -> None:
    wrist = np.array([0.09, 0.01, 0.02])
    translation = np.array([[[0.3, 0.05, 22.0], [0.2, -0.04, 21.0]]])
    _, places = axes.both_hands(at_rest(), translation, wrist=wrist)
    np.testing.assert_allclose(places[0, HandSide.RIGHT], [0.39, -0.06, -22.02])
    np.testing.assert_allclose(places[0, HandSide.LEFT], [-0.29, 0.03, -21.02])


def test_a_take_is_moved_onto_the_keys_as_a_whole_and_never_sideways() -> None:
    places = np.random.default_rng(0).normal(loc=(0.0, 3.0, -22.0), size=(50, 2, 3))
    moved = axes.onto_keys(places)
    shift = (moved - places).reshape(-1, 3)
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-12)
    assert shift[0, 0] == 0.0
    np.testing.assert_allclose(np.median(moved.reshape(-1, 3), axis=0)[1:], axes.PLAYING[1:], atol=1e-12)


def test_a_mirrored_input_gives_mirrored_hands() -> None:
    random = np.random.default_rng(2)
    turns, places = rotation.normalize(random.normal(size=(6, 2, 16, 4))), random.normal(size=(6, 2, 3))
    one = axes.both_hands(turns, places, wrist=axes.WRIST)
    other = axes.both_hands(turns[:, ::-1], places[:, ::-1], wrist=axes.WRIST)
    np.testing.assert_allclose(rotation.mirror(one[0])[:, ::-1], other[0], atol=1e-12)
    np.testing.assert_allclose((one[1] * axes.MIRROR)[:, ::-1], other[1], atol=1e-12)


def test_the_meshes_are_a_true_right_and_a_true_left_hand_whose_thumbs_face_each_other() -> None:
    turns = at_rest()
    turns[:, :, 0] = turn(fingers=axes.CAMERA.T @ AWAY, back=axes.CAMERA.T @ UP)
    turns[:, :, 1:] = rotation.from_axis_angle(axes.relaxed_pose()[1:])
    rotations, places = axes.both_hands(turns, np.array([[[0.1, 0, 0], [0.1, 0, 0]]]), wrist=axes.WRIST)
    vertices = skin(RIG, rotations, places)[0]
    _, turned = forward(SKELETON, rotations, places)
    handedness = []
    for side in HandSide:
        thumb, middle, pinky = (
            vertices[side, RIG.weights[:, FINGER_JOINTS[finger][-1]] > 0.98].mean(axis=0) for finger in (0, 2, 4)
        )
        towards_the_other = -1.0 if side is HandSide.RIGHT else 1.0
        assert (thumb - pinky)[0] * towards_the_other > 0.05
        back = rotation.rotate(turned[0, side, 0], UP)
        handedness.append(np.sign(np.linalg.det(np.stack([middle - places[0, side], thumb - pinky, back]))))
        corners = vertices[side][RIG.quads if side is HandSide.RIGHT else RIG.mirrored_quads]
        normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        volume = np.sum(normals * (corners.mean(axis=1) - vertices[side].mean(axis=0))) / 6.0
        assert 1e-4 < volume < 1e-3  # faces look outwards: the flesh of a hand, in cubic metres
    assert handedness == [1.0, -1.0]


def test_the_relaxed_pose_curls_every_finger_a_little_as_its_joints_do() -> None:
    pose = axes.relaxed_pose()
    assert not pose[0].any()
    angles = np.linalg.norm(pose[1:], axis=-1)
    assert (angles > 0.05).all() and (angles < 0.6).all()
    np.testing.assert_allclose(pose[1:] @ axes.REST.T / angles[:, None], SKELETON.flexion[HandSide.RIGHT, 1:], atol=1e-12)


def test_the_way_back_from_a_clip_gives_what_it_came_from() -> None:
    random = np.random.default_rng(3)
    turns, places = rotation.normalize(random.normal(size=(6, 2, 16, 4))), random.normal(size=(6, 2, 3))
    wrist = np.array([0.09, 0.01, 0.02])
    back = axes.as_right_hands(*axes.both_hands(turns, places, wrist=wrist), wrist=wrist)
    np.testing.assert_allclose(rotation.to_matrix(back[0]), rotation.to_matrix(turns), atol=1e-12)
    np.testing.assert_allclose(back[1], places, atol=1e-12)
