# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures: equal to what the published evaluation gave where they are named so, and right where they are named so."""

import json
import lzma
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")
pytest.importorskip("sklearn")

from backend.__main__ import main  # noqa: E402
from backend.data.cache import Cache  # noqa: E402
from backend.data.dataset import Cut  # noqa: E402
from backend.data.layout import POSE  # noqa: E402
from backend.evaluation import autoencoder, measures, mixtures, published  # noqa: E402
from backend.evaluation.contact import note_scores  # noqa: E402
from backend.evaluation.evaluate import Evaluator, Motions, given, mean_pose  # noqa: E402
from backend.from_notes import first_seconds  # noqa: E402
from backend.perform import perform  # noqa: E402
from backend.score import read_midi  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from tests import piano_motion, tiny_s2c  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
RECORDED = Path(__file__).parent / "recorded" / "metrics.npz.xz"
PIECE = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"


@pytest.fixture(scope="module")
def numbers() -> dict[str, NDArray[np.generic]]:
    with lzma.open(RECORDED) as packed, np.load(packed) as file:
        return {name: file[name] for name in file.files}


def test_measures_named_as_published_equal_the_published_ones(numbers) -> None:
    real, made, place, other = (numbers[name] for name in ("real0", "fake0", "treal0", "tfake0"))
    assert published.fid(real, made) == pytest.approx(float(numbers["fid0"]), abs=1e-4)  # single precision
    assert published.wgd(real, made) == pytest.approx(float(numbers["mw2_0"]), abs=1e-6)
    assert published.distance(place, other) == pytest.approx(float(numbers["loc0"]), abs=1e-6)
    assert published.smoothness(real, made) == pytest.approx(float(numbers["smooth0"]), abs=1e-6)
    assert published.fgd(numbers["fd_A"], numbers["fd_B"]) == pytest.approx(float(numbers["frechet_16d"]), rel=1e-5)


def test_corrected_frechet_distances_equal_the_published_ones_in_double_precision(numbers) -> None:
    assert measures.fid(numbers["real0"], numbers["fake0"]) == pytest.approx(float(numbers["fid64_0"]), rel=1e-8)
    clouds = (measures.gaussian(numbers[name]) for name in ("fd_A", "fd_B"))
    assert measures.frechet(*clouds) == pytest.approx(float(numbers["frechet_16d"]), rel=1e-8)


def formula_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Numbers by a formula of each tensor's name, as the recording was made with."""
    made = dict[str, torch.Tensor]()
    for name, value in model.state_dict().items():
        drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(value.shape)
        if name.endswith("num_batches_tracked"):
            drawn = np.zeros(())
        elif name.endswith("running_var"):
            drawn = 1 + np.abs(drawn)
        elif value.ndim > 1:
            drawn = drawn * 1.5 / np.sqrt(np.prod(value.shape[1:]))
        else:
            drawn = 0.1 * drawn + (1.0 if name.endswith("weight") else 0.0)
        made[name] = torch.from_numpy(np.asarray(drawn)).to(value.dtype)
    return made


def test_the_published_autoencoder_is_loaded_and_gives_the_published_features(numbers, tmp_path: Path) -> None:
    weights = formula_weights(autoencoder.GestureAutoencoder())
    torch.save({"pose_dim": 96, "gen_dict": weights}, tmp_path / "published.bin")
    loaded = autoencoder.load(tmp_path / "published.bin")
    np.testing.assert_allclose(loaded.features(numbers["ae"])[0, :8], numbers["ae_mu_real_row0"], atol=1e-4)


def test_a_file_that_is_no_autoencoder_is_refused(tmp_path: Path) -> None:
    torch.save({"pose_dim": 96, "gen_dict": {"weight": torch.zeros(3)}}, tmp_path / "other.bin")
    (tmp_path / "text.safetensors").write_text("no tensors")
    (tmp_path / "code.bin").write_bytes(b"cposix\nsystem\n(S'touch /tmp/harm'\ntR.")
    for name in ("other.bin", "text.safetensors", "code.bin", "missing.bin"):
        with pytest.raises(PianoHandsError) as caught:
            autoencoder.load(tmp_path / name)
        assert caught.value.code == "bad-checkpoint"


