# SPDX-License-Identifier: GPL-3.0-or-later
"""The S2C that reads notes: the mirror between its hands, its one file, takes of any length, training that goes on exactly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend import config  # noqa: E402
from backend.__main__ import main  # noqa: E402
from backend.data import synthesize  # noqa: E402
from backend.device import Device  # noqa: E402
from backend.s2c import checkpoint, take  # noqa: E402
from backend.s2c.config import DenoiserConfig, ModelConfig, PositionConfig, Scaling, TransformerConfig  # noqa: E402
from backend.s2c.model import S2CModel  # noqa: E402
from backend.s2c.note_roll import (  # noqa: E402
    CHANNELS,
    FINGER_LAYERS,
    FIRST_ROW,
    LAYERS,
    MIRROR_PITCH,
    ROWS,
    note_roll,
)
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.hands import HandSide  # noqa: E402
from s2c_blender.wire.keyboard import LOWEST, Keyboard  # noqa: E402
from s2c_blender.wire.notes import UNPLAYED, Fingering, NoteEvent, Score  # noqa: E402

CPU = Device(torch.device("cpu"), torch.float32)
TINY = ModelConfig(
    encoder={"model_type": "notes", "hidden_size": 16, "num_hidden_layers": 2},
    position=PositionConfig(TransformerConfig(16, 1, 16, 16), hidden=8),
    denoiser=DenoiserConfig(
        widths=(8, 8, 8, 8, 16), transformer=TransformerConfig(16, 1, 16, 16), coordination_heads=2, coordination_hidden=16
    ),
    frames=64,
    shared=True,
    pose_scaling=Scaling(((0.1,) * 48, (0.1,) * 48), (0.2,) * 48),
    position_scaling=Scaling(((0.0, 0.1, 0.8), (0.05, 0.1, 0.8)), (0.3, 0.1, 0.01)),
)
NOTES = (NoteEvent(0.1, 0.5, 60, 80), NoteEvent(0.5, 1.2, 66, 100), NoteEvent(0.6, 1.0, 40, 50))


def fingering(notes: tuple[NoteEvent, ...], hands: list[int], fingers: list[int]) -> Fingering:
    strike, release = (np.array([getattr(note, name) for note in notes]) for name in ("onset", "offset"))
    return Fingering(np.array(hands, dtype=np.int8), np.array(fingers, dtype=np.int8), strike, release)


FINGERS = fingering(NOTES, [HandSide.RIGHT, HandSide.RIGHT, HandSide.LEFT], [1, 4, UNPLAYED])


def tiny(seed: int = 0) -> S2CModel:
    torch.manual_seed(seed)
    return S2CModel(TINY).eval().requires_grad_(False)


def roll(frames: int = 64) -> np.ndarray:
    return note_roll(Score(NOTES), FINGERS, frames=frames)


def layers(roll: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(2, frames, LAYERS, ROWS) of keys, and (2, frames, FINGER_LAYERS, 5) of fingers."""
    keys = LAYERS * ROWS
    return roll[..., :keys].reshape(2, -1, LAYERS, ROWS), roll[..., keys:].reshape(2, -1, FINGER_LAYERS, 5)


