# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped hand: its shape, its axes, its pads, and its skinning."""

import numpy as np
import pytest

from s2c_blender.motion import finger_ends, hand_rig, rotation
from s2c_blender.motion.skeleton import forward, pad_points
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import FINGER_JOINTS, FINGERS, HandSide

RIG = hand_rig.load_hand_rig()
SKELETON = hand_rig.hand_skeleton(RIG)


def identity(frames: int = 1) -> np.ndarray:
    return np.broadcast_to(rotation.IDENTITY, (frames, 2, 16, 4)).copy()


def tips_after(joint: int, axes: np.ndarray, angle: float) -> np.ndarray:
    """(2, 5, 3) fingertips when one joint of both hands is turned about its axis."""
    rotations = identity()
    for side in HandSide:
        rotations[0, side, joint] = rotation.from_axis_angle(axes[side, joint] * angle)
    positions, turned = forward(SKELETON, rotations, np.zeros((1, 2, 3)))
    distal = [chain[-1] for chain in FINGER_JOINTS]
    return positions[0][:, distal] + rotation.rotate(turned[0][:, distal], SKELETON.tips - SKELETON.rest[:, distal])


def test_file_is_small_and_plain():
    assert hand_rig.HAND_FILE.stat().st_size < 1_000_000
    with np.load(hand_rig.HAND_FILE, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)


def test_missing_or_broken_file_is_named(tmp_path):
    broken = tmp_path / "hand.npz"
    broken.write_bytes(b"not a hand")
    for path in (broken, tmp_path / "none.npz"):
        with pytest.raises(PianoHandsError) as caught:
            hand_rig.load_hand_rig(path)
        assert caught.value.code == "bad-rig"


def test_rest_is_flat_with_the_middle_finger_along_y():
    for side in HandSide:
        middle = SKELETON.tips[side, 2] - SKELETON.rest[side, 4]
        assert np.abs(middle[[0, 2]]).max() < 1e-9
        assert middle[1] > 0.08
        for finger in range(1, 5):
            chain = FINGER_JOINTS[finger]
            points = np.array([*SKELETON.rest[side, list(chain)], SKELETON.tips[side, finger]])
            assert np.ptp(points[:, 2]) < 1e-9
    assert SKELETON.tips[HandSide.RIGHT, 0, 0] < SKELETON.tips[HandSide.RIGHT, 4, 0]
    assert SKELETON.tips[HandSide.LEFT, 0, 0] > SKELETON.tips[HandSide.LEFT, 4, 0]
    assert np.abs(SKELETON.rest[:, 0]).max() == 0.0


def test_sizes_are_uniform_scales():
    assert SKELETON.span() == pytest.approx(0.22, abs=0.002)
    for span in (0.18, 0.24):
        other = hand_rig.hand_skeleton(RIG, span=span)
        assert other.span() == pytest.approx(span, abs=0.002)
        assert other.pads == pytest.approx(SKELETON.pads * span / 0.22)
        assert other.radius == pytest.approx(SKELETON.radius * span / 0.22)


def test_proportions_are_those_of_a_hand():
    lengths = np.linalg.norm(SKELETON.tips[0] - SKELETON.rest[0, [chain[0] for chain in FINGER_JOINTS]], axis=1)
    _, index, middle, ring, pinky = lengths
    assert middle > max(index, ring) > pinky
    assert 0.40 < middle / SKELETON.tips[0, 2, 1] < 0.60
    assert SKELETON.radius.min() > 0.004 and SKELETON.radius.max() < 0.025


def test_axes_are_unit_and_square():
    for axes in (SKELETON.flexion, SKELETON.abduction):
        assert np.linalg.norm(axes, axis=-1) == pytest.approx(np.ones((2, 16)))
    assert np.abs(np.sum(SKELETON.flexion * SKELETON.abduction, axis=-1)).max() < 1e-9


@pytest.mark.parametrize("finger", [1, 2, 3, 4])
def test_flexion_curls_down_and_abduction_goes_to_the_thumb(finger):
    for joint in FINGER_JOINTS[finger]:
        moved = tips_after(joint, SKELETON.flexion, 0.3) - SKELETON.tips
        assert (moved[:, finger, 2] < -0.004).all()
        assert np.abs(moved[:, [other for other in range(5) if other != finger]]).max() < 1e-12
    moved = tips_after(FINGER_JOINTS[finger][0], SKELETON.abduction, 0.3) - SKELETON.tips
    towards_thumb = np.array([-1.0, 1.0])
    assert (moved[:, finger, 0] * towards_thumb > 0.01).all()


