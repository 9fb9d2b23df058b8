# SPDX-License-Identifier: GPL-3.0-or-later
"""Fingers keep off each other, and hands off hands."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from backend.perform.collisions import _WIDER, Collisions
from backend.perform.kinematics import pose
from backend.perform.normal_equations import Softness, System
from backend.perform.posture import playing_posture
from s2c_blender.motion import anatomy
from s2c_blender.motion.hand_rig import load_hand_rig, own_skeleton
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import BLACK_FRONT, BLACK_HEIGHT, FALLBOARD_Y
from tests.skeletons import plain_skeleton

SKELETON = plain_skeleton()


def _collisions(skeleton: HandSkeleton = SKELETON, *, frames: int = 1) -> Collisions:
    return Collisions(skeleton, Softness(spread=0.0005, outlier=0.003), frames)


def _pushes(
    dofs: NDArray[np.float64], *, together: bool = True, idle: ArrayLike = True
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal equations, matrix (N, 2, D, D) and slope (N, 2, D), of overlaps at poses (N, 2, D), frames of one window or each of
    one of its own. idle: which fingers (N, 2, 5) play nothing, or all of them."""
    system = _system(dofs, together=together, idle=idle)
    return system.matrix, system.slope


def _system(dofs: NDArray[np.float64], *, together: bool = True, idle: ArrayLike = True) -> System:
    system = System(np.zeros((*dofs.shape, anatomy.DOFS)), np.zeros(dofs.shape), np.zeros(dofs.shape[:2]))
    free = np.broadcast_to(idle, (*dofs.shape[:2], 5))
    _collisions(frames=len(dofs) if together else 1).add(pose(SKELETON, dofs), free, system)
    return system


def _beside(apart: NDArray[np.float64]) -> NDArray[np.float64]:
    """Playing postures (N, 2, D), wrists `apart` (N,) metres, in front of the keys."""
    dofs = np.repeat(playing_posture(SKELETON).dofs[None], len(apart), axis=0)
    dofs[..., 1] = -0.08
    dofs[:, HandSide.RIGHT, 0], dofs[:, HandSide.LEFT, 0] = 0.5 * apart, -0.5 * apart
    return dofs


