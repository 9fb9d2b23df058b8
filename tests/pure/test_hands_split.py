# SPDX-License-Identifier: GPL-3.0-or-later
"""Splitting merged files between the hands."""

from pathlib import Path

import numpy as np
import pytest

from backend.perform import hands_split
from backend.perform.hands_split import assign_hands
from backend.score import merge_hands, read_midi
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import NoteEvent, Score

PIECES = Path(__file__).resolve().parents[3] / "shared" / "midi"


def lines(right: list[int], left: list[int], *, step: float = 0.25) -> tuple[Score, np.ndarray]:
    """Two lines in even notes, merged; and whose each note is."""
    notes = [(i * step, pitch, HandSide.RIGHT) for i, pitch in enumerate(right)]
    notes += [(i * step, pitch, HandSide.LEFT) for i, pitch in enumerate(left)]
    notes.sort(key=lambda note: note[:2])
    score = Score(tuple(NoteEvent(onset, onset + step, pitch, 64) for onset, pitch, _ in notes))
    return score, np.array([hand for *_, hand in notes])


def test_two_lines_far_apart():
    score, hand = lines([72, 74, 76, 77, 79, 77, 76, 74], [48, 55, 52, 55, 48, 55, 52, 55])
    assert (assign_hands(score) == hand).all()


def test_hands_follow_their_lines_and_not_middle_c():
    high, high_hand = lines([84, 86, 88, 89, 91, 89, 88, 86] * 3, [67, 71, 74, 71] * 6)
    low, low_hand = lines([60, 59, 57, 55, 57, 59, 60, 59] * 3, [36, 43, 40, 43] * 6)
    assert (assign_hands(high) == high_hand).mean() > 0.95
    assert (assign_hands(low) == low_hand).mean() > 0.95


def test_a_leaping_bass_stays_with_the_left_hand():
    waltz = []
    for bar in range(8):
        waltz += [(bar * 1.5, (36,)), (bar * 1.5 + 0.5, (52, 55, 60)), (bar * 1.5 + 1.0, (52, 55, 60))]
    left = [(time, pitch, HandSide.LEFT) for time, chord in waltz for pitch in chord]
    right = [(bar * 1.5 + i * 0.5, 76 + i, HandSide.RIGHT) for bar in range(8) for i in range(3)]
    notes = sorted(left + right, key=lambda note: note[:2])
    score = Score(tuple(NoteEvent(time, time + 0.4, pitch, 64) for time, pitch, _ in notes))
    assert (assign_hands(score) == np.array([hand for *_, hand in notes])).mean() > 0.95


def test_what_notes_state_is_kept():
    notes = (NoteEvent(0, 1, 40, 64, HandSide.RIGHT), NoteEvent(0, 1, 80, 64, HandSide.LEFT), NoteEvent(1, 2, 90, 64))
    assert assign_hands(Score(notes)).tolist()[:2] == [HandSide.RIGHT, HandSide.LEFT]


def test_an_empty_score_and_one_note():
    assert assign_hands(Score(())).shape == (0,)
    assert assign_hands(Score((NoteEvent(0, 1, 96, 64),))).tolist() == [HandSide.RIGHT]


def test_long_pieces_are_decided_in_chunks_alike(monkeypatch):
    rng = np.random.default_rng(5)
    right = (72 + np.cumsum(rng.integers(-2, 3, 400)) % 17).tolist()
    left = (43 + np.cumsum(rng.integers(-3, 4, 400)) % 15).tolist()
    score, _ = lines(right, left)
    whole = assign_hands(score)
    monkeypatch.setattr(hands_split, "CHUNK", 60)
    monkeypatch.setattr(hands_split, "LOOK_AHEAD", 60)
    assert (assign_hands(score) == whole).all()


@pytest.mark.skipif(not PIECES.is_dir(), reason="no folder of pieces beside the project")
def test_real_pieces_split_as_their_tracks_say():
    right = total = 0
    for path in sorted(PIECES.glob("*.mid"))[::4]:
        score = read_midi(path)
        notes = score.notes[:500]
        hand = np.array([note.hand for note in notes])
        right += (assign_hands(merge_hands(Score(notes))) == hand).sum()
        total += len(notes)
    assert right / total >= 0.94
