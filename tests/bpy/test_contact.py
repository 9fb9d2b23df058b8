# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading contact from scenes whose truth is known: a perfect performance, and deliberate faults."""

import json

import pytest

bpy = pytest.importorskip("bpy")

import numpy as np  # noqa: E402

from s2c_blender.scene.contact import measure_scene  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.errors import PianoHandsError  # noqa: E402
from s2c_blender.wire.notes import Fingering, NoteEvent, Score  # noqa: E402
from tests import toy_piano  # noqa: E402
from tests.toy_piano import Fault  # noqa: E402

NOTES = tuple(NoteEvent(0.3 * i, 0.3 * i + 0.25, pitch, 80) for i, pitch in enumerate((60, 61, 62, 63, 65, 66, 48, 50)))


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


def clip_of(notes, *, finger=None, strike=None):
    """A take in which the balls play as `perform` hands the notes out."""
    who = np.arange(len(notes)) % 10
    onset, offset = np.array([(n.onset, n.offset) for n in notes]).T
    fingering = Fingering(
        (who // 5).astype(np.int8),
        (who % 5 + 1 if finger is None else np.asarray(finger)).astype(np.int8),
        onset if strike is None else np.asarray(strike),
        offset,
    )
    still = np.broadcast_to(np.float32([1, 0, 0, 0]), (240, 2, 16, 4))
    return Clip(still, np.zeros((240, 2, 3), np.float32), 60.0, -1.0, Score(tuple(notes)), fingering)


def played(scene, *, faults=None, notes=NOTES, clip=None, limits=None):
    toy_piano.animate_keys(toy_piano.build_keys(scene), notes)
    toy_piano.perform(scene, notes, faults=faults)
    return measure_scene(scene, clip=clip or clip_of(notes), limits=limits)


def test_a_perfect_performance_scores_one(scene):
    report = played(scene)
    assert report.scores.notes.f1 == report.scores.frames.f1 == 1.0
    assert report.scores.timing_max < 1e-4
    assert report.scores.right_finger == 1.0
    assert report.fit.gap_p95 < 5e-5
    assert report.fit.penetration_max < 5e-5
    assert not report.scores.missed and not report.scores.extra


def test_lateness_is_measured_to_a_fraction_of_a_millisecond(scene):
    scores = played(scene, faults={i: Fault(late=0.020) for i in range(8)}).scores
    assert scores.notes.f1 == 1.0
    assert scores.timing_median == pytest.approx(0.020, abs=2e-4)
    assert scores.timing_p95 == pytest.approx(0.020, abs=2e-4)
    assert scores.timing_max == pytest.approx(0.020, abs=2e-4)


def test_a_note_60_ms_late_is_missed_and_its_press_is_extra(scene):
    scores = played(scene, faults={2: Fault(late=0.060)}).scores
    assert (scores.notes.hits, scores.notes.reference, scores.notes.estimated) == (7, 8, 8)
    assert scores.missed[0].pitch == 62 and scores.missed[0].seconds == pytest.approx(0.060, abs=1e-3)
    assert scores.extra[0].pitch == 62


def test_the_wrong_key_is_a_miss_and_an_extra(scene):
    report = played(scene, faults={4: Fault(beside=2)})
    assert [miss.pitch for miss in report.scores.missed] == [65]
    assert [miss.pitch for miss in report.scores.extra] == [67]
    assert report.scores.missed[0].semitones == 2
    # The neighbour does not move, so the finger goes into it.
    assert report.fit.penetration_max > 0.005
    assert report.fit.penetration_key == 67
    assert report.fit.penetration_by == "right pinky"


def test_hovering_presses_nothing(scene):
    report = played(scene, faults={i: Fault(above=0.003) for i in range(8)})
    assert report.scores.notes.recall == 0.0
    assert report.scores.notes.estimated == 0


def test_a_gap_of_a_millimetre_is_a_gap_of_a_millimetre(scene):
    report = played(scene, faults={i: Fault(above=0.001) for i in range(8)})
    assert report.scores.notes.f1 == 1.0
    assert report.fit.gap_p95 == pytest.approx(0.001, abs=2e-5)
    assert report.fit.penetration_max == 0.0


def test_sinking_in_is_penetration_and_gap(scene):
    report = played(scene, faults={i: Fault(above=-0.001) for i in range(8)})
    assert report.fit.penetration_max == pytest.approx(0.001, abs=2e-5)
    assert report.fit.gap_p95 == pytest.approx(0.001, abs=2e-5)


def test_another_finger_than_the_fingering_names_is_counted(scene):
    finger = np.arange(8) % 5 + 1
    finger[[1, 2]] = 5
    assert played(scene, clip=clip_of(NOTES, finger=finger)).scores.right_finger == pytest.approx(6 / 8)


def test_rolled_notes_are_hits_and_leave_the_timing_alone(scene):
    strike = [n.onset for n in NOTES]
    strike[3] += 0.030
    report = played(scene, clip=clip_of(NOTES, strike=strike), faults={3: Fault(late=0.030)})
    assert report.scores.notes.f1 == 1.0
    assert report.scores.rolled == 1
    assert report.scores.timing_max < 1e-4


def test_notes_that_no_finger_can_play_are_missed_by_name(scene):
    finger = np.arange(8) % 5 + 1
    finger[5] = 0
    report = played(scene, clip=clip_of(NOTES, finger=finger), faults={5: Fault(above=0.02)})
    assert report.scores.unplayed == 1
    assert report.scores.notes.recall == 7 / 8
    assert "F#4 at 1.50 s, which no finger can play" in report.text()


def test_both_hands_on_one_key_are_one_note(scene):
    notes = (NoteEvent(0.0, 0.3, 60, 80), NoteEvent(0.04, 0.35, 60, 80), NoteEvent(0.6, 0.9, 64, 80))
    report = played(scene, notes=notes, faults={1: Fault(above=0.02)})
    assert report.scores.notes.reference == 2
    assert report.scores.notes.f1 == 1.0


def test_a_window_in_the_middle_has_no_faults_at_its_edges(scene):
    toy_piano.animate_keys(toy_piano.build_keys(scene), NOTES)
    toy_piano.perform(scene, NOTES, faults={2: Fault(late=-0.002), 5: Fault(late=0.002)})
    report = measure_scene(scene, clip=clip_of(NOTES), start=0.6, end=1.501)
    assert report.scores.notes.reference == 4
    assert report.scores.notes.f1 == 1.0
    assert not report.scores.extra


def test_joint_limits_are_asked_of_the_callable(scene):
    report = played(scene, limits=lambda rotation: np.arange(len(rotation))[:, None] % np.array([2, 4]) == 0)
    assert report.body.limit_violations == pytest.approx(0.5, abs=0.01)


def test_the_scene_is_left_as_it_was(scene):
    toy_piano.animate_keys(toy_piano.build_keys(scene), NOTES)
    balls = toy_piano.perform(scene, NOTES)
    balls[0].hide_viewport = True
    balls[1].hide_render = True
    scene.frame_set(17, subframe=0.25)
    report = measure_scene(scene, clip=clip_of(NOTES))
    assert (scene.frame_current, scene.frame_subframe) == (17, 0.25)
    assert balls[0].hide_viewport
    # What is hidden from the viewport still renders and counts; what does not render plays nothing.
    assert [miss.pitch for miss in report.scores.missed] == [61]


def test_a_report_goes_through_json(scene):
    report = played(scene)
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["scores"]["notes"]["f1"] == 1.0
    assert len(report.row().split()) >= 10


def test_scenes_without_hands_or_keys_are_refused(scene):
    scene["s2c_start_frame"] = 1.0
    with pytest.raises(PianoHandsError, match="no piano key"):
        measure_scene(scene, clip=Score(NOTES))
    toy_piano.build_keys(scene)
    with pytest.raises(PianoHandsError, match="no hand mesh"):
        measure_scene(scene, clip=Score(NOTES))
    with pytest.raises(PianoHandsError, match="take"):
        measure_scene(scene)


def test_the_take_is_found_through_the_scene(scene, tmp_path):
    clip_of(NOTES).save(tmp_path / "take.npz")
    toy_piano.animate_keys(toy_piano.build_keys(scene), NOTES)
    toy_piano.perform(scene, NOTES)
    scene["s2c_take"] = str(tmp_path / "take.npz")
    assert measure_scene(scene).scores.notes.f1 == 1.0
