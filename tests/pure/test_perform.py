# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole way from notes to a clip: fingertips are where the notes are, when they are."""

import time
from dataclasses import replace

import numpy as np
import pytest

from backend.perform import Settings, perform, solve
from backend.perform.manner import manner
from backend.perform.planner import Plan, Setting, Take
from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.joint_limits import violations
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.motion.skeleton import HandSkeleton, forward, pad_points
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import Cancelled
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide
from s2c_blender.wire.keyboard import LET_OFF, LOWEST, Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score
from tests.skeletons import plain_skeleton

RIGHT, LEFT = HandSide.RIGHT, HandSide.LEFT


def _score() -> Score:
    """A right-hand scale with a black key, left-hand chords."""
    scale = [(0.5 + 0.22 * k, pitch) for k, pitch in enumerate((60, 62, 64, 65, 67, 69, 70, 72))]
    notes = [NoteEvent(t, t + 0.2, pitch, 70, RIGHT) for t, pitch in scale]
    notes += [NoteEvent(t, t + 0.6, pitch, 60, LEFT) for t in (0.5, 1.4) for pitch in (41, 48, 53)]
    return Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))


@pytest.fixture(scope="module")
def clip() -> Clip:
    return perform(_score())


def _crossings(skeleton: HandSkeleton, clip: Clip) -> np.ndarray:
    """For each note the time at which its finger passes the let-off point, nearest to the strike (between poses: straight)."""
    keyboard = Keyboard(clip.octave)
    pads = pad_points(skeleton, clip.rotation.astype(float), clip.translation.astype(float))
    found = []
    for note, event in enumerate(clip.score.notes):
        key = event.pitch - LOWEST
        points = pads[:, clip.fingering.hand[note], clip.fingering.finger[note] - 1]
        lowest = np.take_along_axis(points, np.argmin(points[..., 2], axis=1)[:, None, None], axis=1)[:, 0]
        over = np.abs(lowest[:, 0] - keyboard.x[key]) < keyboard.half_width[key] - 0.002
        depth = np.where(over, (keyboard.top[key] - lowest[:, 2]) / keyboard.travel(key, lowest[:, 1]), -1.0)
        down = np.flatnonzero((depth[:-1] < LET_OFF) & (depth[1:] >= LET_OFF))
        moment = clip.times[down] + (LET_OFF - depth[down]) / (depth[down + 1] - depth[down]) / clip.rate
        found.append(moment[np.argmin(np.abs(moment - event.onset))] if len(moment) else np.nan)
    return np.array(found)


def test_each_finger_presses_its_key_on_time(clip: Clip) -> None:
    late = _crossings(hand_skeleton(load_hand_rig()), clip) - [note.onset for note in clip.score.notes]
    assert np.nanmax(np.abs(late)) < 0.004
    assert not np.isnan(late).any()


@pytest.mark.parametrize("skeleton", [plain_skeleton(), plain_skeleton(lengths=0.9, width=1.15)])
def test_any_skeleton_can_be_solved(skeleton: HandSkeleton, clip: Clip) -> None:
    from backend.perform import kinematics

    score, motion = clip.score, key_motion(clip.score, clip.fingering)
    take = Take(-1.0, 60.0, len(clip.rotation))
    planned = Plan(score, clip.fingering, motion, Setting(skeleton, Keyboard(), take, manner(0.5, 0)))
    dofs = solve.solve(skeleton, planned)
    own = replace(clip, rotation=kinematics.to_rotations(skeleton, dofs), translation=dofs[..., :3])
    late = _crossings(skeleton, own) - [note.onset for note in score.notes]
    assert np.nanmax(np.abs(late)) < 0.005
    assert not np.isnan(late).any()


def test_joints_stay_within_their_ranges(clip: Clip) -> None:
    assert not violations(hand_skeleton(load_hand_rig()), clip.rotation).any()


def test_the_same_seed_gives_the_same_clip_and_another_one_moves_visibly_otherwise(clip: Clip) -> None:
    again, other = perform(_score()), perform(_score(), Settings(seed=3))
    np.testing.assert_array_equal(again.rotation, clip.rotation)
    turn = rotation.to_axis_angle(rotation.multiply(rotation.conjugate(clip.rotation), other.rotation))
    assert np.degrees(np.linalg.norm(turn, axis=-1)).mean() > 3.0
    late = _crossings(hand_skeleton(load_hand_rig()), other) - [note.onset for note in other.score.notes]
    assert np.abs(late).max() < 0.004


@pytest.mark.parametrize("size", [0.18, 0.24])
def test_small_and_large_hands_play_it_too(size: float) -> None:
    made = perform(_score(), Settings(hand_size=size))
    late = _crossings(hand_skeleton(load_hand_rig(), span=size), made) - [note.onset for note in made.score.notes]
    assert np.abs(late).max() < 0.005


def test_windows_leave_no_seam(clip: Clip) -> None:
    skeleton = hand_skeleton(load_hand_rig())
    take = Take(-1.0, 60.0, len(clip.rotation))
    motion = key_motion(clip.score, clip.fingering)
    planned = Plan(clip.score, clip.fingering, motion, Setting(skeleton, Keyboard(), take, manner(0.5, 0)))
    whole = solve.solve(skeleton, planned)
    parted = solve.solve(skeleton, planned, window=1.0)
    assert np.abs(parted[..., :3] - whole[..., :3]).max() < 0.002
    assert np.abs(parted[..., 3:] - whole[..., 3:]).max() < np.radians(4.0)


