# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan: where hands go before contact is solved, and what fingertips are asked to do."""

from dataclasses import fields

import numpy as np
import pytest

from backend.perform.kinematics import lowest, pose
from backend.perform.manner import manner
from backend.perform.planner import Plan, Setting, Take
from backend.perform.posture import playing_posture
from s2c_blender.motion import anatomy
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import BLACK_HEIGHT, FALLBOARD_Y, LET_OFF, LOWEST, Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score
from tests.skeletons import plain_skeleton

RIGHT, LEFT = HandSide.RIGHT, HandSide.LEFT


def _plan(*played: tuple[NoteEvent, int], seconds: float = 10.0, early: float = 0.0) -> Plan:
    """A plan of notes with their fingers, which leave `early` seconds before the notes end."""
    score = Score(tuple(note for note, _ in played))
    fingering = Fingering(
        hand=np.array([note.hand for note, _ in played], dtype=np.int8),
        finger=np.array([finger for _, finger in played], dtype=np.int8),
        strike=np.array([note.onset for note, _ in played]),
        release=np.array([note.offset - early for note, _ in played]),
    )
    take = Take(-1.0, 60.0, round(60 * seconds))
    return Plan(score, fingering, key_motion(score, fingering), Setting(plain_skeleton(), Keyboard(), take, manner(0.5, 0)))


def _scale() -> list[tuple[NoteEvent, int]]:
    pitches = (60, 62, 64, 65, 67, 69, 71, 72)
    fingers = (1, 2, 3, 1, 2, 3, 4, 5)
    return [
        (NoteEvent(0.5 * k, 0.5 * k + 0.45, pitch, 70, RIGHT), finger)
        for k, (pitch, finger) in enumerate(zip(pitches, fingers, strict=True))
    ]


def test_fingertips_reach_one_level_in_the_playing_posture() -> None:
    posture = playing_posture(plain_skeleton())
    assert np.abs(posture.reach[..., 2]).max() < 0.0005
    assert (posture.dofs[:, 2] > 0.03).all()


def test_the_wrist_is_where_its_finger_reaches_the_key() -> None:
    plan = _plan(*_scale())
    keyboard = Keyboard()
    for note, finger in _scale():
        frame = round((note.onset + 1.0) * 60)
        posed = plan.posture.dofs[None].copy()
        posed[..., :6] = plan.wrists[frame]
        reached, _ = lowest(plan.setting.skeleton, pose(plan.setting.skeleton, posed))
        assert abs(reached[0, RIGHT, finger - 1, 0] - keyboard.x[note.pitch - LOWEST]) < 0.015


def test_sections_fit_together() -> None:
    plan = _plan(*_scale())
    prior, targets = plan.section(0, plan.frames)
    for first, last in ((0, 230), (170, plan.frames)):  # they overlap, as the solve's windows do
        part_prior, part = plan.section(first, last)
        inner = slice(0, 200 - first) if first == 0 else slice(200 - first, None)
        whole = slice(0, 200) if first == 0 else slice(200, None)
        np.testing.assert_allclose(part_prior[inner], prior[whole], atol=1e-12)
        for field in fields(part)[2:]:
            np.testing.assert_allclose(getattr(part, field.name)[inner], getattr(targets, field.name)[whole], atol=1e-12)


def test_the_wished_height_crosses_let_off_at_the_strike_between_frames() -> None:
    onset = 2.0 + 0.37 / 60
    plan = _plan((NoteEvent(onset, 3.0, 60, 90, RIGHT), 3))
    _, targets = plan.section(0, plan.frames)
    keyboard, y = Keyboard(), 0.03
    depth = -(targets.height + targets.tilt * y)[:, RIGHT, 2] / keyboard.travel(60 - LOWEST, y)
    frame = int((onset + 1.0) * 60)
    crossing = frame + (LET_OFF - depth[frame]) / (depth[frame + 1] - depth[frame])
    assert crossing / 60 - 1.0 == pytest.approx(onset, abs=0.001)


def test_a_hand_turns_with_the_thumb_that_passes_under_and_the_finger_that_passes_over() -> None:
    for side, pitches in ((RIGHT, (60, 62, 64, 65)), (LEFT, (65, 64, 62, 60))):
        for up in (False, True):
            fingers = (1, 2, 3, 1)[:: 1 if up else -1]
            keys = pitches[:: 1 if up else -1]
            turns = []
            for length in (0.49, 0.2):  # legato, and with time to go there
                notes = [NoteEvent(0.5 * k, 0.5 * k + length, pitch, 70, side) for k, pitch in enumerate(keys)]
                turns.append(np.degrees(_plan(*zip(notes, fingers, strict=True)).wrists[:, side, 3]))
            turned = np.subtract(*turns)
            strike = round((1.0 + (1.5 if up else 0.5)) * 60)
            assert turned[strike] > 7.0
            assert np.abs(turned[strike + np.array([-24, 24])]).max() < 2.0


def test_an_idle_hand_makes_room() -> None:
    left = [(NoteEvent(0.0, 0.4, 60, 70, LEFT), 1)]
    right = [(NoteEvent(2.0 + 0.3 * k, 2.25 + 0.3 * k, 60 + k % 3, 70, RIGHT), 1 + k % 3) for k in range(12)]
    plan = _plan(*left, *right)
    busy = slice(60 * 3, 60 * 6)
    assert (plan.wrists[busy, RIGHT, 0] - plan.wrists[busy, LEFT, 0]).min() > 0.15


