# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole models with random numbers: every published audio encoder, work that is done once, and memory that runs out."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from torch import Tensor  # noqa: E402
from torch.nn import functional as F  # noqa: E402
from transformers import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model  # noqa: E402

from backend.device import Device  # noqa: E402
from backend.s2c import checkpoint  # noqa: E402
from backend.s2c.audio_encoder import AudioEncoder  # noqa: E402
from backend.s2c.config import ModelConfig  # noqa: E402
from backend.s2c.dual_denoiser import Conditioning, DualDenoiser  # noqa: E402
from backend.s2c.import_checkpoint import import_checkpoint  # noqa: E402
from backend.s2c.published_names import ENCODER  # noqa: E402
from backend.s2c.take import SamplingSettings, move, sample_take  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from tests.s2c_models import SMALL, random_model, with_encoder  # noqa: E402
from tests.s2c_published import random_tensors, write_experiment  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
CPU = Device(torch.device("cpu"), torch.float32)
GROUPED = {"conv_bias": False, "feat_extract_norm": "group", "do_stable_layer_norm": False}
TOPOLOGIES: dict[str, ModelConfig] = {
    "hubert-large": SMALL,
    "hubert-base": with_encoder(SMALL, **GROUPED),
    "wav2vec2-base": with_encoder(SMALL, model_type="wav2vec2", **GROUPED),
    "wav2vec2-large": with_encoder(SMALL, model_type="wav2vec2"),
}


def _sound(frames: int) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, frames * 16000 // 30).astype(np.float32)


def _as_published(config: ModelConfig, sound: Tensor) -> Tensor:
    """Features by transformers' own model, stretched to the frame rate between its convolutions and the rest."""
    values = {name: value for name, value in config.encoder.items() if name != "model_type"}
    wave2vec = config.encoder["model_type"] == "wav2vec2"
    model = Wav2Vec2Model(Wav2Vec2Config(**values)) if wave2vec else HubertModel(HubertConfig(**values))
    tensors = random_tensors(config, seed=0)
    missed = model.load_state_dict({name: tensors[f"{ENCODER}{name}"] for name in model.state_dict()})
    assert not missed.missing_keys
    model.eval()
    timed = F.interpolate(model.feature_extractor(sound), size=config.frames, mode="linear", align_corners=True)
    projected = model.feature_projection(timed.transpose(1, 2))
    return model.encoder(projected[0] if isinstance(projected, tuple) else projected).last_hidden_state


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_published_audio_encoder_is_told_from_its_tensors_and_makes_a_take(name: str, tmp_path: Path) -> None:
    config = TOPOLOGIES[name]
    model = checkpoint.load(write_experiment(tmp_path / "experiment", config))
    sound = torch.from_numpy(_sound(config.frames))[None]
    with torch.inference_mode():
        ours, published = model.features(sound)[0], _as_published(config, sound)
    assert torch.allclose(ours, published, atol=1e-5)
    sampled = sample_take(model, _sound(250), SamplingSettings(steps=2), device=CPU)
    assert sampled.pose.shape == (2, 250, 48)
    assert np.isfinite(sampled.pose).all()
    assert sampled.positions.std() > 0


def test_a_checkpoint_moved_as_stored_makes_the_take_that_a_whole_one_makes(tmp_path: Path) -> None:
    experiment = write_experiment(tmp_path / "experiment", SMALL)
    import_checkpoint(experiment, tmp_path / "ours", precision="fp16")
    whole, stored = (move(checkpoint.load(tmp_path / "ours", as_stored=stored), CPU) for stored in (False, True))
    one, other = (sample_take(model, _sound(250), SamplingSettings(steps=2), device=CPU) for model in (whole, stored))
    assert np.array_equal(one.pose, other.pose)


