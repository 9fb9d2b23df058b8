# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers that a person wants: in a take alone around them, in a new take from the start, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from backend import pipeline
from backend.fixed import with_fixed
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.messages import Generate
from s2c_blender.wire.notes import NoteEvent, Score
from tests import midi_files


class Listening:
    def __init__(self):
        self.warnings = []

    def report(self, stage, done, total):
        pass

    def warn(self, warning):
        self.warnings.append(warning)

    def cancelled(self):
        return False


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    """A take of 20 notes, 12 s long."""
    folder = tmp_path_factory.mktemp("take")
    midi_files.piece(folder / "piece.mid", notes=20, seconds_apart=0.6)
    pipeline.generate(Generate("a", str(folder / "piece.mid"), str(folder / "take.npz")), Listening())
    return folder / "take.npz"


def wish(clip: Clip, index: int, finger: int | None = None):
    note = clip.score.notes[index]
    other = finger or int(clip.fingering.finger[index]) % 5 + 1
    return note.onset, note.pitch, int(clip.fingering.hand[index]), other


def test_a_take_with_another_finger_is_the_same_far_from_it(take, tmp_path):
    clip = Clip.load(take)
    request = Generate("b", str(take), str(tmp_path / "other.npz"), fixed=(wish(clip, 2),))
    other = Clip.load(pipeline.generate(request, Listening()))
    changed = np.flatnonzero(other.fingering.finger != clip.fingering.finger)
    assert changed.tolist() == [2] and other.score.notes[2].finger == other.fingering.finger[2]
    late = clip.times > clip.score.notes[2].offset + 4.5
    assert late.sum() > 100
    np.testing.assert_array_equal(other.rotation[late], clip.rotation[late])
    np.testing.assert_array_equal(other.translation[late], clip.translation[late])
    assert other.made["input"] == "piece.mid"
    np.testing.assert_array_equal(Clip.load(take).rotation, clip.rotation)


def test_fixed_fingers_are_kept_when_the_piece_is_generated_again(take, tmp_path):
    clip = Clip.load(take)
    fixed = (wish(clip, 2), wish(clip, 7))
    request = Generate("c", str(take.with_name("piece.mid")), str(tmp_path / "again.npz"), fixed=fixed)
    again = Clip.load(pipeline.generate(request, Listening()))
    for index, (_, _, hand, finger) in zip((2, 7), fixed, strict=True):
        assert (again.fingering.hand[index], again.fingering.finger[index]) == (hand, finger)
        assert again.score.notes[index].finger == finger
    assert sum(note.finger is not None for note in again.score.notes) == 2


def test_notes_that_a_take_has_not_and_fingers_that_a_hand_has_not_are_refused(take, tmp_path):
    clip = Clip.load(take)
    for fixed, code in (((*wish(clip, 2)[:1], 100, 0, 3), "no-note"), ((*wish(clip, 2)[:3], 6), "bad-finger")):
        with pytest.raises(PianoHandsError) as caught:
            pipeline.generate(Generate("d", str(take), str(tmp_path / "other.npz"), fixed=(fixed,)), Listening())
        assert caught.value.code == code
        assert not list(tmp_path.iterdir())


def test_a_finger_finds_its_note_although_it_is_a_little_elsewhere_and_a_lost_one_is_said():
    score = Score(tuple(NoteEvent(0.1 * k, 0.1 * k + 0.05, 60, 70) for k in range(4)))
    listener = Listening()
    found = with_fixed(score, ((0.205, 60, 1, 4), (0.3, 61, 0, 2)), listener)
    assert found == replace(score, notes=(*score.notes[:2], replace(score.notes[2], hand=HandSide.LEFT, finger=4), score.notes[3]))
    assert [warning.code for warning in listener.warnings] == ["fingers-lost"]
    assert "1 of 2" in listener.warnings[0].message
