# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints that were changed, damaged or made to do harm: refused with a sentence; nothing is run, no memory filled."""

import argparse
import builtins
import hashlib
import io
import json
import random
import shutil
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is installed for Python 3.11 only")

from safetensors.torch import load_file, save_file  # noqa: E402

from backend.s2c import checkpoint, reference_checkpoint  # noqa: E402
from backend.s2c.checkpoint import CONFIG, digest  # noqa: E402
from backend.s2c.import_checkpoint import import_checkpoint  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.hands import HandSide  # noqa: E402
from tests import tiny_s2c  # noqa: E402

torch.set_num_threads(1)  # many threads are slow beside other work
REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"there is no {REFERENCE.name} folder beside the project")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of ours with a few numbers."""
    return tiny_s2c.checkpoint(tmp_path_factory.mktemp("made"))


@pytest.fixture
def ours(made: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "ours"))


def refused(folder: Path, word: str = ".") -> None:
    begin = time.monotonic()
    with pytest.raises(PianoHandsError, match=word) as caught:
        checkpoint.load(folder)
    assert caught.value.code == "bad-checkpoint" and caught.value.hint
    assert time.monotonic() - begin < 2.0


def test_it_loads_as_it_was_written(ours: Path) -> None:
    assert checkpoint.load(ours).config.frames == tiny_s2c.TINY.frames


@pytest.mark.parametrize("file", ["right.safetensors", "left.safetensors"])
@pytest.mark.parametrize("place", [0.3, 0.999])
def test_a_changed_byte_is_found_on_loading(ours: Path, file: str, place: float) -> None:
    data = bytearray((ours / file).read_bytes())
    data[int(place * len(data))] ^= 1
    (ours / file).write_bytes(data)
    refused(ours, f"{file} is not what was imported: its SHA-256")


def test_a_missing_or_exchanged_file_is_found(ours: Path) -> None:
    (ours / "left.safetensors").replace(ours / "right.safetensors")
    refused(ours, "SHA-256")
    shutil.copy(ours / "right.safetensors", ours / "left.safetensors")
    (ours / "right.safetensors").unlink()
    refused(ours, r"lacks right\.safetensors")


def change_config(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads((folder / CONFIG).read_text())
    change(values)
    (folder / CONFIG).write_text(json.dumps(values))


def _at(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        *way, last = path.split(".")
        for part in way:
            values = values[part]
        values[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        *(_at("model.position.transformer.layers", value) for value in (10**9, 0, -1, 2.0, "2", True, None, [2])),
        *(_at("model.denoiser.transformer.width", value) for value in (10**12, 0)),
        *(_at("model.denoiser.widths", value) for value in ([], [8], [8] * 1000, [8, -8, 16], [8, "8"], 8, None)),
        *(_at("model.denoiser.groups", value) for value in (0, 7)),
        *(_at("model.denoiser.attention_heads", value) for value in (10**6, 0)),
        _at("model.denoiser.coordination_heads", 3),
        *(_at("model.frames", value) for value in (10**9, 0, 24, 61, float("inf"), float("nan"))),
        _at("model.diffusion_steps", 10**9),
        _at("model.condition", "anything"),
        _at("model.condition", ["audio_f"]),
        *(_at("model.encoder.num_hidden_layers", value) for value in (10**9, -1, [1], "many")),
        *(_at("model.encoder.conv_dim", value) for value in ([8] * 10**4, [8] * 6, [], 8, [[8] * 7], {"8": 8})),
        *(_at("model.encoder.hidden_act", value) for value in ("none such", 3)),
        _at("model.encoder.layer_norm_eps", float("nan")),
        _at("model.encoder.num_labels", 10**9),
        _at("model.encoder.auto_map", {"AutoModel": "somewhere--code.Model"}),
        _at("model.encoder.attn_implementation", "somebody/kernel"),
        _at("model.encoder", ["hubert"]),
        _at("model.more", 1),
        _at("model", None),
        _at("sha256", None),
        _at("sha256", {"right.safetensors": None}),
        _at("format", 2),
        lambda values: values.clear(),
    ],
)
def test_sizes_out_of_bounds_are_refused_at_once(ours: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    change_config(ours, change)
    refused(ours)


@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "7", "", "{", '{"format": 1e999}', " " * 2_000_000 + "{}", "\udcff"])
def test_a_config_that_is_none_is_refused(ours: Path, text: str) -> None:
    (ours / CONFIG).write_bytes(text.encode("utf-8", "surrogateescape"))
    refused(ours)


def _header(values: object, *, size: int | None = None, body: bytes = bytes(64)) -> bytes:
    text = json.dumps(values).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + body


def _entry(kind: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 8,
        _header({}, size=2**62),
        _header({}, size=90_000_000),
        _header({"a": _entry("F32", [16], 0, 64)}),
        _header({"a": _entry("F32", [2**62, 4], 0, 64)}),
        _header({"a": _entry("F32", [16], 0, 2**40)}),
        _header({"a": _entry("F32", [16], 64, 0)}),
        _header({"a": _entry("F32", [16], 0, 64), "b": _entry("F32", [16], 0, 64)}),
        _header({"a": _entry("none", [16], 0, 64)}),
        _header({"a": _entry("F32", [-16], 0, 64)}),
        _header({"a": _entry("F32", [], 0, 64)}),
        _header({"a": [[[[]]]]}),
        _header("a"),
    ],
)
def test_safetensors_headers_that_lie_are_refused(ours: Path, data: bytes) -> None:
    path = ours / "left.safetensors"
    path.write_bytes(data)
    change_config(ours, _at("sha256", {f"{side.word}.safetensors": digest(ours / f"{side.word}.safetensors") for side in HandSide}))
    refused(ours)


def test_tensors_that_are_not_real_numbers_or_too_many_are_named(ours: Path) -> None:
    path = ours / "left.safetensors"
    tensors = load_file(path)
    name = next(iter(tensors))
    for changed, word in (
        (tensors | {name: tensors[name].to(torch.int16)}, f"{name} does not hold real numbers"),
        (tensors | {name: tensors[name].to(torch.complex64)}, f"{name} does not hold real numbers"),
        (tensors | {"another": torch.zeros(1)}, "another"),
        ({other: value for other, value in tensors.items() if other != name}, name),
    ):
        save_file(changed, path)
        change_config(ours, lambda values: values["sha256"].update({path.name: digest(path)}))
        refused(ours, word.replace(".", r"\."))


# The published layout.


class _Call:
    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def _saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def _repacked(data: bytes, change: Callable[[str, bytes], bytes] = lambda name, data: data, *, method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return stream.getvalue()


WIDE = torch.zeros(1).expand(10**6, 10**6)
GOOD = _saved({"state_dict": {"a": torch.ones(1000)}, "hyper_parameters": argparse.Namespace(lr=1)})


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (_saved({"state_dict": {"a": WIDE}}), "a is no plain tensor"),
        (_saved({"state_dict": {"a": torch.eye(3).to_sparse()}}), "a is no plain tensor"),
        (_saved({"state_dict": {"a": torch.ones(3, device="meta")}}), "."),
        (_saved({"state_dict": {"a": torch.ones(3, dtype=torch.complex64)}}), "a is no plain tensor"),
        (_saved({"state_dict": {"a": torch.ones(3, dtype=torch.int64)}}), "a is no plain tensor"),
        (_saved({"state_dict": {"a": [1, 2]}}), "a is no plain tensor"),
        (_saved({"state_dict": {1: torch.ones(3)}}), "no state_dict"),
        (_saved({"state_dict": torch.ones(3)}), "no state_dict"),
        (_saved({}), "no state_dict"),
        (_saved([torch.ones(3)]), "no state_dict"),
        (_repacked(GOOD, method=zipfile.ZIP_DEFLATED), "cut off or no checkpoint"),
        (_repacked(GOOD, lambda name, data: b"\x80\x02]." if "pkl" in name else data, method=zipfile.ZIP_STORED), "state_dict"),
        (b"", "no checkpoint"),
        (b"\x80\x02}.", "no checkpoint"),
    ],
)
def test_published_files_whose_tensors_are_not_their_own_are_refused(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "piano2pose-left-iter=1.ckpt"
    path.write_bytes(data)
    with pytest.raises(PianoHandsError, match=word) as caught:
        reference_checkpoint._pickle(path)
    assert caught.value.code == "bad-checkpoint" and caught.value.hint


def test_a_good_published_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "good.ckpt"
    path.write_bytes(GOOD)
    assert list(reference_checkpoint._pickle(path)) == ["a"]


def test_tensors_that_share_more_than_the_file_holds_are_refused(tmp_path: Path) -> None:
    shared = torch.zeros(10_000)
    path = tmp_path / "shared.ckpt"
    torch.save({"state_dict": {str(number): shared for number in range(100)}}, path)
    with pytest.raises(PianoHandsError, match="fewer numbers"):
        reference_checkpoint._pickle(path)


def test_keys_that_take_for_ever_to_hash_are_refused_at_once(tmp_path: Path) -> None:
    """Sixty tuples that each hold the last one twice: 2 ** 60 steps."""
    doubled = b"".join(b"q%ch%c\x86" % (number, number) for number in range(60))
    path, begin = tmp_path / "endless.ckpt", time.monotonic()
    endless = b"\x80\x02})" + doubled + b"K\x01s."
    path.write_bytes(_repacked(GOOD, lambda name, data: endless if "pkl" in name else data, method=zipfile.ZIP_STORED))
    with pytest.raises(PianoHandsError, match="no checkpoint"):
        reference_checkpoint._pickle(path)
    assert time.monotonic() - begin < 2.0


def test_hostile_objects_in_a_published_file_run_nothing(tmp_path: Path) -> None:
    trace, path = tmp_path / "ran", tmp_path / "hostile.ckpt"
    write = f"open({str(trace)!r}, 'w')"
    for call in (_Call(open, str(trace), "w"), _Call(eval, write), _Call(builtins.exec, write), _Call(__import__, "os")):
        for content in ({"state_dict": {"a": call}}, {"state_dict": {}, "hyper_parameters": argparse.Namespace(lr=call)}, call):
            path.write_bytes(_saved(content))
            with pytest.raises(PianoHandsError, match="could run foreign code"):
                reference_checkpoint._pickle(path)
    assert not trace.exists()


def test_every_cut_and_many_a_changed_byte_of_a_published_file_is_our_error_or_a_value(tmp_path: Path) -> None:
    path, chance = tmp_path / "spoilt.ckpt", random.Random(0)
    with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        size = archive.getinfo(name).file_size
    start = GOOD.find(b"\x80\x02")
    for number in range(200):
        data = bytearray(GOOD)
        if number % 4 == 0:
            del data[chance.randrange(len(data)) :]
        for _ in range(chance.randint(1, 3)):
            place = start + chance.randrange(size) if number % 2 else chance.randrange(len(data))
            if place < len(data):
                data[place] = chance.randrange(256)
        path.write_bytes(data)
        try:
            reference_checkpoint._pickle(path)
        except PianoHandsError as error:
            assert error.code == "bad-checkpoint"


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    return Path(shutil.copytree(REFERENCE, tmp_path / "experiment", ignore=shutil.ignore_patterns("*puts.npz", "*.md")))


@needs_reference
@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("args.txt", _at("period", float("inf"))),
        ("args.txt", _at("period", -1)),
        ("args.txt", _at("period", [])),
        ("args.txt", _at("train_sec", 1e308)),
        ("args.txt", _at("train_sec", float("nan"))),
        ("args.txt", _at("train_sec", 1e6)),
        ("args.txt", _at("fusion", [4] * 3)),
        ("args.txt", _at("hidden_type", {})),
        ("args_posi.txt", _at("latest_layer", 10**4)),
        ("hubert_config.json", _at("num_hidden_layers", 10**9)),
        ("hubert_config.json", _at("conv_dim", [16] * 1000)),
        ("hubert_config.json", _at("hidden_size", "wide")),
        ("hubert_config.json", _at("conv_stride", [0] * 7)),
    ],
)
def test_settings_out_of_bounds_are_refused(experiment: Path, file: str, change: Callable[[dict[str, Any]], None]) -> None:
    values = json.loads((experiment / file).read_text())
    change(values)
    (experiment / file).write_text(json.dumps(values))
    refused(experiment)


@needs_reference
@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "", " " * 2_000_000])
def test_settings_that_are_none_are_refused(experiment: Path, text: str) -> None:
    (experiment / "args.txt").write_text(text)
    refused(experiment, r"args\.txt")


@needs_reference
def test_an_import_tells_the_sums_that_it_writes_down(experiment: Path, tmp_path: Path) -> None:
    told = list[str]()
    import_checkpoint(experiment, tmp_path / "imported", precision="fp16", tell=told.append)
    for side in HandSide:
        data = (tmp_path / "imported" / f"{side.word}.safetensors").read_bytes()
        assert f"{side.word}.safetensors: SHA-256 {hashlib.sha256(data).hexdigest()}" in told
