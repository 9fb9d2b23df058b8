# SPDX-License-Identifier: GPL-3.0-or-later
"""Presses, matching and scores, against closed forms and against mir_eval."""

import numpy as np
import pytest

from s2c_blender.motion.contact_fingers import finger_of_bone, finger_of_point
from s2c_blender.motion.contact_keys import Cloud, KeyShapes, find_touches
from s2c_blender.motion.contact_scores import (
    NO_FINGER,
    OTHER_PART,
    Press,
    find_presses,
    held_spans,
    match_onsets,
    reference_notes,
    roll,
    score_notes,
)
from s2c_blender.wire.keyboard import BALANCE_Y, BLACK_LENGTH, KEY_HEIGHT, LOWEST, WHITE_LENGTH, Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score

KEYBOARD = Keyboard()


def test_presses_begin_at_four_fifths_and_end_at_a_half():
    depth = np.interp(np.arange(100) / 240, [0, 0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1, 0])
    (press,) = find_presses(depth, pitch=60, start=-1.0, rate=240)
    assert press.onset == pytest.approx(-1.0 + 0.18, abs=1e-6)
    assert press.offset == pytest.approx(-1.0 + 0.35, abs=1e-6)
    assert not press.cut


def test_a_key_let_up_less_than_half_is_not_struck_again():
    depth = np.array([0, 1, 1, 0.6, 1, 1, 0.4, 0.7, 1, 0], dtype=float)
    presses = find_presses(depth, pitch=60, start=0.0, rate=1.0)
    assert [round(p.onset, 3) for p in presses] == [0.8, 7.333]
    assert [round(p.offset, 3) for p in presses] == [5.833, 8.5]


def test_presses_cut_by_the_ends_are_kept():
    presses = find_presses(np.array([1.0, 1, 0, 0, 1, 1]), pitch=60, start=0.0, rate=1.0)
    assert presses[0].cut and presses[0].onset == 0.0
    assert not presses[1].cut and presses[1].offset == 5.0


def test_the_finger_is_the_one_at_the_onset():
    finger = np.array([NO_FINGER, 3, 4, 4])
    (press,) = find_presses(np.array([0.0, 0.5, 1.0, 1.0]), pitch=60, start=0.0, rate=1.0, finger=finger)
    assert press.finger == 4


def test_matching_finds_as_many_pairs_as_mir_eval():
    mir_eval = pytest.importorskip("mir_eval")
    rng = np.random.default_rng(5)
    for _ in range(200):
        reference = np.sort(rng.uniform(0, 2, rng.integers(0, 40)))
        estimated = np.sort(
            np.concatenate([reference + rng.normal(0, 0.04, len(reference)), rng.uniform(0, 2, rng.integers(0, 9))])
        )
        ours = match_onsets(reference, estimated)
        theirs = mir_eval.transcription.match_note_onsets(_intervals(reference), _intervals(estimated))
        assert len(ours) == len(theirs)
        assert len({i for i, _ in ours}) == len({j for _, j in ours}) == len(ours)
        assert all(abs(reference[i] - estimated[j]) <= 0.05005 for i, j in ours)


def _intervals(onsets):
    return np.stack([onsets, onsets + 0.1], axis=1).reshape(-1, 2)


def test_matching_prefers_the_nearer_press():
    assert match_onsets(np.array([0.0, 0.083]), np.array([0.045, 0.085])) == [(0, 0), (1, 1)]
    assert match_onsets(np.array([0.0]), np.array([-0.04, 0.001, 0.03])) == [(0, 1)]
    assert match_onsets(np.array([0.0]), np.array([0.05])) == [(0, 0)]
    assert match_onsets(np.array([0.0]), np.array([0.0502])) == []


def test_note_scores_agree_with_mir_eval():
    mir_eval = pytest.importorskip("mir_eval")
    rng = np.random.default_rng(1)
    notes = sorted((float(t), int(p)) for t, p in zip(rng.uniform(0, 30, 300), rng.integers(40, 80, 300), strict=True))
    score = Score(tuple(NoteEvent(t, t + 0.2, p, 80) for t, p in notes))
    reference = reference_notes(score)
    kept = rng.random(len(reference)) < 0.9
    presses = [Press(n.pitch, n.onset + rng.normal(0, 0.025), n.offset + 0.1) for n, k in zip(reference, kept, strict=True) if k]
    presses += [Press(int(rng.integers(40, 80)), float(rng.uniform(0, 30)), 40.0) for _ in range(20)]
    ours = score_notes(reference, presses, start=-1.0, end=32.0)

    def arrays(events):
        spans = np.array([(e.onset, e.offset) for e in events]) + 1.0  # mir_eval wants no negative times
        return spans, mir_eval.util.midi_to_hz(np.array([e.pitch for e in events]))

    precision, recall, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        *arrays(reference), *arrays(presses), offset_ratio=None
    )
    assert (ours.notes.precision, ours.notes.recall, ours.notes.f1) == pytest.approx((precision, recall, f1))