def test_a_cancelled_job_stops() -> None:
    with pytest.raises(Cancelled):
        perform(_score(), cancelled=lambda: True)


def test_hands_rest_before_and_after(clip: Clip) -> None:
    skeleton = hand_skeleton(load_hand_rig())
    for frame in (0, len(clip.rotation) - 1):
        part = slice(frame, frame + 1)
        pads = pad_points(skeleton, clip.rotation[part].astype(float), clip.translation[part].astype(float))
        assert pads[..., 2].min() > 0.02


def test_an_hour_of_rest_is_no_trouble_for_the_planner() -> None:
    notes = (NoteEvent(0.0, 0.2, 60, 70, RIGHT), NoteEvent(60.0, 60.3, 72, 70, RIGHT))
    made = perform(Score(notes), Settings(fps=24.0))
    assert made.rate == 48.0
    assert np.isfinite(made.rotation).all()


def test_a_score_without_played_notes_still_gives_hands() -> None:
    notes = (NoteEvent(0.0, 0.5, 60, 70, RIGHT),)
    score = Score(notes)
    nobody = Fingering(np.zeros(1, np.int8), np.zeros(1, np.int8), np.zeros(1), np.full(1, 0.5))
    take = Take(-1.0, 60.0, 120)
    skeleton = plain_skeleton()
    planned = Plan(score, nobody, key_motion(score, nobody), Setting(skeleton, Keyboard(), take, manner(0.5, 0)))
    assert np.isfinite(solve.solve(skeleton, planned)).all()


def _long_score(seconds: float) -> Score:
    """Both hands' notes without names, as from a recording."""
    notes = [NoteEvent(0.25 * k, 0.25 * k + 0.2, pitch + k % 7, 70) for k in range(int(seconds * 4)) for pitch in (45, 72)]
    return Score(tuple(notes))


def test_a_cancel_is_looked_for_all_the_time_also_before_the_solve() -> None:
    score, seen, looks = _long_score(120.0), [], []

    def look() -> bool:
        looks.append(time.monotonic())
        return "shown" in seen

    with pytest.raises(Cancelled):
        perform(score, cancelled=look, preview=lambda first, turns, places: seen.append("shown"))
    assert np.diff(looks).max() < 0.3


def test_the_search_for_fingers_tells_how_far_it_is() -> None:
    told: list[tuple[int, int]] = []
    with pytest.raises(Cancelled):
        perform(
            _long_score(60.0),
            report=lambda stage, done, total: told.append((done, total)) if stage == "fingering" else None,
            cancelled=lambda: bool(told) and told[-1][0] >= 95,
        )
    assert len(told) > 20
    assert told == sorted(told)


def test_a_preview_shows_the_clips_own_frames_the_first_ones_early() -> None:
    score, shown, solved = _long_score(45.0), [], []
    made = perform(
        score,
        report=lambda stage, done, total: solved.append(done) if stage == "solving" else None,
        preview=lambda first, turns, places: shown.append((first, turns.copy(), places.copy(), len(solved))),
    )
    assert shown[0][0] == 0
    assert 3.0 < len(shown[0][1]) / made.rate < 5.0
    assert shown[0][3] == 1  # before any other window was begun
    np.testing.assert_array_equal(np.concatenate([turns for _, turns, _, _ in shown]), made.rotation)
    np.testing.assert_array_equal(np.concatenate([places for _, _, places, _ in shown]), made.translation)


def test_knuckles_of_a_small_hand_stay_above_the_keys_when_it_reaches_far() -> None:
    notes = tuple(NoteEvent(0.5, 1.3, pitch, 70, LEFT) for pitch in (50, 64))
    clip = perform(Score(notes), Settings(hand_size=0.176))
    skeleton = hand_skeleton(load_hand_rig()).scaled(0.8)
    joints, _ = forward(skeleton, clip.rotation.astype(float), clip.translation.astype(float))
    knuckles = joints[:, LEFT, [chain[0] for chain in FINGER_JOINTS[1:]], 2]
    assert knuckles.min() > 0.75 * skeleton.radius[LEFT, 0]  # the palm is twice that thick


@pytest.fixture(scope="module")
def stretched() -> Clip:
    """An octave with the index on its seventh: long beside the thumb, and in between two black keys, it holds the hand back."""
    notes = (NoteEvent(1.0, 2.5, pitch, 70, LEFT, finger) for pitch, finger in ((47, 5), (57, 2), (59, 1)))
    return perform(Score(tuple(notes)))


def test_a_stretched_hand_holds_still(stretched: Clip) -> None:
    held = (stretched.times > 1.15) & (stretched.times < 2.35)
    shake = np.diff(stretched.translation[held, LEFT].astype(float), 2, axis=0)
    assert np.sqrt((shake**2).mean(axis=0)).max() < 0.0008


def test_fingers_press_over_their_keys_not_in_front_of_them(stretched: Clip) -> None:
    pads = pad_points(hand_skeleton(load_hand_rig()), stretched.rotation.astype(float), stretched.translation.astype(float))
    held = (stretched.times > 1.1) & (stretched.times < 2.4)
    for finger in (0, 1, 4):
        points = pads[held, LEFT, finger]
        lowest = np.take_along_axis(points, np.argmin(points[..., 2], axis=1)[:, None, None], axis=1)[:, 0]
        assert lowest[:, 1].min() > 0.0
        assert np.abs(lowest[:, 2] + 0.010).max() < 0.003  # a white key's dip, less further in
