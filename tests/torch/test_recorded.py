# SPDX-License-Identifier: GPL-3.0-or-later
"""One hand's network, stage by stage, against numbers recorded from the published code (recorded/README.md says which)."""

import lzma
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from safetensors.torch import load  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from backend.s2c.audio_encoder import AudioEncoder, normalise  # noqa: E402
from backend.s2c.config import POSITION_SCALE, DenoiserConfig, PositionConfig, TransformerConfig  # noqa: E402
from backend.s2c.denoiser import Descent, HandCondition, HandDenoiser  # noqa: E402
from backend.s2c.losses import position_losses  # noqa: E402
from backend.s2c.masks import causal_bias  # noqa: E402
from backend.s2c.position import PositionPredictor  # noqa: E402
from backend.s2c.published_names import translate  # noqa: E402
from backend.s2c.schedule import NoiseSchedule  # noqa: E402
from backend.s2c.scheduler import AncestralScheduler  # noqa: E402
from backend.s2c.smoothing import smooth  # noqa: E402
from backend.s2c.verify import published_schedule  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
FOLDER = Path(__file__).parent / "recorded"
TOLERANCE = 1e-4
EVERY = 8  # frames, of what is kept of the longer outputs
FRAMES, FEATURES = 240, 32

ENCODER = {
    "model_type": "hubert",
    "hidden_size": FEATURES,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [16] * 7,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
POSITION = PositionConfig(TransformerConfig(width=40, layers=2, encoder_hidden=2048, decoder_hidden=40), hidden=128)
DENOISER = DenoiserConfig(
    widths=(16, 16, 32, 64, 128),
    transformer=TransformerConfig(width=FEATURES, layers=2, encoder_hidden=2048, decoder_hidden=32),
    remapped=32,
    coordination_hidden=256,
)


class Recorded:
    """The numbers, and the hand's parts with its weights."""

    def __init__(self) -> None:
        with lzma.open(FOLDER / "numbers.npz.xz") as packed, np.load(packed) as file:
            self.numbers = {name: file[name] for name in file.files}
        raw = np.frombuffer(lzma.decompress((FOLDER / "weights.safetensors.xz").read_bytes()), np.uint8)
        whole = np.empty_like(raw)
        middle = -(-len(raw) // 2)
        whole[::2], whole[1::2] = raw[:middle], raw[middle:]
        self._tensors = {name: tensor.float() for name, tensor in load(whole.tobytes()).items()}
        self.encoder = AudioEncoder(ENCODER)
        self.position = PositionPredictor(FEATURES, POSITION, FRAMES)
        self.denoiser = HandDenoiser(FEATURES, DENOISER, FRAMES)
        for word, part in (("encoder", self.encoder), ("position", self.position), ("denoiser", self.denoiser)):
            self._fill(word, part)

    def tensor(self, name: str) -> Tensor:
        return torch.from_numpy(self.numbers[name].astype(np.float32))

    def sound(self) -> Tensor:
        return normalise(self.tensor("pcm") / 32768)

    def _fill(self, word: str, part: nn.Module) -> None:
        """Every tensor of the part but the denoiser's condition transformer comes from the recording."""
        sources, unknown = translate(self._tensors)
        assert not unknown
        read = {name: source.read(self._tensors) for name, source in sources.items() if name.startswith(f"{word}.")}
        missed = part.load_state_dict({name.removeprefix(f"{word}."): value for name, value in read.items()}, strict=False)
        assert not missed.unexpected_keys
        assert not [name for name in missed.missing_keys if not name.startswith("condition.")]
        part.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    return Recorded()


def _condition(recorded: Recorded) -> HandCondition:
    positions = torch.cat([recorded.tensor("b1/left/position"), recorded.tensor("b1/right/position")], dim=-1)
    hand = recorded.denoiser
    return hand.guide(hand.fold(recorded.tensor("b1/left/xcond").transpose(1, 2)), positions)


def _descent(recorded: Recorded) -> Descent:
    return recorded.denoiser.descend(recorded.tensor("x_t").transpose(1, 2), torch.tensor([500]), _condition(recorded))


def _assert_equal(ours: Tensor | NDArray[np.floating], recorded: NDArray[np.generic]) -> None:
    found = ours.numpy() if isinstance(ours, Tensor) else ours
    assert found.shape == recorded.shape
    assert np.abs(found.astype(float) - recorded.astype(float)).max() < TOLERANCE


def test_loudness_is_normalised_as_published(recorded: Recorded) -> None:
    sound = recorded.sound()
    found = [sound.mean(), sound.std(correction=0), sound[0, 1000], sound[-1, 50000]]
    _assert_equal(np.array([float(value) for value in found]), recorded.numbers["b1/audio_norm_stats"])


def test_audio_encoder_equals_the_published_one(recorded: Recorded) -> None:
    convolved = recorded.encoder.convolve(recorded.sound())
    _assert_equal(convolved[:, :, 180:196], recorded.numbers["b1/left/conv_mid"])
    _assert_equal(recorded.encoder.encode(convolved, FRAMES)[:, ::EVERY], recorded.numbers["b1/left/hubert"])


def test_positions_equal_the_published_ones_with_and_without_the_causal_mask(recorded: Recorded) -> None:
    features = recorded.encoder.encode(recorded.encoder.convolve(recorded.sound()), FRAMES)
    _assert_equal(recorded.position(features, causal=True)[0], recorded.numbers["b1/left/position"])
    _assert_equal(recorded.position(recorded.tensor("b2/hubert"))[0], recorded.numbers["b2/position"][:1])


def test_the_way_down_equals_the_published_one(recorded: Recorded) -> None:
    down, numbers = _descent(recorded), recorded.numbers
    _assert_equal(down.time, numbers["b1/left/t_emb"])
    _assert_equal(down.start[:, :16].transpose(1, 2), numbers["b1/left/init_conv_head"])
    _assert_equal(np.array([float(skip.abs().mean()) for skip in down.skips]), numbers["b1/left/skip_means"])
    _assert_equal(down.bottleneck.transpose(1, 2), numbers["b1/left/bottleneck"])


def test_coordination_output_and_clean_signal_equal_the_published_ones(recorded: Recorded) -> None:
    down, numbers = _descent(recorded), recorded.numbers
    fused = recorded.denoiser.coordination(down.bottleneck, recorded.tensor("b1/right/bottleneck").transpose(1, 2))
    _assert_equal(fused.transpose(1, 2), numbers["b1/left/hcaa"])
    v = recorded.denoiser.ascend(fused, down).transpose(1, 2)
    _assert_equal(v[..., ::EVERY], numbers["b1/left/v_t500"])
    clean = NoiseSchedule.cosine(1000).clean(recorded.tensor("x_t"), v, 500)
    _assert_equal(clean[..., ::EVERY], numbers["step_t500/x0"])


@pytest.mark.parametrize("step", [999, 500, 1, 0])
def test_one_ancestral_step_equals_the_published_one(recorded: Recorded, step: int) -> None:
    scheduler = AncestralScheduler(NoiseSchedule.cosine(1000))
    x, clean = recorded.tensor("x_t")[..., ::EVERY], recorded.tensor(f"step_t{step}/x0")
    noise = recorded.tensor("step_noise")
    ours = scheduler.step(scheduler.steps.index(step), x, clean, before=None, noise=noise)
    _assert_equal(ours, recorded.numbers[f"step_t{step}/x_prev"])


def test_schedule_equals_the_published_one(recorded: Recorded) -> None:
    schedule = NoiseSchedule.cosine(20)
    for name, ours in published_schedule(schedule).items():
        _assert_equal(ours, recorded.numbers[f"schedule20/{name}"])


def test_causal_mask_equals_the_published_one(recorded: Recorded) -> None:
    mask = causal_bias(4, 900, 30).clamp(min=-1e9)
    _assert_equal(mask[:, :64, :64], recorded.numbers["biased_mask_4_900_30_head"])
    _assert_equal(mask[:, 239, :240], recorded.numbers["biased_mask_row239"])


def test_position_losses_equal_the_published_ones(recorded: Recorded) -> None:
    true = recorded.tensor("train/gt")
    losses = position_losses(recorded.tensor("b2/position"), true[..., 1:], true[..., 0] == 1)
    _assert_equal(np.array([float(loss) for loss in losses]), recorded.numbers["train/stage1_rec_vel"])


def test_smoothing_equals_the_published_one(recorded: Recorded) -> None:
    numbers = recorded.numbers
    _assert_equal(smooth(numbers["run20"].T.astype(float) * np.pi), numbers["post/pose"])
    _assert_equal(smooth(numbers["b1/left/position"][0].astype(float) * np.array(POSITION_SCALE)), numbers["post/trans"])


def test_a_small_change_of_a_weight_is_found() -> None:
    changed = Recorded()
    changed.denoiser.up[3].second.first.convolution.bias[0] += 0.01
    with pytest.raises(AssertionError):
        test_coordination_output_and_clean_signal_equal_the_published_ones(changed)
