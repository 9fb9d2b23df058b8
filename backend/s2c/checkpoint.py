# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own checkpoints: a folder with config.json and one safetensors file a hand. `load` is the only way to a model."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.hands import HandSide

from .config import ModelConfig
from .model import S2CModel

FORMAT = 1
CONFIG = "config.json"
LARGEST_JSON = 1_000_000  # bytes
_REAL = ("F64", "F32", "F16", "BF16")  # as safetensors spells types of numbers
#: Where each hand's part of the model is found: our tensor names begin with the word.
_PARTS = {"encoder": "encoders", "position": "positions", "denoiser": "denoiser.hands"}


def bad(what: str, hint: str = "Import it again: python -m backend import-checkpoint EXPERIMENT_DIR -o OUT") -> PianoHandsError:
    return PianoHandsError("bad-checkpoint", what, hint)


@dataclass(frozen=True)
class Manifest:
    """What config.json says."""

    config: ModelConfig
    sha256: Mapping[str, str]  # of each file
    about: Mapping[str, Any]


def load(path: Path, *, as_stored: bool = False) -> S2CModel:
    """The model in a checkpoint folder, ours or in the published layout, or in a small model's one file.

    It is on the CPU, in evaluation mode, in single precision.

    `as_stored`: with numbers as they are in our files, for who moves them to a device anyway: half the memory meanwhile.

    Each file of ours is compared with the SHA-256 that the import wrote down, every time: that takes half a second for 700 MB,
    brings the file into memory for the reading that follows, and needs no memory of what was checked before. It finds damage,
    not forgery: who can change a file can change config.json too. Raises PianoHandsError('bad-checkpoint').
    """
    if path.is_file():
        return _load_small(path, as_stored=as_stored)
    if not (path / CONFIG).exists() and (path / "args.txt").exists():
        from .reference_checkpoint import load_reference

        return load_reference(path)
    manifest = read_manifest(path)
    files = {side: _open(path / f"{side.word}.safetensors", manifest) for side in HandSide}
    for side, file in files.items():
        shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        check_tensors(shapes, manifest.config, f"{side.word}.safetensors")

    def read(side: HandSide, name: str) -> Tensor:
        tensor = files[side].get_tensor(name)
        return tensor if as_stored else tensor.float()

    return build(manifest.config, read)


