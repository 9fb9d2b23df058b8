# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files: told apart by their first bytes, measured by their head, and devices told without torch."""

import struct
from pathlib import Path

import numpy as np
import pytest

from backend import devices
from backend.listen.audio import duration, read_mono
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.kind import Kind, kind_of
from tests import midi_files, tiny_s2c


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"MThd\x00\x00\x00\x06", Kind.MIDI),
        (b"RIFF\x00\x00\x00\x00RMID", Kind.MIDI),
        (b"RIFF\x00\x00\x00\x00WAVE", Kind.RECORDING),
        (b"RF64\xff\xff\xff\xffWAVE", Kind.RECORDING),
        (b"FORM\x00\x00\x00\x00AIFF", Kind.RECORDING),
        (b"ID3\x03\x00", Kind.RECORDING),
        (b"\xff\xfb\x90\x64", Kind.RECORDING),
        (b"fLaC\x00", Kind.RECORDING),
        (b"OggS\x00", Kind.RECORDING),
        (b"\x00\x00\x00\x20ftypM4A ", Kind.RECORDING),
        (b"", Kind.OTHER),
        (b"RIFF\x00\x00\x00\x00AVI ", Kind.OTHER),
        (b"This is no sound.", Kind.OTHER),
    ],
)
def test_a_file_is_what_its_first_bytes_say(tmp_path: Path, start: bytes, kind: Kind) -> None:
    (tmp_path / "file.mid").write_bytes(start)
    assert kind_of(tmp_path / "file.mid") is kind


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert kind_of(tmp_path / "nothing.wav") is Kind.OTHER and kind_of(tmp_path) is Kind.OTHER
    assert kind_of(midi_files.piece(tmp_path / "a.mid")) is Kind.MIDI
    assert kind_of(tiny_s2c.recording(tmp_path / "a.wav")) is Kind.RECORDING


def test_the_length_is_told_from_the_head_and_read_block_by_block(tmp_path: Path) -> None:
    path = tiny_s2c.recording(tmp_path / "a.wav", seconds=20.0)
    assert duration(path) == pytest.approx(20.0)
    heard: list[tuple[int, int]] = []
    sound = read_mono(path, rate=16000, tick=lambda done, total: heard.append((done, total)))
    assert len(sound) == 320_000 and 0.1 < np.abs(sound).max() < 1.0
    assert len(heard) == 2 and heard[-1] == (441_000, 441_000)


def test_an_unknown_length_is_taken_from_the_files_size(tmp_path: Path) -> None:
    path = tiny_s2c.recording(tmp_path / "a.wav", seconds=2.0)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # as written into a pipe
    path.write_bytes(data)
    assert duration(path) == pytest.approx(2.0, abs=0.01)
    assert len(read_mono(path, rate=16000)) == pytest.approx(32_000, abs=2)


@pytest.mark.parametrize("rate", [0, 1, 2**31 - 1])
def test_absurd_rates_are_refused(tmp_path: Path, rate: int) -> None:
    path = tiny_s2c.recording(tmp_path / "a.wav", seconds=1.0)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    with pytest.raises(PianoHandsError, match="no recording that can be read"):
        duration(path)


@pytest.mark.parametrize(
    ("version", "built"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda: Optional[str] = None\n", False),
        ("__version__ = '2.13.0+cu126'\ncuda: Optional[str] = '12.6'\nhip: Optional[str] = None\n", True),
        ("cuda = '12.6'\n", True),
        ("cuda = None\n", False),
        ("", False),
    ],
)
def test_a_build_for_cuda_is_told_from_torchs_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, built: bool
) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text("raise ImportError('must not be imported')\n")
    (tmp_path / "torch" / "version.py").write_text(version)
    monkeypatch.delitem(__import__("sys").modules, "torch", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert devices.built_for_cuda() == built
    monkeypatch.setattr(devices, "cuda_count", lambda: 0)
    assert devices.devices()[0] == "cpu" and "cuda" not in devices.devices()


def test_counting_devices_without_a_driver_is_no_error() -> None:
    assert devices.cuda_count() >= 0