def test_a_finger_is_highest_about_one_tone_before_it_strikes() -> None:
    plan = _plan(*_scale())
    _, targets = plan.section(0, plan.frames)
    times = np.arange(plan.frames) / 60 - 1.0
    note, finger = _scale()[6]
    before = (times > note.onset - 1.0) & (times < note.onset)
    highest = times[before][np.argmax(targets.height[before, RIGHT, finger - 1])]
    assert 0.25 < note.onset - highest < 0.5  # tones are 0.5 s apart; preparation takes 0.4 s at most


def test_in_a_run_no_finger_is_higher_than_its_lift_though_its_hand_was() -> None:
    tone = 0.25
    played = [
        (NoteEvent(2.0 + tone * k, 2.2 + tone * k, pitch, 70, RIGHT), finger)
        for k, (pitch, finger) in enumerate(((60, 1), (62, 2), (64, 3), (65, 4)))
    ]
    plan = _plan((NoteEvent(0.0, 0.3, 60, 70, RIGHT), 1), *played)
    _, targets = plan.section(0, plan.frames)
    times = np.arange(plan.frames) / 60 - 1.0
    assert np.ptp(plan.wrists[(times > 0.3) & (times < 2.0), RIGHT, 2]) > 0.015  # the hand breathes in the rest
    for note, finger in played[1:]:
        watched = (times > note.onset - 2.0 * tone) & (times < note.onset)
        highest = times[watched][np.argmax(targets.height[watched, RIGHT, finger - 1])]
        assert 0.7 <= (note.onset - highest) / tone <= 1.3


def test_fingers_hover_over_the_black_keys_among_which_they_stand() -> None:
    held = [(NoteEvent(0.5, 3.0, pitch, 70, RIGHT), finger) for pitch, finger in ((61, 1), (73, 5))]
    plan = _plan(*held)
    prior, targets = plan.section(0, plan.frames)
    frames = slice(round(1.8 * 60), round(3.8 * 60))  # from 0.8 to 2.8 s
    reached, _ = lowest(plan.setting.skeleton, pose(plan.setting.skeleton, prior[frames]))
    tips, wanted = reached[:, RIGHT, 1:4], targets.height[frames, RIGHT, 1:4] + BLACK_HEIGHT
    assert (tips[..., 1] > 0.058).all()  # they do stand there
    assert (tips[..., 2] > wanted - 0.003).all()


def test_idle_fingers_curl_up_in_front_of_the_fallboard() -> None:
    found = []
    middle = anatomy.index("middle2 flexion")
    for further_in in (0.0, 0.04):
        plan = _plan(*[(NoteEvent(0.5, 3.0, pitch, 70, RIGHT), finger) for pitch, finger in ((61, 1), (73, 5))])
        plan.wrists[:, RIGHT, 1] += further_in
        held = plan.section(0, plan.frames)[0][round(2.5 * 60)]
        tips, _ = lowest(plan.setting.skeleton, pose(plan.setting.skeleton, held[None]))
        found.append((tips[0, RIGHT, 2, 1], held[RIGHT, middle]))
    (usual, curved), (near, curled) = found
    assert curled > curved + 0.1
    assert near < min(usual + 0.03, FALLBOARD_Y)


def test_a_hand_does_not_swing_on_past_the_keys_when_it_rests() -> None:
    """The hand moves in and down the keys, its thumb strikes and is off at once; the next note comes five seconds later."""
    played = ((NoteEvent(0.0, 1.3, 60, 60, RIGHT), 5), (NoteEvent(1.2, 1.35, 51, 60, RIGHT), 1))
    plan = _plan(*played, (NoteEvent(6.0, 6.5, 60, 60, RIGHT), 3))
    resting = plan.wrists[round(2.4 * 60) : round(6.9 * 60), RIGHT]
    for axis, beyond in ((0, 0.03), (1, 0.02)):
        ends = np.sort(resting[[0, -1], axis])
        assert ends[0] - beyond < resting[:, axis].min() and resting[:, axis].max() < ends[1] + beyond


def test_a_finger_leaves_its_key_sooner_where_its_hand_leaps() -> None:
    """The middle finger's height after its key: as the key rises with a neighbour to come, ahead of it with a leap to come."""
    rises = []
    for pitch, finger in ((67, 4), (91, 4)):
        plan = _plan((NoteEvent(1.0, 1.4, 65, 70, RIGHT), 3), (NoteEvent(1.5, 1.9, pitch, 70, RIGHT), finger))
        assert (plan.hands[RIGHT].elsewhere[0] < 1.5) == (pitch == 91)
        rises.append(plan.section(0, plan.frames)[1].clearance[:, RIGHT, 2])
    on_key = [np.isinf(clearance) for clearance in rises]
    assert on_key[0].sum() > on_key[1].sum() > 0


def test_a_finger_makes_for_its_key_when_its_hand_has_let_go_of_the_one_before() -> None:
    """The thumb's wishes sideways: beside a key that its hand holds on to, and one that it leaves early, to have the next one."""
    begins = []
    for early in (0.0, 0.07):
        plan = _plan((NoteEvent(1.0, 2.0, 72, 70, RIGHT), 5), (NoteEvent(2.0, 3.0, 60, 70, RIGHT), 1), early=early)
        begins.append(plan.setting.take.times[np.flatnonzero(plan.section(0, plan.frames)[1].x_weight[:, RIGHT, 0])[0]])
    assert begins[0] < 1.8 < plan.hands[RIGHT].strokes.leave[0] <= begins[1] < 2.0
