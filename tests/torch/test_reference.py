# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C against numbers recorded from the published code, where a folder with them lies beside the project."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from safetensors.torch import load_file, save_file  # noqa: E402

from backend.s2c import checkpoint  # noqa: E402
from backend.s2c.import_checkpoint import import_checkpoint  # noqa: E402
from backend.s2c.verify import verify  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from tests.s2c_models import PUBLISHED  # noqa: E402
from tests.s2c_published import published_shapes  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"there is no {REFERENCE.name} folder beside the project")


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(REFERENCE, tmp_path / "experiment"))


def test_every_stage_equals_the_published_code() -> None:
    assert verify(REFERENCE)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card")
def test_every_stage_on_a_graphics_card_equals_the_published_code() -> None:
    assert verify(REFERENCE, "cuda")


def test_random_experiments_have_every_published_name_and_shape() -> None:
    shapes = json.loads((REFERENCE / "state_dict_shapes_full.json").read_text(encoding="utf-8"))
    assert published_shapes(PUBLISHED) == {name: tuple(shape) for name, shape in shapes.items()}


def test_numbers_that_differ_are_found(experiment: Path) -> None:
    with np.load(experiment / "outputs.npz", allow_pickle=False) as file:
        recorded = {name: file[name] for name in file.files}
    name = next(name for name, values in recorded.items() if values.dtype == np.float32)
    recorded[name] = recorded[name] + np.float32(3e-4)
    np.savez(experiment / "outputs.npz", **recorded)
    assert not verify(experiment)


def test_an_imported_checkpoint_loads_and_its_checksum_holds(experiment: Path, tmp_path: Path) -> None:
    imported = tmp_path / "imported"
    import_checkpoint(experiment, imported, precision="fp32", tell=lambda line: None)
    assert checkpoint.load(imported).config.diffusion_steps > 0


@pytest.mark.parametrize("fault", ["missing", "wrong shape"])
def test_a_spoilt_checkpoint_is_refused_by_name_and_nothing_is_left(experiment: Path, tmp_path: Path, fault: str) -> None:
    tensors = load_file(experiment / "weights_left.safetensors")
    name = next(name for name in tensors if name.endswith("mid_block1.block1.proj.weight"))
    spoilt = tensors.pop(name)
    if fault == "wrong shape":
        tensors[name] = spoilt[:1].clone()
    save_file(tensors, experiment / "weights_left.safetensors")
    with pytest.raises(PianoHandsError, match=r"mid_block1\.block1\.proj"):
        import_checkpoint(experiment, tmp_path / "imported", precision="fp32", tell=lambda line: None)
    assert not (tmp_path / "imported").exists()
