# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes heard in sound: by transkun where it is installed, and how windows are cut."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from backend.listen.transcribe import RATE, Transcriber, _windows  # noqa: E402
from s2c_blender.wire.errors import Cancelled  # noqa: E402


@pytest.fixture(scope="module")
def transcriber():
    pytest.importorskip("transkun")
    torch.set_num_threads(1)
    return Transcriber.load(torch.device("cpu"))


def test_windows_cover_the_sound_and_hold_no_more_than_they_need() -> None:
    sound = np.arange(1, 1001, dtype=np.float32)
    cut = list(_windows(iter(np.split(sound, 10)), window=160, hop=140, pad=20))
    assert [first for first, _ in cut] == list(range(-20, 961, 140))
    for first, window in cut:
        assert len(window) == 160
        assert all(window[i] == (first + i + 1 if 0 <= first + i < 1000 else 0) for i in range(160))


def test_silence_has_no_notes_and_costs_nothing(transcriber) -> None:
    heard: list[float] = []
    score = transcriber.transcribe((np.zeros(RATE, np.float32) for _ in range(600)), heard.append)
    assert not score.notes and not score.pedal and max(heard) >= 590


def test_a_wish_to_stop_is_heard_within_a_window(transcriber) -> None:
    calls = 0

    def tick(_done: float) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        transcriber.transcribe(iter([np.random.default_rng(0).uniform(-0.1, 0.1, RATE).astype(np.float32)]), tick)


def test_synthesised_notes_are_heard(transcriber, tmp_path) -> None:
    from backend.listen.audio import mono_blocks
    from backend.listen.synth import render_score
    from s2c_blender.wire.notes import NoteEvent, Score

    played = [NoteEvent(0.5 * k + 0.3, 0.5 * k + 0.7, 60 + 3 * k, 60 + 8 * k) for k in range(6)]
    render_score(Score(tuple(played)), tmp_path / "a.wav", sample_rate=RATE)
    found = transcriber.transcribe(mono_blocks(tmp_path / "a.wav", rate=RATE), lambda done: None).notes
    assert [note.pitch for note in found] == [note.pitch for note in played]
    assert all(abs(one.onset - other.onset) < 0.03 for one, other in zip(found, played, strict=True))
    assert found[0].velocity < found[-1].velocity