def test_onsets_of_one_pitch_within_50_ms_are_one_note():
    score = Score(tuple(NoteEvent(*n, 80) for n in ((0.0, 0.2, 60), (0.04, 0.5, 60), (0.06, 0.1, 60), (0.06, 0.2, 61))))
    fingering = Fingering(np.array([0, 1, 0, 0]), np.array([1, 2, 3, 0]), np.array([0.0, 0.04, 0.09, 0.06]), np.ones(4))
    notes = reference_notes(score, fingering)
    assert [(n.onset, n.offset, n.pitch) for n in notes] == [(0.0, 0.5, 60), (0.06, 0.1, 60), (0.06, 0.2, 61)]
    assert notes[0].fingers == (0, 6)
    assert [n.rolled for n in notes] == [False, True, False]
    assert [n.unplayed for n in notes] == [False, False, True]


def test_frames_count_what_sounds_in_their_middle():
    sounding = roll([(60, 0.02, 0.05), (61, 0.024, 0.026)], start=0.0, end=0.1)
    assert sounding.shape == (10, 128)
    assert np.flatnonzero(sounding[:, 60]).tolist() == [2, 3, 4]
    assert np.flatnonzero(sounding[:, 61]).tolist() == [2]


def test_missed_notes_say_what_the_hand_did_nearest():
    notes = reference_notes(Score((NoteEvent(1.0, 1.5, 60, 80), NoteEvent(5.0, 5.5, 70, 80))))
    scores = score_notes(notes, [Press(61, 1.01, 1.5, finger=1)], start=0.0, end=6.0)
    assert str(scores.missed[0]) == "C4 at 1.00 s (nearest: C#4, +10 ms)"
    assert str(scores.missed[1]) == "Bb4 at 5.00 s (nothing near)"
    assert str(scores.extra[0]) == "C#4 at 1.01 s, by right index (nearest: C4, -10 ms)"


def test_nothing_to_play_and_nothing_played_is_perfect():
    scores = score_notes((), [], start=0.0, end=1.0)
    assert scores.notes.f1 == scores.frames.f1 == scores.notes.precision == 1.0


def test_holding_ends_with_whichever_ends_first():
    notes = reference_notes(Score((NoteEvent(0.0, 1.0, 60, 80),)))
    ((pitch, begin, finish),) = held_spans(notes, [Press(60, 0.01, 0.8)], 0.03)
    assert (pitch, round(begin, 6), round(finish, 6)) == (60, 0.04, 0.77)


def boxes():
    """Shapes of 88 box keys, and matrices that leave them at rest."""
    vertices = []
    for key in range(88):
        half, top, front = KEYBOARD.half_width[key], KEYBOARD.top[key], KEYBOARD.front[key]
        length = BLACK_LENGTH if KEYBOARD.black[key] else WHITE_LENGTH
        x = KEYBOARD.x[key]
        vertices.append(
            np.array([(x + s * half, y, z) for s in (-1, 1) for y in (front, front + length) for z in (top - KEY_HEIGHT, top)])
        )
    shapes = KeyShapes.measure(np.arange(LOWEST, 109), vertices, np.full(88, BALANCE_Y))
    return shapes, np.broadcast_to(np.eye(4)[:3], (1, 88, 3, 4))


def touch(x, y, z):
    shapes, still = boxes()
    touches, penetration = find_touches(shapes, Cloud.of(np.array([[[x, y, z]]])), still)
    found = {int(shapes.pitch[k]): float(d) for k, d in zip(touches.key, touches.depth, strict=True)}
    return found, float(penetration.depth[0])


def test_depth_is_a_share_of_the_local_travel():
    x = KEYBOARD.x[60 - LOWEST]
    assert touch(x, 0.010, -0.005)[0] == {60: pytest.approx(0.005 / (0.010 * 0.210 / 0.220))}
    black = KEYBOARD.x[61 - LOWEST]
    assert touch(black, 0.080, 0.0125 - 0.004)[0] == {61: pytest.approx(0.004 / (0.008 * 0.140 / 0.167))}


