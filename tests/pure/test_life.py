# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes hands look alive: style, seed and size show, fingers prepare, forearms shake trills, arms breathe."""

import numpy as np
import pytest

from backend.perform import Settings, perform
from backend.perform.arm import rests, rolls, weight_drops
from backend.perform.enslaving import follow_neighbours
from backend.perform.planner import Part, parts
from backend.perform.targets import Targets
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


def test_idle_fingers_follow_their_neighbours() -> None:
    targets = Targets.idle(1, 120.0, Keyboard())
    targets.height[:] = 0.010
    targets.height_weight[:] = 1.0
    targets.height[0, RIGHT, 2], targets.height_weight[0, RIGHT, 2] = 0.020, 5.0
    follow_neighbours(targets, idle_weight=1.0, hover=0.010)
    index, middle, ring, little = targets.height[0, RIGHT, 1:] - 0.010
    assert 0.0 < index < ring < middle == pytest.approx(0.010)
    assert little == 0.0 and targets.height[0, RIGHT, 0] == 0.010
