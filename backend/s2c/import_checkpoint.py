# SPDX-License-Identifier: GPL-3.0-or-later
"""From the published layout to our own: tensor by tensor, so that memory holds little more than one file's mapped pages."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.hands import HandSide

from .checkpoint import CONFIG, FORMAT
from .published_sizes import bad_experiment
from .reference_checkpoint import PublishedHand, check_alike, open_hand

PRECISIONS = {"fp16": torch.float16, "fp32": torch.float32}
_NAMES = {torch.float16: "F16", torch.float32: "F32"}


def import_checkpoint(
    experiment: Path, output: Path, *, precision: str = "fp16", tell: Callable[[str], None] = lambda line: None
) -> None:
    """Write `output`, a new folder, whole or not at all. Raises PianoHandsError."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise PianoHandsError("not-writable", f"{output} exists already.", "Give the name of a new folder.")
    configs = [open_hand(experiment, side).config for side in HandSide]
    check_alike(configs)
    stage = output.with_name(f".{output.name}.{os.getpid()}.new")
    try:
        stage.mkdir(parents=True)
        sums, files, dropped = dict[str, str](), dict[str, str](), dict[str, str]()
        for side in HandSide:
            hand = open_hand(experiment, side)  # once more, so that the other's pages are let go
            name = f"{side.word}.safetensors"
            sums[name] = write_hand(stage / name, hand, PRECISIONS[precision])
            files[side.word] = hand.path.name
            dropped |= hand.unused()
        for line in (*_grouped(dropped), *(f"{name}: SHA-256 {sums[name]}" for name in sums)):
            tell(line)
        about = {"precision": precision, "imported_from": files}
        content = {"format": FORMAT, "model": configs[0].to_json(), "sha256": sums, "about": about}
        (stage / CONFIG).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        if output.exists():
            output.rmdir()
        os.replace(stage, output)
    except OSError as error:
        raise write_failed(output, error) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def write_hand(path: Path, hand: PublishedHand, dtype: torch.dtype) -> str:
    """Write a safetensors file (https://github.com/huggingface/safetensors, Format) one tensor at a time; returns its SHA-256."""
    header, at = dict[str, object](), 0
    for name in hand.sources:
        shape = list(hand.shape(name))
        size = int(torch.tensor(shape).prod()) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    sha = hashlib.sha256()
    with open(path, "wb") as file:
        for piece in (len(text).to_bytes(8, "little"), text):
            file.write(piece)
            sha.update(piece)
        for piece in _pieces(hand, dtype):
            file.write(piece)
            sha.update(piece)
    return sha.hexdigest()


def _pieces(hand: PublishedHand, dtype: torch.dtype) -> Iterator[memoryview]:
    for name in hand.sources:
        tensor = hand.read(name)
        small = tensor.to(dtype).contiguous()
        _check_finite(tensor, small, name)
        yield memoryview(small.view(-1).view(torch.uint8).numpy())


def _check_finite(tensor: Tensor, small: Tensor, name: str) -> None:
    if bool(torch.isfinite(small).all()):
        return
    if bool(torch.isfinite(tensor).all()):
        raise bad_experiment(f"{name} holds numbers too large for half precision.", "Import it with --precision fp32.")
    raise bad_experiment(f"{name} holds something that is no number.")


def _grouped(dropped: dict[str, str]) -> list[str]:
    """One line for each reason, with the tensors' number and the first of them."""
    reasons = dict.fromkeys(dropped.values())
    lines = list[str]()
    for reason in reasons:
        names = sorted(name for name, why in dropped.items() if why == reason)
        lines.append(f"not used: {names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {reason}")
    return lines
