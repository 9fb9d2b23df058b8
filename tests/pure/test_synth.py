# SPDX-License-Identifier: GPL-3.0-or-later
"""The synthesised piano: where notes begin and end, and how it behaves when it cannot write."""

import time
import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.listen.synth import render_score
from s2c_blender.wire.errors import Cancelled, PianoHandsError
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score

RATE = 44100


def heard(score: Score, folder: Path) -> NDArray[np.float64]:
    """The rendered sound (samples, 2) in -1 to 1."""
    path = folder / "sound.wav"
    render_score(score, path)
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2) / 32768.0


def power(sound: NDArray[np.float64], begin: float, end: float) -> float:
    return float(np.sqrt(np.mean(sound[int(begin * RATE) : int(end * RATE)] ** 2)))


@pytest.mark.parametrize("pitch", [21, 40, 60, 79, 108])
@pytest.mark.parametrize("velocity", [15, 70, 127])
def test_a_note_is_heard_within_two_milliseconds_of_its_onset(tmp_path: Path, pitch: int, velocity: int) -> None:
    onset = 0.51237
    sound = np.abs(heard(Score((NoteEvent(onset, 0.9, pitch, velocity),)), tmp_path)).max(axis=1)
    assert sound[: int(onset * RATE)].max() == 0.0
    first = np.argmax(sound > 0.1 * sound[: int((onset + 0.1) * RATE)].max()) / RATE
    assert 0.0 <= first - onset < 0.002


def test_onsets_keep_their_places_across_blocks(tmp_path: Path) -> None:
    onsets = [1.0, 7.99999, 16.0, 24.00001, 40.123]
    sound = heard(Score(tuple(NoteEvent(t, t + 0.1, 72, 90) for t in onsets)), tmp_path)
    first = sound[RATE:][: RATE // 10]
    for onset in onsets:
        assert np.allclose(sound[round(onset * RATE) :][: RATE // 10], first, atol=2e-3)
    assert np.abs(sound[int(39.0 * RATE) : int(40.12 * RATE)]).max() < 1e-3


def test_the_damper_falls_at_the_note_off_unless_the_pedal_holds_it(tmp_path: Path) -> None:
    note = (NoteEvent(0.1, 0.6, 60, 80),)
    dry = heard(Score(note), tmp_path)
    held = heard(Score(note, (PedalEvent(0.3, 127), PedalEvent(2.0, 0))), tmp_path)
    assert power(dry, 1.2, 1.6) < 0.06 * power(dry, 0.2, 0.6)
    assert power(held, 1.2, 1.6) > 5.0 * power(dry, 1.2, 1.6)
    assert power(held, 2.6, 3.0) < 0.2 * power(held, 1.6, 2.0)
    late = heard(Score(note, (PedalEvent(0.9, 127), PedalEvent(2.0, 0))), tmp_path)
    assert power(late, 1.2, 1.6) < 0.06 * power(late, 0.2, 0.6)


def test_the_highest_strings_have_no_dampers(tmp_path: Path) -> None:
    high = heard(Score((NoteEvent(0.1, 0.15, 90, 80), NoteEvent(3.0, 3.1, 60, 1))), tmp_path)
    low = heard(Score((NoteEvent(0.1, 0.15, 89, 80), NoteEvent(3.0, 3.1, 60, 1))), tmp_path)
    assert power(high, 0.5, 0.6) > 2.0 * power(low, 0.5, 0.6)


def test_force_makes_a_note_louder_and_brighter(tmp_path: Path) -> None:
    both = heard(Score((NoteEvent(0.0, 1.0, 60, 30), NoteEvent(4.0, 5.0, 60, 110))), tmp_path)
    soft, hard = both[: RATE // 2, 0], both[4 * RATE : 4 * RATE + RATE // 2, 0]

    def centre(sound: NDArray[np.float64]) -> float:
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        return float(np.sum(spectrum * np.fft.rfftfreq(len(sound), 1.0 / RATE)) / np.sum(spectrum))

    assert np.abs(hard).max() > 4.0 * np.abs(soft).max()
    assert centre(hard) > 1.3 * centre(soft)


def test_treble_sounds_from_the_right_and_bass_from_the_left(tmp_path: Path) -> None:
    sound = heard(Score((NoteEvent(0.0, 0.5, 28, 80), NoteEvent(2.0, 2.5, 100, 80))), tmp_path)
    bass, treble = sound[: RATE // 10], sound[2 * RATE :][: RATE // 10]
    assert 1.1 < bass[:, 0].std() / bass[:, 1].std() < 2.5
    assert 1.1 < treble[:, 1].std() / treble[:, 0].std() < 2.5


def test_the_loudest_chord_does_not_clip_and_a_soft_piece_is_not_lost(tmp_path: Path) -> None:
    chord = tuple(NoteEvent(0.0, 1.0, pitch, 127) for pitch in (24, 31, 36, 40, 43, 60, 64, 67, 72, 76))
    assert 0.5 < np.abs(heard(Score(chord), tmp_path)).max() < 0.9999
    assert np.abs(heard(Score((NoteEvent(0.0, 1.0, 60, 40),)), tmp_path)).max() > 0.25


def test_it_is_the_same_every_time_and_much_faster_than_it_sounds(tmp_path: Path) -> None:
    notes = tuple(NoteEvent(0.125 * i, 0.125 * i + 0.3, 40 + (7 * i) % 45, 40 + (13 * i) % 60) for i in range(8 * 30))
    begin = time.process_time()
    first = heard(Score(notes), tmp_path)
    spent = time.process_time() - begin
    assert len(first) / RATE / spent > 5.0  # 70 and more on an idle core
    assert np.array_equal(first, heard(Score(notes), tmp_path))


def test_no_notes_give_silence(tmp_path: Path) -> None:
    assert np.abs(heard(Score(()), tmp_path)).max() == 0.0


def test_progress_is_reported_and_a_cancelled_job_leaves_nothing(tmp_path: Path) -> None:
    score = Score(tuple(NoteEvent(float(i), i + 0.5, 60, 60) for i in range(30)))
    seen: list[tuple[float, float]] = []
    render_score(score, tmp_path / "a.wav", report=lambda done, total: seen.append((done, total)))
    assert len(seen) >= 4 and [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == pytest.approx(seen[-1][1], abs=0.01)
    with pytest.raises(Cancelled):
        render_score(score, tmp_path / "b.wav", cancelled=lambda: True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_a_folder_that_cannot_be_written_to_is_said_so(tmp_path: Path) -> None:
    score = Score((NoteEvent(0.0, 0.1, 60, 60),))
    with pytest.raises(PianoHandsError) as caught:
        render_score(score, tmp_path / "missing" / "sound.wav")
    assert caught.value.code == "write-failed"


def test_more_than_a_wav_file_can_hold_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(PianoHandsError) as caught:
        render_score(Score((NoteEvent(30000.0, 30001.0, 60, 60),)), tmp_path / "sound.wav")
    assert caught.value.code == "too-long"
    assert not list(tmp_path.iterdir())
