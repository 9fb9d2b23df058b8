# SPDX-License-Identifier: GPL-3.0-or-later
"""The way from MIDI to clip: bad input is refused before any work, and nothing half-done is left."""

import errno
import shutil
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend import config, pipeline
from backend.__main__ import main
from backend.s2c.mano import read_mano
from s2c_blender.wire import places
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.messages import Generate
from tests import midi_files, wav_files
from tests.mano_files import mano_arrays


class Listening:
    """Notes what a job says; wants it to stop once it has said `stop_at`."""

    def __init__(self, stop_at=None):
        self.stages, self.warnings, self.stop_at = [], [], stop_at

    def report(self, stage, done, total):
        assert 0 <= done <= total
        self.stages.append(stage)

    def warn(self, warning):
        self.warnings.append(warning)

    def cancelled(self):
        return self.stop_at in self.stages


@pytest.fixture
def no_work(monkeypatch):
    """Fails the test when work begins."""
    import backend.perform

    def perform(*_, **__):
        raise AssertionError("worked on bad input")

    monkeypatch.setattr(backend.perform, "perform", perform)


def request(tmp_path, piece, **changes):
    values = {"output": str(tmp_path / "take.npz"), "audio_output": str(tmp_path / "take.wav")} | changes
    return Generate("test", str(piece), **values)


def names(folder: Path):
    return sorted(path.name for path in folder.iterdir())


def refused(asked, code, listener=None):
    with pytest.raises(PianoHandsError) as caught:
        pipeline.generate(asked, listener or Listening())
    assert caught.value.code == code
    assert caught.value.message and caught.value.hint
    return caught.value


def test_a_piece_becomes_a_clip_and_its_sound(tmp_path):
    listener = Listening()
    asked = request(tmp_path, midi_files.piece(tmp_path / "piece.mid"), seed=4, fps=30.0)
    assert pipeline.generate(asked, listener) == tmp_path / "take.npz"
    clip = Clip.load(tmp_path / "take.npz")
    assert [note.pitch for note in clip.score.notes] == [60, 61, 62, 63, 64, 65]
    assert clip.fps == 30.0 and clip.rate == 60.0
    assert clip.made["seed"] == 4 and clip.made["input"] == "piece.mid" and clip.made["version"]
    assert np.isfinite(clip.rotation).all() and np.isfinite(clip.translation).all()
    with wave.open(str(tmp_path / "take.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() > clip.score.duration
    assert names(tmp_path) == ["piece.mid", "take.npz", "take.wav"]
    assert list(dict.fromkeys(listener.stages)) == ["reading", "fingering", "planning", "solving", "sound", "saving"]
    assert listener.warnings == []


def test_only_the_first_seconds_are_taken(tmp_path):
    asked = request(tmp_path, midi_files.piece(tmp_path / "piece.mid"), seconds=0.7, audio_output=None)
    pipeline.generate(asked, Listening())
    score = Clip.load(tmp_path / "take.npz").score
    assert [note.onset for note in score.notes] == pytest.approx([0.0, 0.3, 0.6])
    assert score.duration == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: path, "no-file"),
        (midi_files.not_midi, "not-midi"),
        (midi_files.truncated, "truncated"),
        (midi_files.without_notes, "no-notes"),
        (midi_files.absurd_tempo, "bad-tempo"),
        (midi_files.endless, "too-long"),
    ],
)
def test_bad_input_is_refused_before_any_work_and_loses_nothing(tmp_path, no_work, make, code):
    piece = make(tmp_path / "piece.mid")
    (tmp_path / "take.npz").write_bytes(b"what was there before")
    before = names(tmp_path)
    refused(request(tmp_path, piece), code)
    assert names(tmp_path) == before
    assert (tmp_path / "take.npz").read_bytes() == b"what was there before"


@pytest.mark.parametrize(
    "bad",
    [
        {"fps": 0.0},
        {"fps": 1e6},
        {"hand_size": 22.0},
        {"style": 1.5},
        {"seed": -1},
        {"seconds": 0.0},
        {"octave": 1.0},
        {"steps": 0},
        {"prior": "s2c", "steps": 1001},
        {"on_keys": 1.5},
        {"on_keys": -0.1},
    ],
)
def test_senseless_settings_are_refused_with_what_would_make_sense(tmp_path, no_work, bad):
    assert "Choose one from" in refused(request(tmp_path, tmp_path / "piece.mid", **bad), "bad-setting").hint