def save_small(model: S2CModel, path: Path, *, about: Mapping[str, Any]) -> None:
    """One file, in half precision, of a model whose hands share their numbers; the sizes stand in its header.

    Raises PianoHandsError('write-failed').
    """
    parts = hand_parts(model, HandSide.RIGHT)
    tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
    header = {"format": str(FORMAT), "model": json.dumps(model.config.to_json()), "about": json.dumps(dict(about))}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        save_file({name: value.detach().cpu().half().clone() for name, value in tensors.items()}, temporary, header)
        os.replace(temporary, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _load_small(path: Path, *, as_stored: bool) -> S2CModel:
    """Raises PianoHandsError('bad-checkpoint')."""
    file = _read_file(path)
    try:
        header = file.metadata() or {}
        if header["format"] != str(FORMAT):
            raise bad(
                f"{path} is of format {header['format'][:20]}; this version reads format {FORMAT}.", "Install the newest version."
            )
        config = ModelConfig.from_json(json.loads(header["model"]))
        if not config.shared:
            raise ValueError("a small model's hands share their numbers")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise bad(f"{path} cannot be used: {type(error).__name__}: {error}.", "Get the file again.") from error
    shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - it is no mapping
    check_tensors(shapes, config, path.name)
    return build(config, lambda side, name: file.get_tensor(name) if as_stored else file.get_tensor(name).float())


def read_manifest(path: Path) -> Manifest:
    """Raises PianoHandsError('bad-checkpoint')."""
    try:
        values = read_json(path / CONFIG)
        if values["format"] != FORMAT:
            raise bad(
                f"{path} is a checkpoint of format {values['format']}; this version reads format {FORMAT}.",
                "Install the newest version, or import the checkpoint again.",
            )
        return Manifest(ModelConfig.from_json(values["model"]), dict(values["sha256"]), dict(values.get("about", {})))
    except FileNotFoundError as error:
        raise bad(
            f"There is no checkpoint in {path}: it has no {CONFIG}.", "Give the folder that import-checkpoint wrote."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise bad(f"{path / CONFIG} cannot be used: {type(error).__name__}: {error}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A small file with a JSON object. Raises OSError, or ValueError for everything else."""
    with open(path, "rb") as file:
        data = file.read(LARGEST_JSON + 1)
    if len(data) > LARGEST_JSON:
        raise ValueError(f"it is larger than {LARGEST_JSON // 1_000_000} MB")
    try:
        values = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(values, dict):
        raise ValueError("it is no JSON object")
    return values


def save(model: S2CModel, path: Path, *, precision: torch.dtype = torch.float32, about: Mapping[str, Any] | None = None) -> None:
    """Write the folder that `load` reads, whole; what was there is replaced. Raises PianoHandsError('write-failed')."""
    stage = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        stage.mkdir(parents=True)
        sums = dict[str, str]()
        for side in HandSide:
            parts = hand_parts(model, side)
            tensors = {f"{part}.{name}": value for part, module in parts.items() for name, value in module.state_dict().items()}
            file = stage / f"{side.word}.safetensors"
            # Cloned: safetensors refuses tensors that share memory, as convolutions of both hands may.
            save_file({name: value.detach().cpu().to(precision).clone() for name, value in tensors.items()}, file)
            sums[file.name] = digest(file)
        content = {"format": FORMAT, "model": model.config.to_json(), "sha256": sums, "about": dict(about or {})}
        (stage / CONFIG).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        replace_folder(stage, path)
    except OSError as error:
        raise write_failed(path, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def replace_folder(new: Path, place: Path) -> None:
    """Put a finished folder where an older one may be. Raises OSError."""
    old = place.with_name(f".{place.name}.{os.getpid()}.old")
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


def build(config: ModelConfig, read: Callable[[HandSide, str], Tensor]) -> S2CModel:
    """A model whose tensors are those that `read(side, name)` gives: nothing is made twice."""
    model = skeleton(config)
    for side in HandSide:
        for name, part in hand_parts(model, side).items():
            names = list(part.state_dict())
            part.load_state_dict({key: read(side, f"{name}.{key}") for key in names}, assign=True)
    model.share_convolutions()
    return model.eval().requires_grad_(False)


def skeleton(config: ModelConfig) -> S2CModel:
    """The model without numbers. Raises PianoHandsError('bad-checkpoint') for sizes that fit no model."""
    try:
        with torch.device("meta"):
            return S2CModel(config)
    except (ValueError, RuntimeError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise bad(f"These sizes make no model: {error}.") from error


def hand_parts(model: S2CModel, side: HandSide) -> dict[str, nn.Module]:
    """The parts of the model that are one hand's."""
    return {name: model.get_submodule(f"{place}.{int(side)}") for name, place in _PARTS.items()}


def check_tensors(
    shapes: Mapping[str, tuple[int, ...]], config: ModelConfig, file: str, *, spelt: Callable[[str], str] = lambda name: name
) -> None:
    """Raises PianoHandsError('bad-checkpoint') that names a tensor that is missing, of the wrong shape, or too many."""
    parts = hand_parts(skeleton(config), HandSide.RIGHT)
    wanted = {f"{part}.{name}": tuple(value.shape) for part, module in parts.items() for name, value in module.state_dict().items()}
    for name, shape in wanted.items():
        if name not in shapes:
            raise bad(f"{file} lacks the tensor {spelt(name)}.")
        if shapes[name] != shape:
            numbers = math.prod(shapes[name])
            raise bad(f"{file}: the tensor {spelt(name)} has the wrong shape ({numbers} numbers instead of {math.prod(shape)}).")
    extra = sorted(set(shapes) - set(wanted))
    if extra:
        raise bad(f"{file} has a tensor too many for its sizes: {spelt(extra[0])}.")


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: Path, manifest: Manifest) -> Any:
    """The file, of which tensors are read when asked for."""
    if not path.exists():
        raise bad(f"The checkpoint {path.parent} lacks {path.name}.")
    try:
        if digest(path) != manifest.sha256.get(path.name):
            raise bad(
                f"{path.name} is not what was imported: its SHA-256 is not the one in {CONFIG}.",
                "It was changed or damaged since: copy the folder again, or import the checkpoint again.",
            )
    except (OSError, ValueError) as error:
        raise bad(f"{path.name} cannot be read.") from error
    return _read_file(path)


def _read_file(path: Path) -> Any:
    """A safetensors file of real numbers. Raises PianoHandsError('bad-checkpoint')."""
    try:
        file = safe_open(path, framework="pt")
        kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise bad(f"{path.name} is cut off or no safetensors file.") from error
    other = next((name for name, kind in kinds.items() if kind not in _REAL), None)
    if other is not None:
        raise bad(f"{path.name}: the tensor {other} does not hold real numbers.")
    return file
