# SPDX-License-Identifier: GPL-3.0-or-later
"""Training: what is made small, that it gets small, and that a killed run goes on as if it had not been killed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")
pytest.importorskip("accelerate")

from safetensors.torch import load_file  # noqa: E402

from backend.s2c import checkpoint  # noqa: E402
from backend.s2c.audio_encoder import normalise  # noqa: E402
from backend.training.batches import Batch  # noqa: E402
from backend.training.config import Stage, TrainingConfig, read_config  # noqa: E402
from backend.training.journal import read_lines  # noqa: E402
from backend.training.loop import BEST, LATEST, Listening, Places, fresh_model, train  # noqa: E402
from backend.training.pretrained import load_encoder  # noqa: E402
from backend.training.stages import GestureStage, PositionStage  # noqa: E402
from backend.training.state import newest  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.hands import HandSide  # noqa: E402
from tests import piano_motion  # noqa: E402
from tests.tiny_s2c import TINY  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work

SETTINGS = TrainingConfig(
    Stage.GESTURE,
    steps=4,
    batch=2,
    learning_rate=1e-3,
    ema=0.9,
    clip=1.0,
    workers=0,
    save_every=2,
    validate_every=4,
    validate_steps=2,
)


class Killed(Exception):
    """In a test, what SIGKILL is to a run."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return piano_motion.small(tmp_path_factory.mktemp("data"))


def run(data: Path, folder: Path, config: TrainingConfig, *, killed_at: int = 0) -> dict[str, float]:
    def step(done: int, total: int, loss: float) -> None:
        if done == killed_at:
            raise Killed

    return train(fresh_model(TINY, 0), config, Places(data, folder), device="cpu", listening=Listening(step=step))


@pytest.mark.parametrize("stage", list(Stage))
def test_a_killed_run_goes_on_bit_for_bit(data: Path, tmp_path: Path, stage: Stage) -> None:
    config = replace(SETTINGS, stage=stage, train_encoder=True)
    run(data, tmp_path / "whole", config)
    with pytest.raises(Killed):
        run(data, tmp_path / "killed", config, killed_at=3)
    run(data, tmp_path / "killed", config)
    for one in ("state", LATEST, BEST):
        files = list((tmp_path / "whole" / one).rglob("*.safetensors"))
        assert files
        for path in files:
            assert path.read_bytes() == (tmp_path / "killed" / path.relative_to(tmp_path / "whole")).read_bytes(), path
    assert read_lines(tmp_path / "whole") == read_lines(tmp_path / "killed")


def test_the_loss_gets_small_and_the_checkpoint_holds_what_was_learned(data: Path, tmp_path: Path) -> None:
    config = replace(SETTINGS, stage=Stage.POSITION, steps=60, ema=0.0, train_encoder=True, save_every=60, validate_every=30)
    found = run(data, tmp_path, config)
    losses = [line["train/loss"] for line in read_lines(tmp_path) if "train/loss" in line]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
    kept = checkpoint.load(tmp_path / LATEST)
    state = load_file(newest(tmp_path) / "tensors.safetensors")
    name = "positions.1.head.1.weight"
    assert torch.equal(kept.state_dict()[name], state[f"weight.{name}"])
    assert found["score"] == pytest.approx(found["position"] + found["velocity"])
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))


REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"


@pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"there is no {REFERENCE.name} folder beside the project")
@pytest.mark.parametrize("motion", [0.0, 0.1])
def test_losses_of_both_stages_equal_the_published_ones(motion: float) -> None:
    """The stages as they are trained, dropout off, on the recorded network; the sum over hands."""
    recorded, given, true = (dict(np.load(REFERENCE / f"{name}.npz")) for name in ("outputs", "inputs", "train_inputs"))

    def hands(values: dict[str, np.ndarray], name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([values[name.format(side.word)] for side in HandSide], axis=1).astype(np.float32))

    sound = normalise(torch.from_numpy(given["pcm"].astype(np.float32) / 32768))
    batch = Batch(sound, hands(true, "gt_{}"))
    model = checkpoint.load(REFERENCE)
    stage = PositionStage(model, train_encoder=False).train(False)
    with torch.no_grad():
        position = stage(batch, torch.Generator(), ready=False)
    wanted = sum(recorded[f"train/{side.word}/stage1_rec_vel"] for side in HandSide).tolist()
    assert [float(position["position"]), float(position["velocity"])] == pytest.approx(wanted, abs=1e-4)

    stage = GestureStage(model, motion=motion).train(False)
    with torch.no_grad():
        positions, conditions = model.place(model.features(sound))
        noise = hands(given, "x_t_{}").transpose(2, 3)
        losses = stage.losses(batch.pose, torch.from_numpy(true["t"]), noise, positions=positions, conditions=conditions)
    for side in HandSide:
        name = f"train/{side.word}/stage2_loss_w{'0.1' if motion else '0'}"
        assert float(losses[side.word]) == pytest.approx(recorded[name].item(), abs=1e-4)


