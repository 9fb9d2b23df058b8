# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of hand motion research: out and in again, the data set's mirrored left hand, SMPL-X's axes, and files that are none."""

import json
from pathlib import Path

import numpy as np
import pytest

from s2c_blender.motion import mano_axes, rotation
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.mano_files import BODY, HEIGHT, load_motion, save_json, save_npz, save_smplx
from s2c_blender.motion.skeleton import forward
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import Fingering, Score

FPS, SECONDS = 60.0, 2.0
SKELETON = hand_skeleton(load_hand_rig())


@pytest.fixture
def clip() -> Clip:
    """Slow, smooth turns of all joints; both hands differ."""
    random = np.random.default_rng(3)
    times = np.arange(int((1.0 + SECONDS) * FPS)) / FPS - 1.0
    swing = np.sin(times[:, None, None, None] * random.uniform(0.5, 1.5, (2, 16, 3)) + random.uniform(0, 6, (2, 16, 3)))
    rotations = rotation.from_axis_angle(0.5 * swing)
    places = np.array([[0.2, -0.1, 0.06], [-0.25, -0.12, 0.07]]) + 0.02 * swing[:, :, 0]
    nothing = np.zeros(0)
    fingering = Fingering(nothing.astype(np.int8), nothing.astype(np.int8), nothing, nothing)
    return Clip(rotations.astype(np.float32), places.astype(np.float32), FPS, -1.0, Score(()), fingering)


def joints_of(clip: Clip, times: np.ndarray) -> np.ndarray:
    frames = np.round((times - clip.start) * clip.rate).astype(int)
    return forward(SKELETON, clip.rotation[frames].astype(float), clip.translation[frames].astype(float))[0]


@pytest.mark.parametrize(("save", "name"), [(save_json, "a.json"), (save_npz, "a.npz")])
def test_out_and_in_again_every_joint_is_where_it_was(clip: Clip, tmp_path: Path, save, name) -> None:
    save(clip, tmp_path / name)
    again = load_motion(tmp_path / name, fps=FPS)
    times = np.arange(0.0, SECONDS - 0.05, 1 / 30)  # those of the data set
    assert np.abs(joints_of(again, times) - joints_of(clip, times)).max() < 2e-5
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_json_has_the_data_sets_columns_and_its_left_hand_is_a_right_one_in_the_mirror(clip: Clip, tmp_path: Path) -> None:
    rotations, places = clip.rotation.copy(), clip.translation.copy()
    rotations[:, 1], places[:, 1] = rotation.mirror(rotations[:, 0]), places[:, 0] * mano_axes.MIRROR
    save_json(Clip(rotations, places, FPS, -1.0, clip.score, clip.fingering), tmp_path / "a.json")
    data = json.loads((tmp_path / "a.json").read_text())
    right, left = np.array(data["right"]), np.array(data["left"])
    assert data["fps"] == 30 and len(data["adjust"]) == 3 and right.shape == left.shape == (60, 62)
    np.testing.assert_allclose(left, right, atol=1e-6)
    # Frame 0 is time zero. The camera sees treble to the right, and keys below it.
    assert right[0, 0] == 1.0
    np.testing.assert_allclose(right[0, 1:4], places[60, 0] * [1, -1, -1] - mano_axes.WRIST + [0, 0, HEIGHT], atol=1e-5)


def test_a_file_of_the_data_set_is_put_onto_the_keys(tmp_path: Path) -> None:
    row = [1.0, 0.1, 0.05, 22.0, *np.zeros(48), *np.zeros(10)]
    (tmp_path / "seq.json").write_text(json.dumps({"right": [row] * 30, "left": [row] * 30, "fps": 29.97, "adjust": [0, 0.1, 0]}))
    clip = load_motion(tmp_path / "seq.json", fps=24.0)
    assert clip.rate == 48.0 and clip.fps == 24.0
    np.testing.assert_allclose(clip.translation[50, 0, 1:], mano_axes.PLAYING[1:], atol=1e-6)
    np.testing.assert_allclose(clip.translation[50, 0], clip.translation[50, 1] * mano_axes.MIRROR, atol=1e-6)
    assert clip.translation[50, 0, 0] == pytest.approx(0.196, abs=1e-6)


def test_smplx_hands_point_where_the_takes_hands_do(clip: Clip, tmp_path: Path) -> None:
    """Its pose, put together as SMPL-X does from the root to the fingers, gives each finger's segments their directions."""
    save_smplx(clip, tmp_path / "a.npz")
    data = np.load(tmp_path / "a.npz", allow_pickle=False)
    assert data["poses"].shape == (len(clip.times), 165) and data["pose_hand"].shape[1] == 90
    assert float(data["mocap_frame_rate"]) == clip.rate
    root = rotation.from_axis_angle(data["root_orient"])
    np.testing.assert_allclose(rotation.rotate(root, np.array([0.0, 0.0, 1.0]))[0], [0.0, 1.0, 0.0], atol=1e-9)  # faces the keys
    np.testing.assert_allclose(rotation.to_matrix(root)[0], BODY, atol=1e-9)
    joints, turned = forward(SKELETON, clip.rotation.astype(float), clip.translation.astype(float))
    for side, wrist, begin, out in ((HandSide.RIGHT, 21, 120, -1.0), (HandSide.LEFT, 20, 75, 1.0)):
        hand = rotation.from_axis_angle(data["poses"][:, begin : begin + 45].reshape(-1, 15, 3))
        now = rotation.multiply(root, rotation.from_axis_angle(data["poses"][:, 3 * wrist : 3 * wrist + 3]))
        for joint in (0, 1, 2, 3):  # wrist, and the index finger
            if joint:
                now = rotation.multiply(now, hand[:, joint - 1])
            for theirs, ours in (((out, 0, 0), (0, 1, 0)), ((0, 1, 0), (0, 0, 1)), ((0, 0, 1), (out, 0, 0))):
                mine = rotation.rotate(turned[:, side, joint], np.array(ours, dtype=float))
                np.testing.assert_allclose(rotation.rotate(now, np.array(theirs, dtype=float)), mine, atol=1e-6)
    np.testing.assert_allclose(data["wrist_trans"], joints[:, :, 0], atol=1e-6)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"right": 1, "left": 2, "fps": 30}', '{"right": [[1]], "left": [[1]], "fps": 30}']
)
def test_what_is_no_motion_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(PianoHandsError) as caught:
        load_motion(tmp_path / "a.json", fps=30.0)
    assert caught.value.code == "bad-motion"
    (tmp_path / "a.npz").write_bytes(text.encode())
    with pytest.raises(PianoHandsError):
        load_motion(tmp_path / "a.npz", fps=30.0)


def test_a_pickle_in_an_npz_is_never_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", pose=np.array([{}], dtype=object), trans=np.zeros((1, 2, 3)), fps=30.0)
    with pytest.raises(PianoHandsError) as caught:
        load_motion(tmp_path / "a.npz", fps=30.0)
    assert caught.value.code == "bad-motion"
