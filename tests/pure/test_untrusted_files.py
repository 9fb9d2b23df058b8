# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips and MIDI files made to do harm, or that came to harm: refused with a sentence; nothing is run, no memory filled."""

import io
import json
import pickle
import random
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend import score
from backend.score import read_midi
from s2c_blender.wire.archive import read_arrays
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import Fingering, NoteEvent, Score

Arrays = dict[str, np.ndarray]


class Hostile:
    """Unpickled, it would leave a file behind."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.trace), "w")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    still = np.zeros((30, 2, 16, 4), np.float32)
    still[..., 0] = 1.0
    one = np.zeros(1)
    fingering = Fingering(np.zeros(1, np.int8), np.ones(1, np.int8), one, one + 0.5, ("a remark",))
    clip = Clip(still, np.zeros((30, 2, 3), np.float32), 60.0, -1.0, Score((NoteEvent(0.0, 0.5, 60, 64),)), fingering)
    clip.save(tmp_path / "good.npz")
    return tmp_path / "good.npz"


def entry(array: np.ndarray, *, pickled: bool = False) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=pickled)
    return stream.getvalue()


def header(shape: tuple[int, ...], kind: str) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def with_entry(good: Path, name: str, data: bytes, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    """The clip with one entry replaced."""
    path = good.with_name("changed.npz")
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(path, "w", method) as new:
        for item in old.namelist():
            new.writestr(item, data if item == f"{name}.npy" else old.read(item))
    return path


def refused(path: Path, word: str = ".") -> None:
    with pytest.raises(PianoHandsError, match=word) as caught:
        Clip.load(path)
    assert caught.value.code == "bad-clip" and caught.value.hint


def test_a_clip_comes_back_as_it_was(good: Path) -> None:
    clip = Clip.load(good)
    assert clip.score.notes[0].pitch == 60 and clip.fingering.remarks == ("a remark",) and clip.rotation.flags.writeable


def test_objects_in_a_clip_are_never_made(good: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    objects = np.array([Hostile(trace)], dtype=object)
    refused(with_entry(good, "hand", entry(objects, pickled=True)), "numbers and text")
    np.save(tmp_path / "bare.npy", objects, allow_pickle=True)
    (tmp_path / "bare.pickle").write_bytes(pickle.dumps(Hostile(trace)))
    refused(tmp_path / "bare.npy")
    refused(tmp_path / "bare.pickle")
    assert not trace.exists()


@pytest.mark.parametrize(
    "data",
    [
        header((10**12,), "<f8"),
        header((10**12,), "<U0"),
        header((2**40, 2**40), "<f8") + b"\0" * 8,
        header((-1,), "<f8"),
        header((1,), "|V1000000000"),
        header((1,), "[('a', '<f8')]").replace(b"\"[('a', '<f8')]\"", b"[('a', '<f8')]    "),
        b"\x93NUMPY\x01\x00\xff\xff{'descr': __import__('os').system('true'), 'fortran_order': False, 'shape': ()}",
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"\x93NUMPY\x09\x00",
        b"",
    ],
)
def test_headers_that_lie_are_refused_before_memory_is_taken(good: Path, data: bytes) -> None:
    path = with_entry(good, "strike", data)
    tracemalloc.start()
    refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_a_small_file_cannot_unfold_into_a_large_one(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("rotation.npy", "w") as stream:
        stream.write(header((300_000_000,), "|u1"))
        for _ in range(300):
            stream.write(bytes(1_000_000))
    tracemalloc.start()
    refused(path, "would unfold to 300 MB")
    with pytest.raises(ValueError, match="unfold"):
        read_arrays(path, largest=1000)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


def test_an_archive_that_understates_its_size_is_refused(good: Path) -> None:
    path = with_entry(good, "translation", header((5_000_000,), "|u1") + bytes(5_000_000))
    data = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # the size unfolded, in the directory and before the entry
        start = 0
        while (start := data.find(mark, start)) >= 0:
            if b"translation" in data[start : start + 90]:
                data[start + place : start + place + 4] = struct.pack("<I", 1000)
            start += 4
    path.write_bytes(data)
    refused(path)


def test_entries_packed_otherwise_or_twice_are_refused(good: Path) -> None:
    refused(with_entry(good, "hand", entry(np.zeros(1, np.int8)), method=zipfile.ZIP_BZIP2), "packed")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(good, "a") as archive:
        archive.writestr("hand.npy", entry(np.zeros(1, np.int8)))
    refused(good, "twice")


def _about(change: Callable[[dict[str, Any]], None]) -> Callable[[Arrays], None]:
    def apply(arrays: Arrays) -> None:
        about = json.loads(str(arrays["about"]))
        change(about)
        arrays["about"] = np.array(json.dumps(about))

    return apply


def _set(name: str, value: Any) -> Callable[[Arrays], None]:
    return lambda arrays: arrays.update({name: np.asarray(value)})


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("finger"),
        _set("about", "[" * 100_000),
        _set("about", "{}"),
        _set("about", "7"),
        _set("rotation", np.zeros((30, 2, 16, 4), np.float32)),
        _set("rotation", np.full((30, 2, 16, 4), np.nan, np.float32)),
        _set("rotation", np.ones((0, 2, 16, 4), np.float32)),
        _set("translation", np.full((30, 2, 3), np.inf, np.float32)),
        _set("translation", np.zeros((30, 2, 3), complex).real.astype("<U3")),
        _set("note_time", [[np.nan, 1.0]]),
        _set("note_time", [1.0]),
        _set("note_pitch", [300]),
        _set("note_hand", [7]),
        _set("note_finger", [9]),
        _set("finger", [40]),
        _set("hand", [2]),
        _set("strike", np.zeros(5)),
        _set("pedal_value", [1, 2, 3]),
        *(_about(lambda about, fps=fps: about.update(fps=fps)) for fps in (0, -1, float("nan"), float("inf"), 1e9, "60", None)),
        _about(lambda about: about.update(start=float("-inf"))),
        _about(lambda about: about.update(hand_size=0)),
        _about(lambda about: about.update(octave=[])),
        _about(lambda about: about.update(remarks=[1])),
        _about(lambda about: about.update(made=3)),
        _about(lambda about: about.pop("made")),
    ],
)
def test_contents_that_make_no_clip_are_refused(good: Path, change: Callable[[Arrays], None]) -> None:
    arrays = read_arrays(good, largest=10**7)
    change(arrays)
    np.savez(good, **arrays)
    refused(good)


def test_every_cut_and_many_a_changed_byte_of_a_clip_is_our_error_or_a_clip(good: Path) -> None:
    whole, chance = good.read_bytes(), random.Random(0)
    path = good.with_name("spoilt.npz")
    for number in range(400):
        data = bytearray(whole)
        if number % 2:
            for _ in range(chance.randint(1, 5)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        else:
            del data[chance.randrange(len(data)) :]
        path.write_bytes(data)
        try:
            Clip.load(path)
        except PianoHandsError as error:
            assert error.code == "bad-clip"


def midi(track: bytes) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(track)) + track


ENDLESS = b"\xff" * 3000 + b"\x7f"  # a number of 21 000 bits


@pytest.mark.parametrize(
    "track",
    [
        b"\x00\x90\x3c\x40" + ENDLESS + b"\x80\x3c\x40\x00\xff\x2f\x00",
        b"\x00\x90\x3c\x40\x60\x80\x3c\x40" + ENDLESS + b"\xff\x51\x03\x07\xa1\x20\x00\xff\x2f\x00",
        b"\x00\x90\x3c\x40\x60\x80\x3c\x40\x00\xff\x01\xff\xff\xff\x7f",
        b"\x00\xf0" + ENDLESS,
    ],
)
def test_midi_events_without_end_are_refused(tmp_path: Path, track: bytes) -> None:
    path = tmp_path / "hostile.mid"
    path.write_bytes(midi(track))
    with pytest.raises(PianoHandsError) as caught:
        read_midi(path)
    assert caught.value.code in ("damaged", "truncated")


def test_a_midi_file_larger_than_any_piece_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "MAX_BYTES", 100)
    path = tmp_path / "large.mid"
    path.write_bytes(midi(b"\x00\x90\x3c\x40\x60\x80\x3c\x40" * 20))
    with pytest.raises(PianoHandsError) as caught:
        read_midi(path)
    assert caught.value.code == "too-long"