def test_two_millimetres_inside_the_edges_do_not_press():
    x, half = KEYBOARD.x[60 - LOWEST], KEYBOARD.half_width[60 - LOWEST]
    assert 60 in touch(x + half - 0.0021, 0.02, -0.005)[0]
    assert touch(x + half - 0.0019, 0.02, -0.005)[0] == {}
    assert touch(x, 0.0019, -0.005)[0] == {}
    assert touch(x, 0.02, -0.031)[0] == {}
    # Beside a black key the white one ends where the black begins.
    black, width = KEYBOARD.x[61 - LOWEST], KEYBOARD.half_width[61 - LOWEST]
    assert 60 in touch(black - width - 0.0021, 0.08, -0.003)[0]
    assert touch(black - width - 0.0019, 0.08, -0.003)[0] == {}


def test_penetration_is_the_least_way_out():
    x, half = KEYBOARD.x[60 - LOWEST], KEYBOARD.half_width[60 - LOWEST]
    assert touch(x, 0.02, -0.004)[1] == pytest.approx(0.004)
    assert touch(x + half - 0.0005, 0.02, -0.004)[1] == pytest.approx(0.0005)
    assert touch(x, 0.0007, -0.004)[1] == pytest.approx(0.0007)
    black, width = KEYBOARD.x[61 - LOWEST], KEYBOARD.half_width[61 - LOWEST]
    assert touch(black + width - 0.0003, 0.08, 0.005)[1] == pytest.approx(0.0003)
    assert touch(x, 0.02, 0.004)[1] == 0.0


def test_a_point_on_a_key_that_went_down_with_it_is_not_inside():
    shapes, _ = boxes()
    angle = np.arcsin(0.010 / 0.220)
    c, s = np.cos(angle), np.sin(angle)
    down = np.eye(4)
    down[1:3, 1:3] = [[c, -s], [s, c]]
    down[1:3, 3] = np.array([BALANCE_Y, 0.0]) - down[1:3, 1:3] @ [BALANCE_Y, 0.0]
    to_rest = np.broadcast_to(np.linalg.inv(down)[:3], (1, 88, 3, 4))
    y = 0.03
    surface = -(BALANCE_Y - y) * np.tan(angle)
    touches, penetration = find_touches(shapes, Cloud.of(np.array([[[KEYBOARD.x[60 - LOWEST], y, surface + 0.0004]]])), to_rest)
    assert touches.gap[0] == pytest.approx(0.0004, rel=0.01)
    assert penetration.depth[0] == 0.0


def test_the_lowest_of_many_points_counts():
    shapes, still = boxes()
    x = KEYBOARD.x[60 - LOWEST]
    points = np.array([[[x, 0.02, -0.002], [x, 0.03, -0.006], [x, 0.04, 0.5]], [[x, 0.02, -0.003], [x, 0.03, 0.0], [x, 0.04, 0.5]]])
    touches, _ = find_touches(shapes, Cloud.of(points), np.broadcast_to(still, (2, 88, 3, 4)))
    assert touches.sample.tolist() == [0, 1]
    assert touches.point.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "side", "finger"),
    [
        ("index3.R", "right", 1),
        ("thumb1.L", "left", 5),
        ("mixamorig:LeftHandRing3", "both", 8),
        ("f_pinky.03.R", "both", 4),
        ("middle_02_l", "both", 7),
        ("lIndex2", "both", 6),
        ("leftLittleDistal", "both", 9),
        ("wrist.R", "right", OTHER_PART),
        ("index_metacarpal_l", "both", OTHER_PART),
        ("leftThumbMetacarpal", "both", 5),
    ],
)
def test_bones_name_their_finger(name, side, finger):
    assert finger_of_bone(name, side) == finger


def test_points_belong_to_the_heaviest_bone():
    weights = np.array([[0.6, 0.4, 0.0], [0.1, 0.2, 0.7], [0.0, 0.0, 0.0]])
    assert finger_of_point(weights, ["index1.R", "index2.R", "wrist.R"], "right").tolist() == [1, OTHER_PART, OTHER_PART]
    assert finger_of_point(weights, ["a", "b", "c"], "right").tolist() == [NO_FINGER] * 3
