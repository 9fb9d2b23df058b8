# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes hands look alive: style, seed and size show, fingers prepare, forearms shake trills, arms breathe."""

from dataclasses import replace

import numpy as np
import pytest

from backend.perform import Settings, kinematics, perform
from backend.perform.arm import rests, rolls, weight_drops
from backend.perform.enslaving import follow_neighbours
from backend.perform.motion import Motion
from backend.perform.planner import Part, parts
from backend.perform.targets import Targets
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import Keyboard
from s2c_blender.wire.notes import Fingering, NoteEvent, Score
from tests.bench import life_figures

RIGHT = HandSide.RIGHT


def _melody(pitches: list[int], *, gap: float, velocity: int = 70) -> Score:
    return Score(tuple(NoteEvent(0.5 + gap * k, 0.5 + gap * (k + 0.9), p, velocity, RIGHT) for k, p in enumerate(pitches)))


def _part(notes: list[NoteEvent], fingers: list[int]) -> Part:
    score = Score(tuple(notes))
    fingering = Fingering(
        hand=np.zeros(len(notes), dtype=np.int8),
        finger=np.array(fingers, dtype=np.int8),
        strike=np.array([note.onset for note in notes]),
        release=np.array([note.offset for note in notes]),
    )
    return parts(score, fingering, key_motion(score, fingering))[RIGHT]


SCALE = _melody([60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60], gap=0.2)


@pytest.fixture(scope="module")
def usual() -> Clip:
    return perform(SCALE)


@pytest.mark.parametrize(
    "settings",
    [Settings(style=0.0), Settings(style=1.0), Settings(seed=1), Settings(hand_size=0.18), Settings(hand_size=0.24)],
    ids=["calm", "lively", "seed", "small", "large"],
)
def test_every_choice_changes_the_motion(settings: Settings, usual: Clip) -> None:
    assert life_figures.joint_change(usual, perform(SCALE, settings)) >= 3.0


def test_fingers_are_prepared_about_one_tone_ahead(usual: Clip) -> None:
    tones, _ = life_figures.preparation(usual)
    assert len(tones) >= 5
    assert np.mean([0.7 <= tone <= 1.3 for tone in tones]) >= 0.8


def _prepared(*lines: list[NoteEvent]) -> float:
    """Share of strikes in runs whose finger was highest 0.7 to 1.3 tones before."""
    clip = perform(Score(tuple(sorted((note for line in lines for note in line), key=lambda note: note.onset))))
    tones, _ = life_figures.preparation(clip)
    assert len(tones) >= 20
    return float(np.mean([0.7 <= tone <= 1.3 for tone in tones]))


def test_fingers_are_prepared_right_after_a_rest() -> None:
    notes = [60, 62, 64, 65, 67, 65, 64]
    once = _melody(notes, gap=0.25).notes
    later = (2.25 * k for k in range(5))
    assert _prepared(*([replace(note, onset=note.onset + t, offset=note.offset + t) for note in once] for t in later)) >= 0.8


def test_fingers_are_prepared_where_hands_are_close() -> None:
    notes = [60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62]
    right = _melody([pitch + 7 for pitch in notes * 2], gap=0.17).notes
    left = [replace(note, pitch=note.pitch - 7, hand=HandSide.LEFT) for note in right]
    assert _prepared(list(right), left) >= 0.8


def test_a_moderate_scale_does_not_jitter(usual: Clip) -> None:
    total, fast = life_figures.fast_energy(usual)
    assert fast < 0.01 * total


def test_the_forearm_turns_in_a_trill() -> None:
    (turn,) = life_figures.trill_turns(perform(_melody([72, 74] * 8, gap=0.1)))
    assert 2.0 <= turn <= 6.0


def test_the_forearm_turns_at_the_rate_of_repeated_notes() -> None:
    part = _part([NoteEvent(0.2 * k, 0.2 * k + 0.1, 72, 70, RIGHT) for k in range(1, 9)], [2] * 8)
    times = np.arange(0.0, 2.0, 1 / 120)
    turn = rolls(part, times)[(times > 0.4) & (times < 1.6)]
    power = np.abs(np.fft.rfft(turn - turn.mean()))
    assert np.fft.rfftfreq(len(turn), 1 / 120)[np.argmax(power)] == pytest.approx(5.0, abs=0.5)