@pytest.mark.parametrize(
    ("bad", "words"),
    [({"raw": True}, "raw"), ({"begin": 1.0}, "one end"), ({"begin": 1.0, "end": 3.0}, "no take")],
)
def test_what_does_not_go_together_is_refused(tmp_path, no_work, bad, words):
    piece = midi_files.piece(tmp_path / "piece.mid")
    assert words in refused(request(tmp_path, piece, **bad), "bad-setting").message


def test_bars_of_a_take_are_made_anew_and_the_rest_is_kept(tmp_path):
    piece = midi_files.piece(tmp_path / "piece.mid", notes=24)
    take, other = tmp_path / "take.npz", tmp_path / "other.npz"
    assert main(["generate", str(piece), "-o", str(take), "--seed", "4"]) == 0
    assert main(["anew", str(take), "--bars", "2-3", "--seed", "5", "--style", "0.9", "-o", str(other)]) == 0
    before, after = Clip.load(take), Clip.load(other)
    assert before.score.bars == pytest.approx([0.0, 2.0, 4.0, 6.0]) and after.score == before.score
    kept = (before.times < 1.99) | (before.times > 6.02)
    np.testing.assert_array_equal(after.rotation[kept], before.rotation[kept])
    assert (after.rotation != before.rotation).any()
    assert after.made["seed"] == 4 and after.made["again"][0]["seed"] == 5 and after.made["input"] == "piece.mid"
    assert main(["anew", str(take), "--bars", "9", "-o", str(other)]) == 1
    assert main(["anew", str(take), "--between", "1", "1.5", "-o", str(other)]) == 1


def test_a_recording_is_refused_in_words_where_nothing_can_hear_its_notes(tmp_path, no_work, monkeypatch):
    monkeypatch.setattr(config, "missing_packages", lambda needed=(): ("transkun",))
    error = refused(request(tmp_path, wav_files.recording(tmp_path / "piece.mid", seconds=1.0)), "no-torch")
    assert "transkun" in error.message and "preferences" in error.hint


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"Dear diary, this is a text.", "not-sound"), (b"", "not-sound"), (None, "no-file"), (b"ID3\x04" + bytes(300), "not-sound")],
)
def test_what_is_no_recording_is_refused_before_any_work(tmp_path, no_work, full_level, content, code):
    if content is not None:
        (tmp_path / "a.mp3").write_bytes(content)
    error = refused(request(tmp_path, tmp_path / "a.mp3"), code)
    assert "a.mp3" in error.message and "\n" not in str(error)


def test_a_few_milliseconds_are_no_recording(tmp_path, no_work, full_level):
    assert "5 ms" in refused(request(tmp_path, wav_files.recording(tmp_path / "a.wav", seconds=0.005)), "too-short").message


def test_a_recording_needs_no_second_one_and_a_second_one_is_sound(tmp_path, no_work, full_level):
    sound, piece = wav_files.recording(tmp_path / "a.wav"), midi_files.piece(tmp_path / "a.mid")
    refused(request(tmp_path, sound, recording=str(sound)), "bad-setting")
    refused(request(tmp_path, piece, recording=str(piece)), "not-sound")
    refused(replace(listening(tmp_path, sound), recording=str(sound)), "bad-setting")


def test_another_piece_is_not_aligned(tmp_path):
    sound, piece = wav_files.recording(tmp_path / "a.wav"), midi_files.piece(tmp_path / "a.mid", notes=40, seconds_apart=0.11)
    refused(request(tmp_path, piece, recording=str(sound)), "not-aligned")


@pytest.fixture
def full_level(monkeypatch):
    """As if torch were there; it is not asked for anything."""
    monkeypatch.setattr(config, "missing_packages", lambda *_: ())


