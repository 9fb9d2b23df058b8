# SPDX-License-Identifier: GPL-3.0-or-later
"""smplx's layer against our own kinematics and skinning, against its own MANO classes, and the command that writes meshes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")
smplx = pytest.importorskip("smplx", reason="smplx is installed for Python 3.11 only")

from smplx.utils import Struct  # noqa: E402
from smplx.vertex_ids import vertex_ids  # noqa: E402

from backend import config  # noqa: E402
from backend.__main__ import main  # noqa: E402
from backend.perform import kinematics  # noqa: E402
from backend.s2c import axes, take_clip  # noqa: E402
from backend.s2c.config import POSITION_SCALE  # noqa: E402
from backend.s2c.hand_model import own_hand  # noqa: E402
from backend.s2c.mano import Mano, read_mano  # noqa: E402
from backend.s2c.mesh import HandLayer  # noqa: E402
from s2c_blender.motion import anatomy, rotation  # noqa: E402
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig, skin  # noqa: E402
from s2c_blender.motion.skeleton import forward  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide  # noqa: E402
from s2c_blender.wire.notes import Fingering, Score  # noqa: E402
from tests import tiny_s2c, wav_files  # noqa: E402
from tests.mano_files import mano_arrays, published, python2_pickle  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
EXACT = 1e-5  # metres
RIG = load_hand_rig()
DISTAL = [chain[-1] for chain in FINGER_JOINTS]


def random_poses(frames: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Any turns at all, over the width of a keyboard."""
    random = np.random.default_rng(seed)
    return rotation.normalize(random.normal(size=(frames, 2, 16, 4))), random.uniform(-0.6, 0.6, (frames, 2, 3))


def random_clip(frames: int, *, hand_size: float = 0.22) -> Clip:
    rotations, places = random_poses(frames)
    none = np.zeros(0)
    fingering = Fingering(none.astype(np.int8), none.astype(np.int8), none, none)
    return Clip(rotations.astype(np.float32), places.astype(np.float32), 60.0, -1.0, Score(()), fingering, hand_size=hand_size)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # for commands, which choose for themselves


@pytest.fixture(scope="module")
def mano_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mano") / "MANO_RIGHT.pkl"
    path.write_bytes(python2_pickle(published(mano_arrays())))
    return path


@pytest.fixture(scope="module")
def mano(mano_file: Path) -> Mano:
    return read_mano(mano_file)


def their_layer(kind: type, **options: object) -> torch.nn.Module:
    return kind("", data_struct=Struct(**mano_arrays()), dtype=torch.float64, use_pca=False, **options).double()


@pytest.mark.parametrize("span", [0.22, 0.18])
def test_our_hand_through_smplx_is_our_own_kinematics_and_skin(span: float) -> None:
    rotations, places = random_poses(12)
    posed = HandLayer(own_hand(RIG, span=span)).pose(rotations, places)
    skeleton = hand_skeleton(RIG, span=span)
    joints, turned = forward(skeleton, rotations, places)
    tips = joints[..., DISTAL, :] + rotation.rotate(turned[..., DISTAL, :], skeleton.tips - skeleton.rest[:, DISTAL])
    assert np.abs(posed.joints - joints).max() < EXACT
    assert np.abs(posed.tips - tips).max() < EXACT
    assert np.abs(posed.vertices - skin(RIG, rotations, places, span=span)).max() < EXACT


def test_our_hand_through_smplx_is_where_the_solve_has_it() -> None:
    skeleton, random = hand_skeleton(RIG), np.random.default_rng(3)
    dofs = random.normal(scale=0.4, size=(20, 2, anatomy.DOFS))
    solved = kinematics.pose(skeleton, dofs)
    posed = HandLayer(own_hand(RIG, span=0.22)).pose(kinematics.to_rotations(skeleton, dofs), dofs[..., :3])
    assert np.abs(posed.joints[:, :, 0] - dofs[..., :3]).max() < EXACT
    assert np.abs(posed.joints[:, :, np.array(FINGER_JOINTS)] - solved.joints).max() < EXACT


def test_a_hand_at_rest_is_the_rest_of_its_model(mano: Mano) -> None:
    still = np.broadcast_to(rotation.IDENTITY, (1, 2, 16, 4))
    for hand in (own_hand(RIG, span=0.22), mano.hand):
        posed = HandLayer(hand).pose(still, np.zeros((1, 2, 3)))
        rest = (hand.joints - hand.joints[0]) @ hand.axes.T
        assert np.abs(posed.joints[0, HandSide.RIGHT] - rest).max() < 1e-6
        assert np.abs(posed.vertices[0, HandSide.LEFT] - posed.vertices[0, HandSide.RIGHT] * axes.MIRROR).max() < 1e-6
        assert (posed.tips[0, HandSide.RIGHT, :, 1] > 0.05).all()  # fingers away from the player
        assert posed.tips[0, HandSide.RIGHT, 0, 0] < -0.05 and posed.tips[0, HandSide.LEFT, 0, 0] > 0.05