def test_the_mirror_keeps_the_colours_of_keys_and_the_place_of_its_middle() -> None:
    board = Keyboard()
    middle = board.x[MIRROR_PITCH // 2 - LOWEST]
    for pitch in range(21, 104):
        image = MIRROR_PITCH - pitch
        assert board.black[pitch - LOWEST] == board.black[image - LOWEST]
        assert board.x[pitch - LOWEST] - middle == pytest.approx(middle - board.x[image - LOWEST], abs=0.002)


def test_each_hand_sees_its_own_strikes_and_what_the_other_holds() -> None:
    right, left = layers(roll())[0]
    assert right[3, 0, 60 - FIRST_ROW] == pytest.approx(0.5 + 80 / 254)  # 0.1 s is frame 3
    assert right[4:15, 1, 60 - FIRST_ROW].all() and not right[16:, 1, 60 - FIRST_ROW].any()
    assert right[20, 2, 40 - FIRST_ROW] == 1 and right[20, 1, 40 - FIRST_ROW] == 0
    assert left[18, 0, MIRROR_PITCH - 40 - FIRST_ROW] > 0.5 and left[20, 2, MIRROR_PITCH - 66 - FIRST_ROW] == 1
    one = (NoteEvent(0.25, 0.5, 60, 127),)
    between = layers(note_roll(Score(one), fingering(one, [HandSide.RIGHT], [1]), frames=16))[0]
    assert between[0, 7:9, 0, 60 - FIRST_ROW].tolist() == [0.5, 0.5]  # struck half-way between two frames


def test_each_hand_sees_which_of_its_fingers_strikes_and_where() -> None:
    right, left = layers(roll())[1]
    assert right[3, 0].argmax() == 0 and right[3, 0, 0] == pytest.approx(0.5 + 80 / 254)
    assert right[15, 0].argmax() == 3 and right[20, 1].tolist() == [0, 0, 0, 1, 0]
    assert right[20, 2, 3] == pytest.approx(2 * (66 - FIRST_ROW) / (ROWS - 1) - 1) and right[20, 2, 0] == 0
    assert not left.any()  # its one note has no finger


def test_hands_that_swap_their_notes_swap_their_motion() -> None:
    model, heard = tiny(), torch.from_numpy(roll())[None]
    x = torch.randn(1, 2, 64, 48, generator=torch.Generator().manual_seed(1))
    step = torch.tensor([300])

    def run(heard: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        positions, conditioning = model.prepare(heard)
        return model.denoiser(x, step, model.denoiser.guide(conditioning, positions))

    once, swapped = run(heard, x), run(heard.flip(1), x.flip(1))
    torch.testing.assert_close(once, swapped.flip(1), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(once[:, 0], once[:, 1], atol=1e-3)


def test_numbers_are_scaled_to_the_data_and_back() -> None:
    model = tiny()
    pose, positions = torch.rand(2, 2, 5, 48), torch.rand(2, 2, 5, 3)
    back = model.in_units(*model.own_numbers(pose, positions))
    torch.testing.assert_close(back, (pose, positions))
    assert model.in_units(torch.zeros(2, 1, 48), torch.zeros(2, 1, 3))[1][1, 0, 0] == pytest.approx(0.05)  # the left hand's middle


def test_one_file_holds_the_model_and_says_its_sizes(tmp_path: Path) -> None:
    model = tiny()
    checkpoint.save_small(model, tmp_path / "small.safetensors", about={"steps": 3})
    again = checkpoint.load(tmp_path / "small.safetensors")
    assert again.config == TINY and again.denoiser.hand(0) is again.denoiser.hand(1)
    for before, after in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(before.half().float(), after)
    data = (tmp_path / "small.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[:-100])
    (tmp_path / "other.safetensors").write_bytes(data.replace(b'\\"shared\\": true', b'\\"shared\\":false', 1))
    for name in ("cut", "other"):
        with pytest.raises(PianoHandsError) as refused:
            checkpoint.load(tmp_path / f"{name}.safetensors")
        assert refused.value.code == "bad-checkpoint"


def test_takes_are_as_long_as_their_rolls() -> None:
    model = take.move(tiny(), CPU)
    for frames in (20, 64, 150):
        sampled = take.sample_take(model, roll(frames), take.SamplingSettings(steps=2), device=CPU)
        assert sampled.pose.shape == (2, frames, 48) and sampled.positions.shape == (2, frames, 3)
        assert np.isfinite(sampled.pose).all()


def test_a_network_that_both_hands_share_sees_them_at_once_as_it_sees_each() -> None:
    model, chance = tiny(), torch.Generator().manual_seed(0)
    heard = torch.from_numpy(np.stack([roll(), 0.5 * roll(), np.zeros_like(roll())]))
    positions, conditioning = model.prepare(heard)
    conditioning = model.denoiser.guide(conditioning, positions)
    x = torch.randn(3, 2, 64, 48, generator=chance)
    for step in (torch.tensor([500]), torch.tensor([0, 500, 999])):
        apart = model.denoiser._apart(x, step, conditioning)
        torch.testing.assert_close(model.denoiser(x, step, conditioning), apart, rtol=0, atol=1e-5)


def test_a_midi_file_alone_becomes_a_take_with_its_notes_and_its_sound(tmp_path: Path) -> None:
    from backend.score import write_midi

    small = tmp_path / "small.safetensors"
    checkpoint.save_small(tiny(), small, about={})
    notes = tuple(NoteEvent(0.3 * i, 0.3 * i + 0.25, 60 + i, 64, HandSide(i % 2)) for i in range(8))
    write_midi(Score(notes), tmp_path / "a.mid")
    wanted = ["--prior", "s2c", "--checkpoint", str(small), "--steps", "2", "--fps", "25"]
    assert (
        main(["generate", str(tmp_path / "a.mid"), "-o", str(tmp_path / "take.npz"), "--audio", str(tmp_path / "a.wav"), *wanted])
        == 0
    )
    made = Clip.load(tmp_path / "take.npz")
    assert len(made.score.notes) == 8 and made.made["checkpoint"] == "small.safetensors"
    assert (tmp_path / "a.wav").stat().st_size > 100_000
    part = ["anew", str(tmp_path / "take.npz"), "--between", "0.5", "1.5", "-o", str(tmp_path / "b.npz"), "--seed", "5"]
    assert main([*part, *wanted[:-2]]) == 0
    assert len(Clip.load(tmp_path / "b.npz").score.notes) == 8


def test_training_that_was_cut_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.require(("accelerate", "tensorboardX"), "This test needs")
    monkeypatch.setattr(synthesize, "SHORTEST", 4.0)
    monkeypatch.setattr(synthesize, "LONGEST", 5.0)
    data = tmp_path / "data"
    for number in (0, 2, 3):
        synthesize.make(data, number, synthesize.Recipe((), camera="still", audio=False))
    synthesize.write_splits(data)
    sizes = replace(TINY, pose_scaling=None, position_scaling=None).to_json()
    (tmp_path / "tiny.toml").write_text(_toml(sizes), encoding="utf-8")

    def train(run: str, steps: int, workers: int = 0) -> None:
        told = ["--config", str(tmp_path / "tiny.toml"), "--device", "cpu", "--set", "batch=2", "--set", 'decay="constant"']
        told += ["--set", f"steps={steps}", "--set", "save_every=2", "--set", "validate_every=100", "--set", "validate_steps=1"]
        told += ["--set", f"workers={workers}"]
        assert main(["train", "notes", "--data", str(data), "-o", str(tmp_path / run), *told]) == 0

    train("whole", 4)
    train("cut", 2)
    train("cut", 4, workers=1)  # windows that another process cuts are the same
    whole, cut = (checkpoint.load(tmp_path / run / "latest") for run in ("whole", "cut"))
    for before, after in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(before, after)
    assert whole.config.pose_scaling is not None and whole.config.pose_scaling.middle[0] == whole.config.pose_scaling.middle[1]


def _toml(model: dict) -> str:
    lines = ["[model]", f"frames = {model['frames']}", "shared = true"]
    for table in ("encoder", "position", "denoiser"):
        lines.append(f"[model.{table}]")
        for name, value in model[table].items():
            if isinstance(value, dict):
                lines.append(f"{name} = {{ " + ", ".join(f"{key} = {number}" for key, number in value.items()) + " }")
            elif value is not None:
                text = (
                    str(value).lower()
                    if isinstance(value, bool)
                    else f'"{value}"'
                    if isinstance(value, str)
                    else list(value)
                    if isinstance(value, tuple)
                    else value
                )
                lines.append(f"{name} = {text}")
    return "\n".join(lines) + "\n"


def test_the_rolls_channels_are_what_the_encoder_takes() -> None:
    assert roll().shape == (2, 64, CHANNELS)