def listening(tmp_path, recording, **changes):
    (tmp_path / "checkpoint").mkdir(exist_ok=True)
    values = {"prior": "s2c", "checkpoint": str(tmp_path / "checkpoint"), "audio_output": None}
    return request(tmp_path, recording, **(values | changes))


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"checkpoint": None}, "checkpoint"), ({"checkpoint": ""}, "checkpoint"), ({"audio_output": "x.wav"}, "sound")],
)
def test_s2c_needs_a_checkpoint_and_writes_no_sound(tmp_path, full_level, changes, named, monkeypatch):
    monkeypatch.setattr(places, "shipped_weights", lambda: None)
    assert named in refused(listening(tmp_path, tmp_path / "a.wav", **changes), "bad-setting").message


def test_s2c_without_its_packages_is_refused_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "missing_packages", lambda *_: ("transformers",))
    asked = listening(tmp_path, wav_files.recording(tmp_path / "a.wav"))
    assert "transformers" in refused(asked, "no-torch").message


def test_a_folder_that_is_none_is_no_checkpoint(tmp_path, full_level):
    recording = wav_files.recording(tmp_path / "a.wav")
    for folder in (tmp_path / "nowhere", recording):
        assert folder.name in refused(listening(tmp_path, recording, checkpoint=str(folder)), "bad-checkpoint").message


@pytest.mark.parametrize(
    ("content", "code", "named"),
    [
        (None, "no-file", "a.wav"),
        (b"", "not-sound", "no recording"),
        (b"ID3" + bytes(100), "not-sound", "no recording"),
        (b"RIFF\xff\xff\xff\xffWAVEfmt ", "not-sound", "no recording"),
    ],
)
def test_what_is_no_recording_is_refused_with_what_to_choose(tmp_path, full_level, content, code, named):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    error = refused(listening(tmp_path, tmp_path / "a.wav"), code)
    assert named in error.message and (code == "no-file" or "plays elsewhere" in error.hint)
    assert not (tmp_path / "take.npz").exists()


@pytest.mark.parametrize(("content", "code"), [(None, "no-file"), (b"", "bad-mano"), (b"\x80\x02}.", "bad-mano")])
def test_a_mano_file_that_is_none_is_refused_before_any_work(tmp_path, full_level, content, code):
    recording, mano, listener = wav_files.recording(tmp_path / "a.wav"), tmp_path / "MANO_RIGHT.pkl", Listening()
    if content is not None:
        mano.write_bytes(content)
    before = [*names(tmp_path), "checkpoint"]
    assert mano.name in refused(listening(tmp_path, recording, mano=str(mano)), code, listener).message
    assert listener.stages == ["reading"] and names(tmp_path) == sorted(before)


def test_a_midi_file_is_no_recording_for_s2c(tmp_path, full_level):
    error = refused(listening(tmp_path, midi_files.piece(tmp_path / "a.wav")), "not-sound")
    assert "MIDI" in error.message and "planner" in error.hint and "beside" in error.hint


def test_a_long_recording_brings_a_warning_before_the_work_and_can_be_cancelled_while_it_is_read(tmp_path, full_level):
    recording = tmp_path / "long.wav"
    with wave.open(str(recording), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", ""))
        file.writeframes(bytes([128]) * 8000 * 1860)
    listener = Listening(stop_at="reading")
    with pytest.raises(Cancelled):
        pipeline.generate(listening(tmp_path, recording, steps=20, raw=True), listener)
    assert [warning.code for warning in listener.warnings] == ["long-piece"]
    assert "0 h 31 min: 20 steps" in listener.warnings[0].message and "1.5 GB" in listener.warnings[0].message
    assert listener.stages == ["reading", "reading"]  # the first block and no more


def test_less_than_a_second_is_too_short(tmp_path, full_level):
    recording = wav_files.recording(tmp_path / "a.wav", seconds=3.0)
    refused(listening(tmp_path, recording, seconds=0.5), "too-short")


def test_what_a_take_is_made_from_is_not_written_over(tmp_path, full_level):
    recording = wav_files.recording(tmp_path / "a.wav")
    before = recording.read_bytes()
    refused(listening(tmp_path, recording, output=str(recording)), "not-writable")
    piece = midi_files.piece(tmp_path / "a.mid")
    refused(request(tmp_path, piece, audio_output=str(piece)), "not-writable")
    mano = tmp_path / "MANO_RIGHT.npz"
    np.savez(mano, **mano_arrays())
    refused(listening(tmp_path, recording, mano=str(mano), output=str(mano)), "not-writable")
    assert read_mano(mano) and recording.read_bytes() == before


def test_no_notes_in_the_first_seconds_is_said_so(tmp_path, no_work):
    import mido

    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=60, time=4800), mido.Message("note_off", note=60, time=480)])
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(tmp_path / "late.mid")
    refused(request(tmp_path, tmp_path / "late.mid", seconds=2.0), "no-notes")


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(tmp_path, no_work):
    piece = midi_files.piece(tmp_path / "piece.mid")
    (tmp_path / "file").write_bytes(b"")
    refused(request(tmp_path, piece, output=str(tmp_path / "nowhere" / "take.npz")), "no-folder")
    refused(request(tmp_path, piece, output=str(tmp_path / "file" / "take.npz")), "no-folder")
    refused(request(tmp_path, piece, output=str(tmp_path)), "not-writable")
    if Path("/proc/self/fdinfo").is_dir():  # read-only even for root
        refused(request(tmp_path, piece, output="/proc/self/fdinfo/take.npz"), "not-writable")
    assert names(tmp_path) == ["file", "piece.mid"]


