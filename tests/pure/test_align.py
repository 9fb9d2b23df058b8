# SPDX-License-Identifier: GPL-3.0-or-later
"""Notes and a recording of them: offset, drift and tempo are found again. The sound is synthesised."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.listen.align import align
from backend.listen.audio import mono_blocks
from backend.listen.chroma import RATE
from backend.listen.synth import render_score
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import NoteEvent, Score


def melody(notes: int = 40, seed: int = 0) -> Score:
    random = np.random.default_rng(seed)
    onsets = np.cumsum(random.choice([0.25, 0.25, 0.5], notes)).tolist()
    return Score(tuple(NoteEvent(at, at + 0.2, int(random.integers(50, 80)), 80) for at in onsets))


def moved(score: Score, way: Callable[[float], float]) -> Score:
    return replace(score, notes=tuple(replace(note, onset=way(note.onset), offset=way(note.offset)) for note in score.notes))


def aligned(tmp_path: Path, score: Score, played: Score):
    render_score(played, tmp_path / "a.wav", sample_rate=RATE)
    return align(score, mono_blocks(tmp_path / "a.wav", rate=RATE), lambda done, total: None)


@pytest.mark.parametrize(("offset", "drift"), [(1.234, 0.0), (0.4, 0.01), (0.0, -0.01)])
def test_a_performance_is_moved_by_one_offset_and_drift(tmp_path: Path, offset: float, drift: float) -> None:
    score = melody()
    found = aligned(tmp_path, score, moved(score, lambda time: offset + (1 + drift) * time))
    assert not found.warped
    assert found.offset == pytest.approx(offset, abs=0.02) and found.drift == pytest.approx(drift, abs=0.002)
    assert f"{found.offset:+.3f} s" in found.in_words()


def test_a_score_is_warped_to_the_tempo_of_the_recording(tmp_path: Path) -> None:
    score = melody(60)
    played = moved(score, lambda time: 0.7 + 1.15 * time + 0.6 * np.sin(time / 2.5))
    found = aligned(tmp_path, score, played)
    assert found.warped
    late = np.array([one.onset - other.onset for one, other in zip(found.score.notes, played.notes, strict=True)])
    assert np.median(np.abs(late)) < 0.02 and np.quantile(np.abs(late), 0.9) < 0.06


def test_what_is_outside_the_recording_is_left_out_by_count(tmp_path: Path) -> None:
    score = melody(60)
    half = replace(score, notes=score.notes[:30])
    found = aligned(tmp_path, score, half)
    assert abs(len(found.score.notes) - 30) <= 6 and "after the recording ends" in found.score.left_out[0]


def test_another_piece_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PianoHandsError, match="same piece"):
        aligned(tmp_path, melody(), moved(melody(seed=7), lambda time: 1.7 * time))
