# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound files: told apart by their first bytes, measured by their head, and devices told without torch."""

import struct
from pathlib import Path

import numpy as np
import pytest

from backend import devices
from backend.listen.audio import duration, mono_blocks, read_mono
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.kind import Kind, kind_of
from tests import midi_files, sound_files, wav_files


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
    assert kind_of(wav_files.recording(tmp_path / "a.wav")) is Kind.RECORDING


def test_the_length_is_told_from_the_head_and_read_block_by_block(tmp_path: Path) -> None:
    path = wav_files.recording(tmp_path / "a.wav", seconds=20.0)
    assert duration(path) == pytest.approx(20.0)
    heard: list[tuple[int, int]] = []
    sound = read_mono(path, rate=16000, tick=lambda done, total: heard.append((done, total)))
    assert len(sound) == 320_000 and 0.1 < np.abs(sound).max() < 1.0
    assert len(heard) == 2 and heard[-1] == (441_000, 441_000)


def test_an_unknown_length_is_taken_from_the_files_size(tmp_path: Path) -> None:
    path = wav_files.recording(tmp_path / "a.wav", seconds=2.0)
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"  # as written into a pipe
    path.write_bytes(data)
    assert duration(path) == pytest.approx(2.0, abs=0.01)
    assert len(read_mono(path, rate=16000)) == pytest.approx(32_000, abs=2)


@pytest.mark.parametrize("rate", [0, 1, 2**31 - 1])
def test_absurd_rates_are_refused(tmp_path: Path, rate: int) -> None:
    path = wav_files.recording(tmp_path / "a.wav", seconds=1.0)
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


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "m4a", "mp4", "mov"])
def test_every_common_format_sounds_the_same(tmp_path: Path, suffix: str) -> None:
    time = np.arange(48_000) / 48_000
    tone = (0.5 * np.sin(2 * np.pi * 440.0 * time) * (time > 0.5)).astype(np.float32)
    path = tmp_path / f"tone.{suffix}"
    sound_files.write(path, np.stack([tone, tone]), rate=48_000)
    assert kind_of(path) is Kind.RECORDING and duration(path) == pytest.approx(1.0, abs=0.1)
    heard = read_mono(path, rate=16_000, seconds=5.0) if suffix != "mp4" else np.concatenate(list(mono_blocks(path, rate=16_000)))
    assert np.argmax(np.abs(heard) > 0.1) / 16_000 == pytest.approx(0.5, abs=0.03)
    spectrum = np.abs(np.fft.rfft(heard[8_400:15_600]))
    assert np.argmax(spectrum) * 16_000 / 7_200 == pytest.approx(440.0, abs=3.0)


def test_a_film_without_sound_is_no_recording(tmp_path: Path) -> None:
    sound_files.silent_film(tmp_path / "a.mp4")
    with pytest.raises(PianoHandsError, match="no sound"):
        duration(tmp_path / "a.mp4")


def test_a_damaged_recording_gives_an_error_or_what_is_left(tmp_path: Path) -> None:
    for suffix in ("mp3", "m4a", "flac", "ogg"):
        path = tmp_path / f"a.{suffix}"
        sound_files.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, (1, 96_000)).astype(np.float32), rate=48_000)
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
        path.write_bytes(data[: len(data) * 3 // 4])
        try:
            assert sum(map(len, mono_blocks(path, rate=16_000))) <= 33_000
        except PianoHandsError as error:
            assert error.code == "not-sound" and error.hint


def test_samples_that_are_no_numbers_are_silence(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(str(tmp_path / "a.wav"), np.full((16_000, 3), np.nan, np.float32), 16_000, subtype="FLOAT")
    assert not read_mono(tmp_path / "a.wav", rate=16_000).any()