def test_a_mano_clip_is_what_manos_own_layer_shows_the_published_way(mano: Mano) -> None:
    """smplx.MANO with its mean pose, betas zero; the left hand by the right model, x negated; camera's axes to the keyboard's."""
    random = np.random.default_rng(5)
    pose, translation = random.normal(scale=0.5, size=(7, 2, 48)), random.normal(scale=0.3, size=(7, 2, 3))
    model = their_layer(smplx.MANO, batch_size=7)
    turns = rotation.from_axis_angle(pose.reshape(7, 2, 16, 3) + mano.convention.mean_pose)
    ours = HandLayer(mano.hand).pose(*axes.both_hands(turns, translation, wrist=mano.convention.wrist))
    for side in HandSide:
        values = torch.from_numpy(pose[:, side])
        out = model(
            global_orient=values[:, :3],
            hand_pose=values[:, 3:],
            transl=torch.from_numpy(translation[:, side]),
            betas=torch.zeros(7, 10, dtype=torch.float64),
        )
        in_picture = np.array([-1.0, 1.0, 1.0]) if side is HandSide.LEFT else np.ones(3)
        to_keyboard = np.array([1.0, -1.0, -1.0])  # x to the treble, y away, z up
        for theirs, mine in ((out.vertices, ours.vertices), (out.joints, ours.joints)):
            assert np.abs(theirs.detach().numpy() * in_picture * to_keyboard - mine[:, side]).max() < EXACT
        assert np.abs(ours.tips[:, side] - ours.vertices[:, side, list(vertex_ids["mano"].values())]).max() == 0.0


def test_a_clip_on_mano_is_manos_layer_in_the_clips_axes(mano: Mano) -> None:
    rotations, places = random_poses(5, seed=8)
    ours = HandLayer(mano.hand).pose(rotations, places)
    layer = their_layer(smplx.MANOLayer)
    turns = axes.REST.T @ rotation.to_matrix(rotations[:, HandSide.RIGHT]) @ axes.REST
    matrices = torch.from_numpy(turns)
    out = layer(global_orient=matrices[:, :1], hand_pose=matrices[:, 1:], betas=torch.zeros(5, 10, dtype=torch.float64))
    vertices = (out.vertices.numpy() - mano.convention.wrist) @ axes.REST.T + places[:, HandSide.RIGHT, None]
    assert np.abs(vertices - ours.vertices[:, HandSide.RIGHT]).max() < EXACT


def sampled(frames: int, seed: int = 4) -> take_clip.Sampled:
    """Slow curves, as a model would give them."""
    random, time = np.random.default_rng(seed), np.linspace(0.0, 2.0, frames)[None, :, None]

    def curves(width: int, size: float) -> np.ndarray:
        return size * np.sin(random.uniform(0.5, 3.0, (2, 1, width)) * time + random.uniform(0, 6, (2, 1, width)))

    return take_clip.Sampled(pose=curves(48, 0.1), positions=curves(3, 0.2))


def test_a_mirrored_take_gives_a_mirrored_clip(mano: Mano) -> None:
    one = sampled(60)
    other = take_clip.Sampled(one.pose[::-1], one.positions[::-1])
    for convention in (axes.HandConvention(), mano.convention):
        clips = [take_clip.to_clip(hands, fps=30.0, convention=convention) for hands in (one, other)]
        turns = rotation.mirror(clips[0].rotation)[:, ::-1]
        assert np.abs(np.abs(np.sum(turns * clips[1].rotation, axis=-1)) - 1.0).max() < 1e-5
        assert np.abs((clips[0].translation * axes.MIRROR)[:, ::-1] - clips[1].translation).max() < 1e-6


def test_a_takes_places_are_metres_from_the_middle_of_the_picture() -> None:
    times = np.linspace(-0.2, 0.2, 90)
    positions = np.broadcast_to(times[:, None], (2, 90, 3))
    clip = take_clip.to_clip(take_clip.Sampled(np.zeros((2, 90, 48)), positions), fps=30.0)
    moved = clip.translation[-1] - clip.translation[0]
    expected = np.array(POSITION_SCALE) * 0.4 * [1.0, -1.0, -1.0]
    np.testing.assert_allclose(moved[HandSide.RIGHT], expected, atol=1e-4)
    np.testing.assert_allclose(moved[HandSide.LEFT], expected * axes.MIRROR, atol=1e-4)
    for side, sign in ((HandSide.RIGHT, 1.0), (HandSide.LEFT, -1.0)):
        np.testing.assert_allclose(clip.translation[-1, side, 0], sign * (axes.WRIST[0] + 1.5 * 0.2), atol=1e-4)


