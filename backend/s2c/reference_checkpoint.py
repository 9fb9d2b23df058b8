# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads an experiment in the published layout. Nothing in its files is ever executed; large files are mapped."""

import argparse
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide

from .checkpoint import build, check_tensors, read_json
from .config import ModelConfig
from .inert_pickle import read_pickle
from .model import S2CModel
from .published_names import Source, partly_unused, translate, unused
from .published_sizes import bad_experiment, read_sizes

_LARGEST_PICKLE = 20_000_000  # bytes; names, shapes and settings of a thousand tensors take 0.2 million
_MOST_SHARED = 2  # a file's tensors may be this many times larger together than the file: some may share their numbers
_NO_CHECKPOINT = (
    *(zipfile.BadZipFile, RuntimeError, OSError, ValueError, EOFError, TypeError),
    *(AttributeError, LookupError, ArithmeticError, NotImplementedError, AssertionError, struct.error, MemoryError),
)


@dataclass(frozen=True)
class PublishedHand:
    """One hand's tensors under the published names, mapped from `path`, and how ours are made of them."""

    path: Path
    tensors: Mapping[str, Tensor]
    sources: Mapping[str, Source]
    config: ModelConfig

    def read(self, name: str) -> Tensor:
        """A tensor of ours. Raises PianoHandsError('bad-checkpoint')."""
        try:
            return self.sources[name].read(self.tensors)
        except (ValueError, RuntimeError, IndexError) as error:
            raise bad_experiment(f"{self.path.name}: {' and '.join(self.sources[name].names)} cannot be used: {error}.") from error

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor of ours, without touching its numbers. Raises what a tensor that does not fit raises in torch."""
        source = self.sources[name]
        return tuple(source.change(*(torch.empty(self.tensors[part].shape, device="meta") for part in source.names)).shape)

    def unused(self) -> dict[str, str]:
        """Published tensors that nothing uses, wholly or in part, and why."""
        told = {name: reason for name in self.tensors if (reason := unused(name))}
        return told | partly_unused(self.tensors)


def open_hand(folder: Path, side: HandSide) -> PublishedHand:
    """Open one hand's file and check every name and shape in it. Raises PianoHandsError('bad-checkpoint')."""
    if not folder.is_dir():
        raise bad_experiment(f"There is no folder {folder}.", "Give the folder that holds args.txt and the two .ckpt files.")
    settings, position_settings = _json(folder / "args.txt"), _json(folder / "args_posi.txt")
    encoder = _json(folder / "hubert_config.json") if (folder / "hubert_config.json").exists() else None
    path = find_file(folder, side)
    tensors = _safetensors(path) if path.suffix == ".safetensors" else _pickle(path)
    if not tensors:
        raise bad_experiment(f"{path.name} holds no tensors.")
    try:
        config = read_sizes(tensors, settings, position_settings, encoder)
    except (IndexError, TypeError, ValueError, ArithmeticError) as error:
        raise bad_experiment(f"{path.name} and its args files do not fit together: {error}.") from error
    sources, unknown = translate(tensors)
    if unknown:
        raise bad_experiment(f"{path.name} holds tensors that no S2C model has: {', '.join(unknown[:3])}.")
    hand = PublishedHand(path, tensors, sources, config)
    _check_shapes(hand)
    return hand


def load_reference(folder: Path) -> S2CModel:
    """The model of an experiment in the published layout, on the CPU in single precision."""
    hands = {side: open_hand(folder, side) for side in HandSide}
    check_alike([hand.config for hand in hands.values()])
    return build(hands[HandSide.RIGHT].config, lambda side, name: hands[side].read(name).float().contiguous())


def check_alike(configs: list[ModelConfig]) -> None:
    if configs[0] != configs[1]:
        raise bad_experiment("The two hands' checkpoints have different sizes.", "Take both from one experiment.")


def find_file(folder: Path, side: HandSide) -> Path:
    """weights_right.safetensors, or the .ckpt of that hand with the most iterations (counted, not spelt)."""
    plain = folder / f"weights_{side.word}.safetensors"
    found = {
        path: int(match[1])
        for path in folder.iterdir()
        if ".ckpt" in path.name and (match := re.match(rf"[^-]*-{side.word}-iter=(\d+)", path.name))
    }
    if not found and plain.exists():
        return plain
    if not found:
        raise bad_experiment(
            f"{folder} has no checkpoint of the {side.word} hand (piano2pose-{side.word}-iter=...ckpt).",
            "Give the folder that holds args.txt and the two .ckpt files.",
        )
    return max(found, key=lambda path: found[path])


