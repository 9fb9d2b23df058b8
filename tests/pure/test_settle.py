# SPDX-License-Identifier: GPL-3.0-or-later
"""The solve goes on where it has not come to rest, and leaves everything else as it is."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from backend.perform import settle
from backend.perform.fingering import assign_fingers
from backend.perform.hands_split import assign_hands
from backend.perform.kinematics import lowest, pose
from backend.perform.manner import manner
from backend.perform.planner import Plan, Setting, Take
from backend.perform.problem import Problem, SolveSettings
from backend.perform.settle import solve_and_settle
from backend.perform.stretches import stretches_in_rows
from s2c_blender.motion import anatomy
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import BLACK_FRONT, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Hands that leap while they change places, and a long rest."""
    notes = [
        NoteEvent(0.3 + 0.12 * k, 0.4 + 0.12 * k, pitch, 90, HandSide.RIGHT) for k, pitch in enumerate((72, 52, 75, 54, 78, 51))
    ]
    notes += [
        NoteEvent(0.35 + 0.12 * k, 0.45 + 0.12 * k, pitch, 90, HandSide.LEFT) for k, pitch in enumerate((53, 74, 49, 77, 55, 73))
    ]
    return problem_of(notes)


def problem_of(notes: list[NoteEvent]) -> Problem:
    """Two windows of four seconds."""
    score = Score(tuple(sorted(notes, key=lambda note: (note.onset, note.pitch))))
    fingering = assign_fingers(score, assign_hands(score))
    setting = Setting(hand_skeleton(load_hand_rig()), Keyboard(), Take(-1.0, 60.0, 480), manner(0.5, 0))
    prior, targets = Plan(score, fingering, key_motion(score, fingering), setting).section(0, 480)
    index = np.arange(480).reshape(2, 240)
    return Problem(setting.skeleton, prior[index], targets.take(index), SolveSettings())


def test_what_the_last_iteration_has_spoilt_is_known_when_it_is_mended(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where rounds end before all is at rest."""
    seen: list[tuple[float, int]] = []

    def mend(problem: Problem, dofs: np.ndarray, look: Callable[[], None]) -> np.ndarray:
        moving = problem.restless()
        seen.append((np.abs(problem.wrong - problem.faults(dofs, look))[moving].max(), moving.sum()))
        return dofs

    monkeypatch.setattr(settle, "mend", mend)
    monkeypatch.setattr(problem, "settings", replace(problem.settings, rounds=problem.settings.rounds[:1]))
    solve_and_settle(problem, lambda: None)
    [(off, moving)] = seen
    assert moving > 10 and off < 1e-6


def test_only_what_has_not_come_to_rest_goes_on(problem: Problem) -> None:
    settings = problem.settings
    problem.settings = replace(settings, rounds=())
    before = solve_and_settle(problem, lambda: False)
    restless = problem.restless().reshape(2, 240)
    problem.settings = settings
    after = solve_and_settle(problem, lambda: False)
    moved = (before != after).any(axis=(2, 3))
    reach = len(settings.rounds) * round(settings.around * 60.0)
    assert restless.any() and moved[restless].any()
    near = np.zeros_like(restless)
    for window, frame in np.argwhere(restless):
        near[window, max(frame - reach, 0) : frame + reach + 1] = True
    assert not moved[~near].any()  # each round goes on around what the one before left
    assert not near.all()


def test_a_frame_that_is_held_stays_in_place(problem: Problem) -> None:
    held = np.zeros((2, 240), dtype=bool)
    held[:, 100:140] = True
    index = np.arange(480).reshape(2, 240)
    part = problem.part(index, held)
    moved = np.abs(part.run(problem.prior.copy(), range(2), lambda: False) - problem.prior).max(axis=(1, 2)).reshape(2, 240)
    assert moved[held].max() < 1e-6
    assert moved[~held].max() > 1e-3


def test_what_draws_a_finger_back_does_not_draw_it_off_the_front_of_its_black_key() -> None:
    problem = problem_of([NoteEvent(0.5, 2.5, 66, 70, HandSide.RIGHT, 2)])
    dofs = solve_and_settle(problem, lambda: None).reshape(-1, 2, anatomy.DOFS)
    back = dofs.copy()
    back[:, HandSide.RIGHT, 1] -= 0.045
    problem.forget_steps()
    problem.stay_near(back, np.full(back.shape[:2], 300.0))
    drawn = problem.run(dofs, range(10, 26), lambda: None)
    bottom, _ = lowest(problem.skeleton, pose(problem.skeleton, drawn))
    held = bottom[120:180, HandSide.RIGHT, 1, 1]  # from 1 to 2 s
    assert BLACK_FRONT < held.min() < BLACK_FRONT + 0.02


def test_what_pulls_at_joints_does_not_bend_them_too_far(problem: Problem) -> None:
    far = problem.prior.copy()
    far[..., anatomy.index("index1 abduction")] = 2.0
    problem.forget_steps()
    problem.stay_near(far, np.full(far.shape[:2], 1e4))
    bent = problem.run(problem.prior.copy(), range(6), lambda: None)
    problem.stay_near(far, np.zeros(far.shape[:2]))
    over = (bent - anatomy.HIGHEST)[..., anatomy.index("index1 abduction")]
    assert 0.0 < over.max() < problem.settings.beyond + 1e-9


def test_a_finger_a_little_too_high_on_its_key_is_tried_again() -> None:
    """A millimetre and a half, and the note is late; the same sideways is no matter."""
    problem = problem_of([NoteEvent(0.5, 1.5, 60, 90, HandSide.RIGHT)])
    dofs = solve_and_settle(problem, lambda: None).reshape(problem.prior.shape)
    pressing = problem.presses[:, HandSide.RIGHT].any(axis=-1)
    found = []
    for axis, metres in ((2, 0.0), (2, 0.0015), (0, 0.0015)):
        moved = dofs.copy()
        moved[..., axis] += metres
        found.append(problem.faults(moved, lambda: None)[pressing])
    as_solved, higher, aside = found
    assert (as_solved < 0.001).all() and (higher > 0.002).all() and (aside < 0.001).all()


def test_stretches_are_held_at_both_ends_and_lose_no_frame() -> None:
    chosen = np.zeros((3, 50), dtype=bool)
    chosen[0, :9] = chosen[1, 20:31] = chosen[1, 40:] = chosen[2, 7:12] = True
    rows, free = stretches_in_rows(chosen)
    found = np.sort(rows[free])
    expected = [*range(2, 7), *range(72, 79), *range(92, 98), 109]
    np.testing.assert_array_equal(found, expected)
    for row, movable in zip(rows, free, strict=True):
        for place in np.flatnonzero(movable):
            np.testing.assert_array_equal(row[place - 2 : place + 3], row[place] + np.arange(-2, 3))