def test_our_autoencoder_learns_to_make_clips_again(tmp_path: Path) -> None:
    clips = np.stack([np.tile(piano_motion.frames(32, seed)[:, POSE], (1, 2)) for seed in range(8)])
    untrained = autoencoder.fit(clips, steps=0, seed=0)
    trained = autoencoder.fit(clips, steps=150, seed=0)
    error = [
        float((model(torch.from_numpy(clips).float()) - torch.from_numpy(clips)).abs().mean()) for model in (untrained, trained)
    ]
    assert error[1] < 0.6 * error[0]
    autoencoder.save(trained, tmp_path / "ours.safetensors")
    assert np.array_equal(autoencoder.load(tmp_path / "ours.safetensors").features(clips), trained.features(clips))


def test_the_distance_of_equal_mixtures_is_nothing_and_of_moved_ones_how_far_they_were_moved(numbers) -> None:
    cloud = numbers["real0"].astype(float)
    assert mixtures.wgd(cloud, cloud) == pytest.approx(0.0, abs=1e-5)
    along = mixtures.principal_axes(cloud)[:, 0]
    assert mixtures.wgd(cloud, cloud + 0.3 * along) == pytest.approx(0.3, rel=1e-3)


def test_transport_takes_the_cheapest_way() -> None:
    cost = np.array([[1.0, 5.0], [2.0, 1.0]])
    assert mixtures.transport_cost(np.array([0.5, 0.5]), np.array([0.25, 0.75]), cost) == pytest.approx(0.25 + 5 * 0.25 + 0.5)


def test_acceleration_is_that_of_the_motion() -> None:
    """Of x = a t^2 / 2 it is a; the published one is not."""
    time = np.arange(20.0)
    pose = np.zeros((20, 48))
    pose[:, 3] = 0.5 * 0.02 * time**2
    np.testing.assert_allclose(measures.accelerations(pose), 0.02)
    assert np.abs(published.acceleration(pose)).mean() > 0.1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = piano_motion.small(tmp_path_factory.mktemp("data"))
    path = piano_motion.items(1, video="BV2")[0].midi(root)
    path.parent.mkdir(parents=True)
    path.write_bytes(PIECE.read_bytes())
    return root


def test_what_was_recorded_is_perfect_and_a_mean_pose_is_not(data: Path) -> None:
    cache = Cache.of(data)
    windows = [Cut(64).first(cache.load(item)) for item in piano_motion.items(2)]
    real = Motions.recorded(windows)
    evaluator = Evaluator(windows)
    perfect = evaluator.measure(given(real), [0, 1])["corrected"]["right"]
    assert all(perfect[name] == {"mean": pytest.approx(0.0, abs=1e-5), "spread": pytest.approx(0.0)} for name in perfect)
    mean = evaluator.measure(mean_pose([window.frames for window in windows], real), [0])["corrected"]["left"]
    assert mean["fid"]["mean"] > 0.1 and mean["wgd"]["mean"] > 0.1 and mean["fid"]["spread"] is None


def test_the_planners_own_hands_play_their_notes() -> None:
    clip = perform(first_seconds(read_midi(PIECE), 4.0))
    scores = note_scores(clip)
    assert scores.notes.f1 > 0.95 and scores.frames.f1 > 0.95
    lifted = note_scores(replace(clip, translation=clip.translation + np.float32([0, 0, 0.03])))
    assert lifted.notes.hits == 0


def test_evaluate_prints_both_columns_and_contact_and_writes_them(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tiny_s2c.checkpoint(tmp_path / "checkpoint")
    autoencoder.save(autoencoder.GestureAutoencoder(64), tmp_path / "own.safetensors")
    options = ["--seeds", "0", "1", "--steps", "2", "--contact", "1", "--device", "cpu"]
    options += ["--autoencoder", str(tmp_path / "own.safetensors"), "--out", str(tmp_path / "report")]
    assert main(["evaluate", "--checkpoint", str(checkpoint), "--data", str(data), *options]) == 0
    said = capfd.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert (tmp_path / "report.md").read_text() == said
    model = report["rows"]["model"]
    assert model["corrected"]["right"]["fid"]["mean"] > 1 and model["corrected"]["right"]["fid"]["spread"] > 0
    assert model["contact"]["after"]["note_f1"] >= model["contact"]["before"]["note_f1"]
    assert all(title in said for title in ("As published", "Corrected", "FGD", "note F1, before", "mean pose", "recorded"))