def test_the_hand_lifts_more_in_a_rest_than_at_the_end_of_a_slur() -> None:
    times = np.arange(0.0, 6.0, 1 / 120)

    def lift(gap: float) -> float:
        part = _part([NoteEvent(1.0, 2.0, 60, 70, RIGHT), NoteEvent(2.0 + gap, 4.5, 62, 70, RIGHT)], [1, 2])
        height, _ = rests(part, times)
        return float(height[(times > 2.0) & (times < 2.0 + gap)].max())

    assert 0.0005 < lift(0.4) < lift(1.2) < 0.03


def test_an_accent_drops_the_wrist_more_than_its_neighbours() -> None:
    notes = [NoteEvent(0.3 * k, 0.3 * k + 0.25, 60 + k, 100 if k == 5 else 55, RIGHT) for k in range(1, 9)]
    times = np.arange(0.0, 3.0, 1 / 120)
    drop = weight_drops(_part(notes, [1, 2, 3, 4, 5, 4, 3, 2]), times)
    assert times[np.argmin(drop)] == pytest.approx(notes[4].onset + 0.05, abs=0.03)
    assert drop.min() < -0.004


def _followed(pitches: list[int], fingers: list[int]) -> tuple[dict[int, float], float]:
    """Slopes of `life_figures.following` of fingers that never play, and how low their tips come, metres above the white keys."""
    notes = _melody(pitches * 8, gap=0.2).notes
    clip = perform(Score(tuple(replace(note, finger=f) for note, f in zip(notes, fingers * 8, strict=True))))
    slopes = {finger: float(pull @ answer / (pull @ pull)) for finger, pull, answer in life_figures.following(clip) if pull.any()}
    skeleton = hand_skeleton(load_hand_rig(), span=clip.hand_size)
    dofs = Motion(clip, skeleton).dofs(np.arange(0.5, clip.score.duration, 0.02))
    bottom, _ = kinematics.lowest(skeleton, kinematics.pose(skeleton, dofs))
    idle = [finger for finger in range(5) if finger + 1 not in fingers]
    return {finger: slopes[finger] for finger in idle if finger in slopes}, float(bottom[:, RIGHT, idle, 2].min())


@pytest.mark.parametrize(
    ("pitches", "fingers", "follower"),
    [([60, 62], [1, 2], 2), ([64, 65], [2, 3], 3), ([65, 67], [3, 4], 1), ([65, 67], [3, 4], 4), ([62, 65], [2, 4], 2)],
)
def test_a_finger_that_never_plays_follows_a_little_and_presses_nothing(
    pitches: list[int], fingers: list[int], follower: int
) -> None:
    slopes, lowest = _followed(pitches, fingers)
    assert 0.05 < slopes[follower] < 0.6
    assert lowest > 0.002


def test_idle_fingers_follow_their_neighbours() -> None:
    targets = Targets.idle(1, 120.0, Keyboard())
    targets.height[:] = 0.010
    free = np.ones((1, 2, 5))
    targets.height[0, RIGHT, 2], free[0, RIGHT, 2] = 0.020, 0.0
    knuckles, middles = follow_neighbours(targets, free, hover=0.010)
    index, middle, ring, little = targets.height[0, RIGHT, 1:] - 0.010
    assert 0.0 < index < ring < middle == pytest.approx(0.010)
    assert little == 0.0 and targets.height[0, RIGHT, 0] == 0.010
    assert (knuckles[0, RIGHT, [1, 3]] < 0.0).all() and (middles[0, RIGHT, [1, 3]] > 0.0).all()  # up; given back a little


def test_what_follows_downwards_stays_above_the_keys() -> None:
    targets = Targets.idle(1, 120.0, Keyboard())
    targets.height[:] = 0.010
    free = np.ones((1, 2, 5))
    targets.height[0, RIGHT, 2], free[0, RIGHT, 2] = -0.010, 0.0  # its key is down
    knuckles, middles = follow_neighbours(targets, free, hover=0.010)
    assert targets.height[0, RIGHT, 3] == pytest.approx(0.009)
    assert knuckles[0, RIGHT, 3] > 0.1 and middles[0, RIGHT, 3] < 0.0