def test_stage_two_leaves_encoders_and_positions_as_they_are(data: Path, tmp_path: Path) -> None:
    before = fresh_model(TINY, 0).state_dict()
    run(data, tmp_path, SETTINGS)
    after = checkpoint.load(tmp_path / LATEST).state_dict()
    changed = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"denoiser"}


def test_kept_features_train_as_computed_ones_do(data: Path, tmp_path: Path) -> None:
    """They are kept in half precision, and computed once."""
    told = list[str]()
    for name, kept in (("computed", False), ("kept", True), ("again", True)):
        config = replace(SETTINGS, cache_features=kept, stride=10)
        train(
            fresh_model(TINY, 0),
            config,
            Places(data, tmp_path / name, tmp_path / "cache"),
            device="cpu",
            listening=Listening(tell=told.append),
        )
    computed, kept, again = (
        np.array([line["train/loss"] for line in read_lines(tmp_path / name) if "train/loss" in line])
        for name in ("computed", "kept", "again")
    )
    np.testing.assert_allclose(kept, computed, rtol=1e-3)
    assert (kept == again).all()
    assert len([line for line in told if "were computed" in line]) == 1


def test_another_training_is_not_mixed_into_a_run(data: Path, tmp_path: Path) -> None:
    run(data, tmp_path, replace(SETTINGS, steps=2))
    with pytest.raises(PianoHandsError, match="learning_rate"):
        run(data, tmp_path, replace(SETTINGS, learning_rate=1e-4))


def test_the_defaults_are_the_papers_and_settings_go_over_them(tmp_path: Path) -> None:
    position, sizes, own = read_config(Stage.POSITION)
    assert (position.steps, position.batch, position.learning_rate, position.optimiser) == (200_000, 8, 2e-5, "adamw")
    assert sizes is not None and sizes.denoiser.widths == (256, 256, 512, 1024, 2048) and not own
    gesture, sizes, _ = read_config(Stage.GESTURE)
    assert (gesture.steps, gesture.batch, gesture.learning_rate, gesture.optimiser) == (800_000, 16, 1e-5, "adam")
    assert sizes is None
    (tmp_path / "own.toml").write_text('[train]\nbatch = 4\ndecay = "cosine"\n')
    mixed, _, _ = read_config(Stage.GESTURE, tmp_path / "own.toml", ["batch=6", "ema=0.999"])
    assert (mixed.batch, mixed.decay, mixed.ema) == (6, "cosine", 0.999)


@pytest.mark.parametrize("setting", ["batch=0", 'batch="2"', "bach=2", "batch", 'precision="fp8"'])
def test_a_wrong_setting_is_refused_by_name(setting: str) -> None:
    with pytest.raises(PianoHandsError) as caught:
        read_config(Stage.GESTURE, None, [setting])
    assert setting.split("=", maxsplit=1)[0] in caught.value.message


def test_a_pretrained_encoder_is_taken_from_a_folder_of_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    source = transformers.HubertModel(transformers.HubertConfig(**TINY.encoder)).eval()
    source.save_pretrained(tmp_path)
    model = fresh_model(TINY, 0)
    load_encoder(model, tmp_path)
    sound = normalise(torch.randn(1, TINY.samples, generator=torch.Generator().manual_seed(0)))
    for side in HandSide:
        convolved = model.encoder(side).convolve(sound)
        with torch.no_grad():
            expected = source(sound).last_hidden_state
            ours = model.encoder(side).encode(convolved, convolved.shape[-1])
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(PianoHandsError, match="cannot be used"):
        load_encoder(model, tmp_path / "nowhere")
