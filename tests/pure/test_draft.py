# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes heard in a hurry: by onnxruntime alone, window after window, and refused in words where that is missing."""

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from backend import config, from_sound
from backend.from_notes import render
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import NoteEvent, Score
from tests import wav_files

ONSETS = np.arange(0.5, 7.0, 0.25)
PITCHES = (60, 64, 67, 72, 71, 67, 62, 65)


class Silent:
    def report(self, stage, done, total): ...

    def cancelled(self):
        return False

    def warn(self, warning): ...


@pytest.fixture(scope="module")
def heard(tmp_path_factory):
    pytest.importorskip("onnxruntime", reason="onnxruntime is installed with the full level, for Python 3.11 only")
    from backend.listen.audio import mono_blocks
    from backend.listen.draft import RATE, DraftTranscriber

    path = tmp_path_factory.mktemp("draft") / "piece.wav"
    score = Score(tuple(NoteEvent(float(t), float(t) + 0.24, PITCHES[k % 8], 80) for k, t in enumerate(ONSETS)))
    render(score, path, Silent())
    ticks = []
    return score, DraftTranscriber.load().transcribe(mono_blocks(path, rate=RATE), ticks.append), ticks


def test_a_melody_is_heard_over_the_joints_of_windows(heard):
    score, found, ticks = heard
    missed = [
        note
        for note in score.notes
        if not any(abs(other.onset - note.onset) < 0.05 and other.pitch == note.pitch for other in found.notes)
    ]
    assert len(missed) <= 1
    # Overtones of a synthetic tone are taken for notes too, but nothing is heard where nothing is struck.
    stray = [note for note in found.notes if np.abs(ONSETS - note.onset).min() > 0.05]
    assert len(stray) <= 1
    assert ticks == sorted(ticks) and len(ticks) >= 4  # a window lasts two seconds


def test_notes_of_one_key_do_not_overlap(heard):
    _, found, _ = heard
    for pitch in set(PITCHES):
        mine = [note for note in found.notes if note.pitch == pitch]
        assert all(before.offset <= after.onset for before, after in pairwise(mine))


def test_a_draft_needs_no_torch(heard, tmp_path):
    code = "import sys; from backend.listen import draft; draft.DraftTranscriber.load(); print('torch' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"


def test_where_it_is_missing_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "missing_packages", lambda needed=(): needed)
    sound = wav_files.recording(tmp_path / "sound.wav", seconds=1.0)
    with pytest.raises(PianoHandsError) as caught:
        from_sound.Heard.open(Generate("job", str(sound), str(tmp_path / "take.npz"), draft=True))
    assert "onnxruntime" in caught.value.message and "torch" not in caught.value.message


def test_a_draft_of_hours_promises_minutes() -> None:
    asked = Generate("job", "long.mp3", "take.npz", draft=True)
    assert "18 minutes of work and 1.4 GB" in from_sound.Heard(asked, 10800.0).burden()
    assert "155 minutes of work" in from_sound.Heard(replace(asked, draft=False), 10800.0).burden()