def _check_shapes(hand: PublishedHand) -> None:
    shapes = dict[str, tuple[int, ...]]()
    for name in hand.sources:
        shapes[name] = tuple(hand.read(name).shape) if "pos_conv_embed.conv.weight" in name else _lazy_shape(hand, name)

    def spelt(name: str) -> str:
        """The published name; of one that is missing, after a neighbour in its layer."""
        if name in hand.sources:
            return hand.sources[name].names[-1]
        layer, _, last = name.rpartition(".")
        beside = next((source.names[-1] for ours, source in hand.sources.items() if ours.rpartition(".")[0] == layer), None)
        return f"{beside.rpartition('.')[0]}.{last}" if beside else f"for {name}"

    try:
        check_tensors(shapes, hand.config, hand.path.name, spelt=spelt)
    except PianoHandsError as error:
        raise bad_experiment(error.message, "Take both checkpoints and their args files from one experiment.") from error


def _lazy_shape(hand: PublishedHand, name: str) -> tuple[int, ...]:
    """Its shape; none where it does not fit."""
    try:
        return hand.shape(name)
    except (RuntimeError, ValueError, IndexError):
        return ()


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise bad_experiment(
            f"{path.parent} has no {path.name}.", "It belongs to the experiment; put it beside the checkpoints."
        ) from error
    except (OSError, ValueError) as error:
        raise bad_experiment(f"{path.name} cannot be used: {error}.") from error


def read_torch(path: Path) -> Any:
    """What torch.save wrote, by torch's own unpickler for weights: tensors and plain values alone, and the one Namespace.

    Raises PianoHandsError('bad-checkpoint').
    """
    try:
        _check_archive(path)
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", mmap=True, weights_only=True)
    except pickle.UnpicklingError as error:
        raise bad_experiment(
            f"{path.name} was not read: it asks for more than tensors and plain values, and could run foreign code.",
            "Take the checkpoint from where the authors published it.",
        ) from error
    except _NO_CHECKPOINT as error:
        raise bad_experiment(f"{path.name} is cut off or no checkpoint.") from error


def _pickle(path: Path) -> dict[str, Tensor]:
    """A .ckpt."""
    content = read_torch(path)
    return inert_tensors(path, content.get("state_dict") if isinstance(content, dict) else None)


def inert_tensors(path: Path, tensors: Any) -> dict[str, Tensor]:
    """The file's tensors by name, if they are no more than that. Raises PianoHandsError('bad-checkpoint')."""
    if not isinstance(tensors, dict) or not all(isinstance(name, str) for name in tensors):
        raise bad_experiment(f"{path.name} holds no state_dict of tensors.")
    left = _MOST_SHARED * path.stat().st_size
    for name, tensor in tensors.items():
        if not (isinstance(tensor, Tensor) and _plain(tensor)):
            raise bad_experiment(f"{path.name}: {name} is no plain tensor with numbers of its own.")
        left -= tensor.numel() * tensor.itemsize
    if left < 0:
        raise bad_experiment(f"{path.name} holds fewer numbers than its tensors claim.")
    return tensors


def _plain(tensor: Tensor) -> bool:
    """Real numbers in the file itself: a tensor may claim any shape over few of them (stride 0), or none at all."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu" or not tensor.is_floating_point():
        return False
    return tensor.numel() * tensor.itemsize <= tensor.untyped_storage().nbytes()


def _check_archive(path: Path) -> None:
    """What torch's own reader does not look at. Raises zipfile.BadZipFile, ValueError.

    torch stores all entries as they are; packed ones could unfold into any size. And its unpickler, which runs nothing foreign,
    hashes whatever is given for a key.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        _check_entries(path, entries)
        for entry in entries:
            if entry.filename.endswith(".pkl"):
                read_pickle(archive.read(entry), known=lambda name: True)


def _check_entries(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
        raise zipfile.BadZipFile("packed entries")
    if sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise zipfile.BadZipFile("entries that overlap")
    if any(entry.file_size > _LARGEST_PICKLE for entry in entries if entry.filename.endswith(".pkl")):
        raise zipfile.BadZipFile("an endless list of tensors")


class _Mapped(Mapping[str, Tensor]):
    """Tensors of a safetensors file, read when asked for."""

    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, framework="pt")
        self._names = list(self._file.keys())

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self):
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        return _Mapped(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise bad_experiment(f"{path.name} is cut off or no safetensors file.") from error