def test_a_read_only_folder_is_refused(tmp_path, no_work, monkeypatch):
    piece = midi_files.piece(tmp_path / "piece.mid")

    def refuse(self, data):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    assert "Permission denied" in refused(request(tmp_path, piece), "not-writable").message


def test_too_little_space_is_said_before_any_work(tmp_path, no_work, monkeypatch):
    piece = midi_files.long(tmp_path / "piece.mid", hours=1.0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 5 * 10**6, 5 * 10**6))
    assert "5 MB left" in refused(request(tmp_path, piece), "no-space").message


@pytest.mark.parametrize("victim", ["take.npz", "take.wav"])
def test_a_disk_that_fills_up_leaves_what_was_there_and_nothing_else(tmp_path, monkeypatch, victim):
    piece = midi_files.piece(tmp_path / "piece.mid")
    for name in ("take.npz", "take.wav"):
        (tmp_path / name).write_bytes(b"what was there before")
    before = names(tmp_path)
    real_open = open

    def full(file, mode="r", *rest, **options):
        if victim in str(file) and "w" in mode and "probe" not in str(file) and Path("/dev/full").exists():
            real_open(file, mode).close()  # the name appears, as on a real full disk
            return real_open("/dev/full", mode, 0)
        return real_open(file, mode, *rest, **options)

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr("builtins.open", full)
    error = refused(request(tmp_path, piece), "write-failed")
    assert "No space left" in error.message
    assert names(tmp_path) == before
    assert all((tmp_path / name).read_bytes() == b"what was there before" for name in ("take.npz", "take.wav"))


@pytest.mark.parametrize("stage", ["solving", "sound", "saving"])
def test_a_cancelled_job_leaves_nothing(tmp_path, stage):
    piece = midi_files.piece(tmp_path / "piece.mid")
    with pytest.raises(Cancelled):
        pipeline.generate(request(tmp_path, piece), Listening(stop_at=stage))
    assert names(tmp_path) == ["piece.mid"]


def test_three_hours_bring_a_warning_with_an_estimate_before_the_work(tmp_path):
    listener = Listening(stop_at="fingering")
    piece = midi_files.long(tmp_path / "long.mid", hours=3.01)
    with pytest.raises(Cancelled):
        pipeline.generate(request(tmp_path, piece), listener)
    assert [warning.code for warning in listener.warnings] == ["long-piece"]
    assert "3 h" in listener.warnings[0].message and "11 minutes of work and 1.2 GB" in listener.warnings[0].message
    assert listener.warnings[0].hint


def test_a_few_minutes_bring_no_warning(tmp_path):
    listener = Listening(stop_at="fingering")
    with pytest.raises(Cancelled):
        pipeline.generate(request(tmp_path, midi_files.long(tmp_path / "piece.mid", hours=0.1)), listener)
    assert listener.warnings == []