def test_the_mean_pose_of_the_mano_file_is_added(mano: Mano) -> None:
    nothing = take_clip.Sampled(np.zeros((2, 30, 48)), np.zeros((2, 30, 3)))
    clip = take_clip.to_clip(nothing, fps=30.0, convention=mano.convention)
    mean = rotation.from_matrix(axes.REST @ rotation.to_matrix(rotation.from_axis_angle(mano.convention.mean_pose)) @ axes.REST.T)
    right = clip.rotation[5, HandSide.RIGHT, 1:]
    assert np.abs(np.abs(np.sum(right * mean[1:], axis=-1)) - 1.0).max() < 1e-6


def test_generate_builds_on_the_mano_file_that_is_named(tmp_path: Path, mano_file: Path, mano: Mano) -> None:
    checkpoint, recording = tiny_s2c.checkpoint(tmp_path / "checkpoint"), wav_files.recording(tmp_path / "a.wav", seconds=1.5)

    def generate(name: str, *options: str) -> Clip:
        asked = ["generate", str(recording), "-o", str(tmp_path / name), "--prior", "s2c", "--checkpoint", str(checkpoint)]
        assert main([*asked, "--steps", "2", "--raw", *options]) == 0
        return Clip.load(tmp_path / name)

    plain, built = generate("plain.npz"), generate("built.npz", "--mano", str(mano_file))
    assert plain.made["mean_pose"] == "own" and built.made["mean_pose"] == "MANO_RIGHT.pkl"
    assert np.abs(plain.rotation - built.rotation)[:, :, 1:].max() > 0.05
    np.testing.assert_allclose(plain.rotation[:, :, 0], built.rotation[:, :, 0], atol=1e-6)
    apart = (built.translation - plain.translation)[0, :, 0]
    np.testing.assert_allclose(apart, (mano.convention.wrist - axes.WRIST)[0] * np.array([1.0, -1.0]), atol=1e-5)


@pytest.mark.parametrize("with_mano", [False, True])
def test_the_command_writes_what_the_layer_gives(tmp_path: Path, mano_file: Path, with_mano: bool) -> None:
    clip = random_clip(50, hand_size=0.2)
    clip.save(tmp_path / "take.npz")
    options = ["--mano", str(mano_file)] if with_mano else []
    assert main(["mesh", str(tmp_path / "take.npz"), "-o", str(tmp_path / "hands.npz"), *options]) == 0
    hand = read_mano(mano_file).hand if with_mano else own_hand(RIG, span=0.2)
    posed = HandLayer(hand).pose(clip.rotation, clip.translation)
    with np.load(tmp_path / "hands.npz", allow_pickle=False) as file:
        for name, values in (("joints", posed.joints), ("tips", posed.tips), ("vertices", posed.vertices), ("times", clip.times)):
            np.testing.assert_allclose(file[name], values, atol=1e-6)
        faces = file["faces"]
        np.testing.assert_array_equal(faces[HandSide.LEFT], faces[HandSide.RIGHT][:, ::-1])
        assert faces.max() < posed.vertices.shape[2]
        assert file["vertices"].dtype == np.float32 and file["joint"][0] == "wrist" and file["parent"][1] == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hands.npz", "take.npz"]


def test_the_command_refuses_before_work_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = random_clip(3)
    clip.save(tmp_path / "take.npz")
    (tmp_path / "MANO_LEFT.pkl").write_bytes(b"\x80\x02cos\nsystem\nU\x04true\x85R.")
    take_file, output = str(tmp_path / "take.npz"), str(tmp_path / "hands.npz")
    for arguments, word in (
        (["mesh", take_file, "-o", output, "--mano", str(tmp_path / "MANO_LEFT.pkl")], "os.system"),
        (["mesh", take_file, "-o", output, "--mano", str(tmp_path / "none.pkl")], "no file"),
        (["mesh", str(tmp_path / "MANO_LEFT.pkl"), "-o", output], "no clip"),
        (["mesh", take_file, "-o", str(tmp_path / "nowhere" / "hands.npz")], "no folder"),
        (["mesh", take_file, "-o", take_file], "written over"),
    ):
        assert main(arguments) == 1
        assert word in capsys.readouterr().err
    with monkeypatch.context() as patch:
        patch.setattr(config.importlib.util, "find_spec", lambda name: None)
        assert main(["mesh", take_file, "-o", output]) == 1
        assert "torch, smplx" in capsys.readouterr().err
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1000})())
    assert main(["mesh", take_file, "-o", output]) == 1
    assert "left" in capsys.readouterr().err
    assert not Path(output).exists()


def test_who_keeps_joints_and_tips_does_not_keep_the_skin() -> None:
    layer = HandLayer(own_hand(RIG, span=0.22))
    pieces = list(layer.pieces(random_clip(10), frames=4))
    assert [len(piece.joints) for piece in pieces] == [4, 4, 2]
    for piece in pieces:
        for kept in (piece.joints, piece.tips):
            assert kept.base is None or kept.base.nbytes == kept.nbytes