def _pushed(apart: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) whether hands whose wrists are so far apart push each other, thumbs, which lead, away by themselves."""
    thumb = anatomy.index("thumb1 abduction")
    _, slope = _pushes(_beside(apart))
    alone = _pushes(_beside(np.array([0.6])))[1]
    return np.abs(slope - alone)[..., thumb].max(axis=1) > 0.0


def test_fingers_that_overlap_are_pushed_apart() -> None:
    dofs = playing_posture(SKELETON).dofs[None].copy()
    spread = anatomy.index("index1 abduction")
    dofs[..., spread] = np.radians(-14)
    matrix, slope = _pushes(dofs)
    assert (slope[..., spread] < 0.0).all()  # the gradient asks for more abduction: back to the thumb's side
    assert (matrix[..., spread, spread] > 0.0).all()


def test_fingers_that_cross_past_the_one_between_them_are_pushed_apart() -> None:
    dofs = playing_posture(SKELETON).dofs[None].copy()
    dofs[..., anatomy.index("middle1 flexion")] = np.radians(-35)
    alone = dofs.copy()
    ring, index = anatomy.index("ring1 abduction"), anatomy.index("index1 abduction")
    dofs[..., index], dofs[..., ring] = np.radians(-32), np.radians(24)
    alone[..., index] = np.radians(-32)
    pushed = _pushes(dofs)[1][..., ring] - _pushes(alone)[1][..., ring]
    assert (np.abs(pushed) > 0.0).all()


def test_hands_that_pass_keep_the_way_between_frames_free() -> None:
    distances = np.arange(0.25, 0.05, -0.0005)
    touching = distances[np.argmax(_pushed(np.repeat(distances, 3))[1::3])]  # the middle one of three that stand still
    near = touching + 0.003
    assert not _pushed(np.full(3, near)).any()
    # 10 mm a frame: the middle one of three frames is as far apart as before.
    assert _pushed(near + 0.010 * np.array([1.0, 0.0, -1.0]))[1]
    assert not _pushed(near + 0.010 * np.array([2.0, 1.0, 0.0]))[1]  # not yet


def test_the_way_that_is_kept_free_is_not_wrong_but_all_of_what_overlaps_is_for_both() -> None:
    distances = np.arange(0.25, 0.05, -0.0005)
    touching = distances[np.argmax(_pushed(np.repeat(distances, 3))[1::3])]
    own = _system(_beside(np.array([0.6]))).wrong[0]  # of each hand by itself
    passing = _beside(touching + 0.001 + 0.004 * np.array([1.0, 0.0, -1.0]))
    assert (np.abs(_pushes(passing)[1][1, :, 0]) > 0.0).all()
    np.testing.assert_array_equal(_system(passing).wrong[1], own)
    right, left = _system(_beside(np.array([touching - 0.004]))).wrong[0]
    assert right == left > max(own.max(), 0.002)


def test_hands_that_are_apart_at_frames_but_not_between_them_are_pushed_at_both() -> None:
    dofs = _beside(np.array([0.2, -0.2]))
    halfway, at_frames = (_pushes(dofs, together=together)[1] for together in (True, False))
    assert (np.abs(halfway - at_frames).max(axis=-1) > 0.0).all()
    still = _beside(np.array([0.2, 0.2]))
    assert np.array_equal(_pushes(still)[1], _pushes(still, together=False)[1])


def test_what_went_through_the_other_hand_is_sent_back_to_the_side_it_came_from() -> None:
    """In the middle one of five frames the right hand is on the wrong side."""
    dofs = _beside(np.array([0.12, 0.12, 0.0, 0.12, 0.12]))
    dofs[2, HandSide.RIGHT, 0] -= 0.02
    aside = _pushes(dofs)[1][2, HandSide.RIGHT, 0]
    alone = _pushes(_beside(np.array([-0.02])))[1][0, HandSide.RIGHT, 0]
    assert aside < 0.0 < alone


def test_thumbs_that_cross_while_hands_are_beside_each_other_go_back_to_their_own_sides() -> None:
    dofs = _beside(np.array([0.15]))
    dofs[..., anatomy.index("thumb1 abduction")] += 0.3
    dofs[..., 3] += 0.2
    right, left = pose(SKELETON, dofs).joints[0, :, 0, 2, 0]
    assert right < left - 0.01
    aside = _pushes(dofs, idle=False)[1][0, :, 0]
    assert aside[HandSide.RIGHT] < 0.0 < aside[HandSide.LEFT]  # downhill is outwards


def test_a_hand_that_plays_stays_where_its_idle_fingers_meet_the_other_hand_and_one_that_plays_nothing_moves() -> None:
    idle = np.ones((1, 2, 5), dtype=bool)
    idle[0, HandSide.LEFT, 4] = False
    dofs = _beside(np.array([0.15]))
    dofs[..., anatomy.index("thumb1 abduction")] += 0.3
    wrists = _pushes(dofs, idle=idle)[1][0, :, 0]
    assert wrists[HandSide.RIGHT] < 0.0 == wrists[HandSide.LEFT]  # downhill is outwards


def test_a_hand_that_goes_over_the_other_makes_all_the_room() -> None:
    over, alone = _beside(np.array([0.0])), _beside(np.array([0.6]))
    for dofs in (over, alone):
        dofs[:, HandSide.RIGHT, 1:5] += (-0.05, 0.07, 0.0, 0.9)  # fingers hang down on the other hand
    pushed = _pushes(over)[1] - _pushes(alone)[1]
    assert (pushed[:, HandSide.LEFT] == 0.0).all()
    assert (pushed[:, HandSide.RIGHT, 2] < 0.0).all()  # upwards


def test_the_capsules_hold_the_skin_of_wrist_and_forearm() -> None:
    skeleton = own_skeleton()
    dofs = np.zeros((1, 2, anatomy.DOFS))
    for side in HandSide:
        skin = load_hand_rig().side_vertices(side)
        skin = skin[skin[:, 1] < 0.0]
        posed, collisions = pose(skeleton, dofs), _collisions(skeleton)
        begin, end = (points[0, side] for points in collisions._ends(posed))
        along = np.linspace(0.0, 1.0, 100)[:, None, None]
        lines = begin + along * (end - begin)  # (100, 20, 3)
        outside = np.linalg.norm(skin[:, None, None] - lines, axis=-1).min(axis=1) - _WIDER * collisions.radius[side]
        assert outside.min(axis=1).max() < 0.0045


def test_a_palm_that_is_far_in_stays_above_the_black_keys() -> None:
    """The hand points up, so that only its heel is low."""
    slopes = []
    for depth in (-0.2, 0.08):
        dofs = _beside(np.array([0.6]))
        dofs[..., 1:3], dofs[..., 4] = (depth, 0.015), -0.6
        slopes.append(_pushes(dofs)[1][..., 2])
    before_the_keys, over_black = slopes
    assert (before_the_keys == 0.0).all()
    assert (over_black < 0.0).all()  # upwards


def test_a_flat_hand_does_not_come_up_against_the_black_keys_fronts_with_its_knuckles() -> None:
    """The little finger's, the lowest, is pushed up where it is nearer to those fronts than it is thick, and not farther out."""
    thick = _collisions().joint[HandSide.RIGHT, 4, 0]
    pushes = []
    for before in (0.5, 2.0):
        dofs = _beside(np.array([0.6]))
        dofs[..., 3:], dofs[..., 5] = 0.0, 0.5
        knuckle = pose(SKELETON, dofs).joints[0, HandSide.RIGHT, 4, 0]
        dofs[..., 1:3] += np.array([BLACK_FRONT - before * thick, 0.45 * BLACK_HEIGHT + thick]) - knuckle[1:]
        pushes.append(_pushes(dofs)[1][0, HandSide.RIGHT, 2])
    near, far = pushes
    assert near < 0.0 == far  # upwards


def test_fingers_are_pushed_out_of_the_fallboard_and_not_before() -> None:
    posture = playing_posture(SKELETON)
    thick = _collisions().thick[HandSide.RIGHT, 8]  # of the middle fingertip
    pushes = []
    for inside in (-0.004, 0.004):
        dofs = _beside(np.array([0.6]))
        dofs[:, HandSide.RIGHT, 1] = FALLBOARD_Y - thick + inside - posture.reach[HandSide.RIGHT, 2, 1]
        pushes.append(_pushes(dofs)[1][0, HandSide.RIGHT, 1])
    before, behind = pushes
    assert before == 0.0 < behind  # towards the player
