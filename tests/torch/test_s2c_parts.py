# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C's schedulers, windows and axes from closed forms; no weights are needed."""

import pickle

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from backend.s2c import axes  # noqa: E402
from backend.s2c.blocks import TimeEmbedding  # noqa: E402
from backend.s2c.losses import denoiser_loss  # noqa: E402
from backend.s2c.reference_checkpoint import _pickle  # noqa: E402
from backend.s2c.schedule import NoiseSchedule  # noqa: E402
from backend.s2c.scheduler import AncestralScheduler, SamplerKind, make_scheduler  # noqa: E402
from backend.s2c.windows import Stitch, Windows  # noqa: E402
from s2c_blender.motion import rotation  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402


@pytest.mark.parametrize("kind", list(SamplerKind))
def test_every_sampler_ends_at_the_signal_when_the_model_knows_it(kind: SamplerKind) -> None:
    scheduler = make_scheduler(kind, NoiseSchedule.cosine(50), 10)
    clean, x = torch.full((2, 4, 3), 0.3), torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0))
    for index in range(len(scheduler.steps)):
        x = scheduler.step(index, x, clean, before=clean, noise=torch.zeros_like(x))
    assert torch.allclose(x, clean, atol=1e-5)


def test_few_ancestral_steps_keep_the_signal_and_the_noise_of_the_steps_they_take() -> None:
    schedule, generator = NoiseSchedule.cosine(1000), torch.Generator().manual_seed(0)
    scheduler = AncestralScheduler(schedule, 10)
    clean = torch.zeros(200_000)
    signal, noisy = schedule.mix(scheduler.steps[0])
    x = signal * clean + noisy * torch.randn(len(clean), generator=generator)
    for index in range(4):
        x = scheduler.step(index, x, clean, before=None, noise=torch.randn(len(clean), generator=generator))
        assert abs(float(x.std()) - schedule.mix(scheduler.steps[index + 1])[1]) < 0.005


def test_the_time_embedding_tells_late_steps_apart_in_half_precision() -> None:
    torch.manual_seed(0)
    whole = TimeEmbedding(64)
    half = TimeEmbedding(64)
    half.load_state_dict(whole.state_dict())
    half.to(torch.bfloat16)
    steps = torch.tensor([901, 998, 999])
    assert torch.allclose(whole(steps), half(steps).float(), atol=0.02)


def test_an_error_of_v_costs_its_square_by_the_share_of_signal() -> None:
    schedule, step = NoiseSchedule.cosine(50), torch.tensor([3, 40])
    clean, noise = (torch.randn(2, 8, 5, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    kept = schedule.kept[step].float()[:, None, None]
    true = kept.sqrt() * noise - (1 - kept).sqrt() * clean
    for motion in (0.0, 0.1):  # an error that is the same on all frames moves nothing
        loss = denoiser_loss(schedule, true + 0.3, clean=clean, noise=noise, step=step, motion=motion)
        assert abs(float(loss) - 0.09 * float(kept.mean())) < 1e-6


def test_windows_that_agree_give_the_take_back() -> None:
    windows = Windows.over(1000, 240)
    take = torch.randn(2, 1000, 5, generator=torch.Generator().manual_seed(1))
    stitch = Stitch(windows, 5, torch.device("cpu"))
    stitch.add(0, windows.cut(take, 0, len(windows)))
    assert torch.allclose(stitch.take(), take, atol=1e-5)


def test_a_mirrored_input_gives_a_mirrored_clip() -> None:
    random = np.random.default_rng(2)
    turns = rotation.normalize(random.normal(size=(6, 2, 16, 4)))
    places = random.normal(size=(6, 2, 3))
    one = axes.both_hands(turns, places, wrist=axes.WRIST)
    other = axes.both_hands(turns[:, ::-1], places[:, ::-1], wrist=axes.WRIST)
    assert np.allclose(rotation.mirror(one[0])[:, ::-1], other[0])
    assert np.allclose((one[1] * axes.MIRROR)[:, ::-1], other[1])


def test_a_hostile_checkpoint_runs_nothing(tmp_path) -> None:
    class Hostile:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name, save in (
        ("a.ckpt", lambda path: torch.save({"state_dict": Hostile()}, path)),
        ("b.ckpt", lambda path: path.write_bytes(pickle.dumps(Hostile()))),
    ):
        save(tmp_path / name)
        with pytest.raises(PianoHandsError):
            _pickle(tmp_path / name)
    assert not (tmp_path / "ran").exists()