def test_wrist_flexes_down_and_turns_to_the_thumb():
    assert (tips_after(0, SKELETON.flexion, 0.2)[:, 1:, 2] < SKELETON.tips[:, 1:, 2] - 0.01).all()
    moved = tips_after(0, SKELETON.abduction, 0.2) - SKELETON.tips
    assert moved[0, 2, 0] < -0.02 and moved[1, 2, 0] > 0.02


@pytest.mark.parametrize("joint", FINGER_JOINTS[0])
def test_thumb_flexes_down_and_across_the_palm(joint):
    moved = tips_after(joint, SKELETON.flexion, 0.3)[:, 0] - SKELETON.tips[:, 0]
    assert (moved[:, 2] < -0.002).all()
    assert moved[0, 0] > 0.002 and moved[1, 0] < -0.002


def test_left_hand_is_the_mirror_of_the_right():
    generator = np.random.default_rng(3)
    rotations = identity(2)
    rotations[:, 0] = rotation.from_axis_angle(generator.normal(scale=0.3, size=(2, 16, 3)))
    rotations[:, 1] = rotation.mirror(rotations[:, 0])
    place = generator.normal(size=(2, 1, 3)) * [[[1.0, 1.0, 1.0]], [[1.0, 1.0, 1.0]]]
    translation = np.concatenate([place, place * hand_rig.MIRROR], axis=1)
    points = hand_rig.skin(RIG, rotations, translation)
    assert points[:, 1] == pytest.approx(points[:, 0] * hand_rig.MIRROR, abs=1e-12)


def test_skinning_at_rest_changes_nothing_and_moves_rigidly_with_the_wrist():
    assert hand_rig.skin(RIG, identity(), np.zeros((1, 2, 3)))[0, 0] == pytest.approx(RIG.vertices, abs=1e-7)
    rotations, translation = identity(), np.zeros((1, 2, 3))
    turn = rotation.from_axis_angle([0.2, -0.5, 0.9])
    rotations[0, :, 0], translation[0, :] = turn, (0.1, 0.2, 0.3)
    points = hand_rig.skin(RIG, rotations, translation)[0, 0]
    assert points == pytest.approx(rotation.rotate(turn, RIG.vertices) + translation[0, 0], abs=1e-7)


def test_weights_sum_to_one_and_fingertips_are_rigid():
    assert RIG.weights.sum(1) == pytest.approx(np.ones(len(RIG.vertices)), abs=1e-6)
    for finger, chain in enumerate(FINGER_JOINTS):
        along = hand_rig.distal_frame(RIG, finger)[:, 1]
        mine = RIG.weights[:, list(chain)].sum(1) > 0.5
        end = mine & (
            (RIG.tips[finger] - RIG.vertices) @ along < min(0.0149, 0.55 * np.linalg.norm(RIG.tips[finger] - RIG.rest[chain[-1]]))
        )
        assert end.sum() > 100
        assert RIG.weights[end, chain[-1]].min() > 0.999


@pytest.mark.parametrize("finger", range(5), ids=FINGERS)
def test_pads_stand_for_the_fingertips_skin(finger):
    directions, mostly = finger_ends.touching_directions((HandSide.RIGHT, finger))
    world = directions @ hand_rig.distal_frame(RIG, finger).T
    short = (hand_rig.distal_skin(RIG, finger) @ world.T).max(0) - (hand_rig.finger_pad(RIG, finger) @ world.T).max(0)
    assert short.min() > -1e-12
    assert short[mostly].max() < 0.00025
    assert short.max() < 0.0012


@pytest.mark.parametrize("finger", range(5), ids=FINGERS)
def test_no_point_of_a_fingertips_skin_is_far_from_those_that_keep_out_of_keys(finger):
    kept, _ = hand_rig.finger_skin(RIG, finger)
    apart = np.linalg.norm(hand_rig.distal_skin(RIG, finger)[:, None] - kept, axis=-1).min(axis=1)
    assert apart.max() < 0.0022


def test_pads_lie_on_the_skin_in_any_pose():
    generator = np.random.default_rng(5)
    rotations = rotation.from_axis_angle(generator.normal(scale=0.4, size=(1, 2, 16, 3)))
    translation = generator.normal(size=(1, 2, 3))
    points = hand_rig.skin(RIG, rotations, translation)[0]
    pads = pad_points(SKELETON, rotations, translation)[0]
    for side in HandSide:
        candidates = np.concatenate([points[side], points[side][RIG.quads].mean(1)])
        for pad in pads[side].reshape(-1, 3):
            assert np.linalg.norm(candidates - pad, axis=1).min() < 2e-4


def test_surface_is_closed():
    sides = np.sort(np.stack([RIG.quads, np.roll(RIG.quads, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
    _, uses = np.unique(sides, axis=0, return_counts=True)
    assert (uses == 2).all()