def test_what_is_computed_once_a_take_keeps_all_its_digits() -> None:
    hand = random_model(SMALL).denoiser.hand(0)
    before = {name: value.clone() for name, value in hand.state_dict().items()}
    hand.set_precision(torch.bfloat16, once=torch.float32)
    for name, value in hand.state_dict().items():
        once = name.startswith(("condition.", "remap.", "entry."))
        assert value.dtype == (torch.float32 if once else torch.bfloat16)
        assert not once or torch.equal(value, before[name])


def test_a_checkpoint_that_is_cut_off_is_refused_by_name(tmp_path: Path) -> None:
    import_checkpoint(write_experiment(tmp_path / "experiment", SMALL), tmp_path / "ours")
    file = tmp_path / "ours" / "left.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(PianoHandsError, match=r"left\.safetensors"):
        checkpoint.load(tmp_path / "ours")


@pytest.mark.parametrize(("alike", "times"), [(True, 1), (False, 2)])
def test_convolutions_are_computed_once_where_both_hands_have_the_same(
    monkeypatch: pytest.MonkeyPatch, alike: bool, times: int
) -> None:
    model = random_model(SMALL, apart=not alike)
    heard = list[Tensor]()
    convolve = AudioEncoder.convolve
    monkeypatch.setattr(AudioEncoder, "convolve", lambda self, sound: heard.append(sound) or convolve(self, sound))
    sound = torch.from_numpy(_sound(SMALL.frames))[None]
    with torch.inference_mode():
        features = model.features(sound)
        apart = [model.encoder(side).encode(convolve(model.encoder(side), sound), SMALL.frames) for side in (0, 1)]
    assert len(heard) == times
    assert all(torch.equal(one, other) for one, other in zip(features, apart, strict=True))


def _short_of_memory(monkeypatch: pytest.MonkeyPatch, holds: int) -> list[int]:
    """Let the denoiser run out of memory with more than so many windows; returns how many it is asked for each time."""
    forward, asked = DualDenoiser.forward, list[int]()

    def scarce(self: DualDenoiser, x: Tensor, step: Tensor, conditioning: Conditioning) -> Tensor:
        asked.append(len(x))
        if len(x) > holds:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, x, step, conditioning)

    monkeypatch.setattr(DualDenoiser, "forward", scarce)
    return asked


def test_a_batch_that_memory_does_not_hold_is_halved_and_the_take_stays_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sound, settings = random_model(SMALL), _sound(1500), SamplingSettings(steps=3, batch=8)
    plenty = sample_take(model, sound, settings, device=CPU)
    asked = _short_of_memory(monkeypatch, holds=2)
    scarce = sample_take(model, sound, settings, device=CPU)
    assert asked == [7, 4, 2, 2, 2, 1] + 2 * [2, 2, 2, 1]  # found out once, and kept to
    assert np.allclose(plenty.pose, scarce.pose, atol=1e-4)


def test_memory_that_does_not_hold_one_window_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = _short_of_memory(monkeypatch, holds=0)
    with pytest.raises(torch.OutOfMemoryError):
        sample_take(random_model(SMALL), _sound(1500), SamplingSettings(steps=3, batch=8), device=CPU)
    assert asked == [7, 4, 2, 1]


def test_memory_that_runs_out_while_listening_loses_no_window(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sound, settings = random_model(SMALL), _sound(1500), SamplingSettings(steps=1, batch=8)
    plenty = sample_take(model, sound, settings, device=CPU)
    encode, asked = AudioEncoder.encode, list[int]()

    def scarce(self: AudioEncoder, convolved: Tensor, frames: int) -> Tensor:
        asked.append(len(convolved))
        if len(convolved) > 3:
            raise RuntimeError("MPS backend out of memory")
        return encode(self, convolved, frames)

    monkeypatch.setattr(AudioEncoder, "encode", scarce)
    found = sample_take(model, sound, settings, device=CPU)
    assert max(asked[2:]) <= 3
    assert np.allclose(plenty.positions, found.positions, atol=1e-5)
    assert np.allclose(plenty.pose, found.pose, atol=1e-4)
