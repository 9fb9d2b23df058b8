# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin stays out of keys, also on its way from one frame to the next."""

import numpy as np
from numpy.typing import NDArray

from backend.perform.collisions import Collisions
from backend.perform.key_walls import KeyWalls, own_keys
from backend.perform.kinematics import lowest, pose
from backend.perform.normal_equations import Softness, System
from backend.perform.posture import playing_posture
from backend.perform.targets import Targets
from s2c_blender.motion import anatomy
from s2c_blender.wire.hands import FINGER_JOINTS, HandSide
from s2c_blender.wire.keyboard import BLACK_FRONT, BLACK_HEIGHT, BLACK_WIDTH_BASE, Keyboard
from tests.skeletons import plain_skeleton

SKELETON = plain_skeleton()
KEYBOARD = Keyboard()
INDEX = 1
RIGHT, LEFT = HandSide.RIGHT, HandSide.LEFT
WRIST_Z = anatomy.index("wrist z")


def _nothing_asked(dofs: NDArray[np.float64]) -> System:
    """Normal equations of poses (N, 2, D) to add to."""
    return System(np.zeros((*dofs.shape, anatomy.DOFS)), np.zeros(dofs.shape), np.zeros(dofs.shape[:2]))


def _asked(dofs: NDArray[np.float64]) -> System:
    """Normal equations of walls at the frames (N, 2, D) of one window."""
    targets, system = Targets.idle(len(dofs), 60.0, KEYBOARD), _nothing_asked(dofs)
    KeyWalls(SKELETON, KEYBOARD, len(dofs)).add(pose(SKELETON, dofs), targets, own_keys(targets), system)
    return system


def _upwards(dofs: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 2) how strongly walls push hands upwards."""
    return -_asked(dofs).slope[..., WRIST_Z]


def _with_index_at(x: float, y: float, height: float) -> NDArray[np.float64]:
    """A playing posture (2, D) whose right index finger's lowest point is there, the other fingers and the left hand far up."""
    dofs = playing_posture(SKELETON).dofs.copy()
    dofs[LEFT, 2] += 0.3
    for finger in set(range(5)) - {INDEX}:
        dofs[RIGHT, anatomy.FINGER_DOFS[finger].start + 1] = np.radians(-35)
    bottom, _ = lowest(SKELETON, pose(SKELETON, dofs[None]))
    dofs[RIGHT, :3] += np.array([x, y, height]) - bottom[0, RIGHT, INDEX]
    return dofs


def test_what_goes_through_a_black_key_between_two_frames_goes_over_it() -> None:
    black = float(KEYBOARD.x[np.flatnonzero(KEYBOARD.black)[17]])
    ways = np.array([-0.013, 0.013])
    deep, low, high = BLACK_FRONT + 0.02, BLACK_HEIGHT - 0.004, BLACK_HEIGHT + 0.004
    through = np.stack([_with_index_at(black + way, deep, low) for way in ways])
    over = np.stack([_with_index_at(black + way, deep, high) for way in ways])
    alone = np.concatenate([_upwards(frame[None]) for frame in through])
    assert (_upwards(through)[:, RIGHT] > alone[:, RIGHT]).all()
    assert (_upwards(over) == 0.0).all()


def test_a_quick_finger_goes_over_a_black_key_also_where_half_of_its_way_is_past_it() -> None:
    black = float(KEYBOARD.x[np.flatnonzero(KEYBOARD.black)[-1]])  # to its right there are only white ones
    ways = np.array([-0.016, 0.048])
    deep, low, high = BLACK_FRONT + 0.02, BLACK_HEIGHT - 0.004, BLACK_HEIGHT + 0.004
    through = np.stack([_with_index_at(black + way, deep, low) for way in ways])
    over = np.stack([_with_index_at(black + way, deep, high) for way in ways])
    assert (_upwards(through)[:, RIGHT] > 0.0).all()
    assert (_upwards(over) == 0.0).all()


def test_a_finger_that_swings_in_over_a_black_keys_front_does_not_cut_its_corner() -> None:
    """Half of its way is above the key; a quarter of it is not."""
    black = float(KEYBOARD.x[np.flatnonzero(KEYBOARD.black)[17]])
    ways = np.array([[BLACK_FRONT - 0.020, 0.002], [BLACK_FRONT + 0.052, BLACK_HEIGHT + 0.019]])
    through = np.stack([_with_index_at(black, *way) for way in ways])
    alone = np.concatenate([_asked(frame[None]).wrong for frame in [*through, through.mean(axis=0)]])
    assert (alone[:, RIGHT] == 0.0).all()
    assert (_asked(through).wrong[:, RIGHT] > 0.001).all()


def test_what_is_pushed_over_a_black_key_is_wrong_by_no_more_than_it_is_inside() -> None:
    black = float(KEYBOARD.x[np.flatnonzero(KEYBOARD.black)[17]])
    low = BLACK_HEIGHT - 0.010
    through = np.stack([_with_index_at(black + way, BLACK_FRONT + 0.02, low) for way in (-0.013, 0.013)])
    wrong = _asked(through).wrong[:, RIGHT]
    alone = np.concatenate([_asked(frame[None]).wrong[:, RIGHT] for frame in through])
    assert (wrong > alone).all()
    assert wrong.max() < 0.5 * BLACK_WIDTH_BASE + 0.0005


def test_a_finger_that_dips_into_a_key_between_two_frames_is_raised_in_both() -> None:
    white = float(KEYBOARD.x[np.flatnonzero(~KEYBOARD.black)[25]])
    # It goes to and fro below the hand, which turns the other way: at both ends as high, between them lower.
    frames = []
    for bend in (-0.5, 0.5):
        dofs = _with_index_at(white, 0.02, 0.0)
        dofs[RIGHT, anatomy.index("index1 flexion")] += bend
        bottom, _ = lowest(SKELETON, pose(SKELETON, dofs[None]))
        dofs[RIGHT, 2] += 0.0005 - bottom[0, RIGHT, INDEX, 2]
        frames.append(dofs)
    between = pose(SKELETON, 0.5 * np.stack(frames).sum(axis=0, keepdims=True))
    assert lowest(SKELETON, between)[0][0, RIGHT, INDEX, 2] < -0.001
    assert (_upwards(np.stack(frames))[:, RIGHT] > 0.0).all()
    assert (_upwards(np.stack([frames[0], frames[0]])) == 0.0).all()


def _beside_black(dofs: NDArray[np.float64], keys: NDArray[np.intp]) -> NDArray[np.float64]:
    """(2, D) gradient at one pose (2, D) whose fingers press `keys` (2, 5)."""
    system = _nothing_asked(dofs[None])
    soft = Softness(spread=0.0005, outlier=0.003)
    Collisions(SKELETON, soft, 1).beside_black(pose(SKELETON, dofs[None]), KEYBOARD, keys[None], system)
    return system.slope[0]


def test_a_finger_may_lie_on_its_own_black_key_and_on_no_other() -> None:
    black = np.flatnonzero(KEYBOARD.black)
    dofs = _with_index_at(float(KEYBOARD.x[black[17]]), BLACK_FRONT + 0.02, BLACK_HEIGHT - 0.002)
    pushes = []
    for own in (black[17], black[16]):
        keys = np.full((2, 5), -1)
        keys[RIGHT, INDEX] = own
        pushes.append(-_beside_black(dofs, keys)[RIGHT, WRIST_Z])
    assert pushes[0] == 0.0 < pushes[1]


def _thumb_joints_at(turn: float, middle: float, place: tuple[float, float, float]) -> NDArray[np.float64]:
    """A pose (2, D) turned so far to the thumb's side; what is `middle` of the way from the right thumb's middle joint to its last
    one is there."""
    dofs = playing_posture(SKELETON).dofs.copy()
    dofs[RIGHT, anatomy.index("wrist abduction")] = turn
    _, second, third = pose(SKELETON, dofs[None]).joints[0, RIGHT, 0]
    dofs[RIGHT, :3] += place - (1.0 - middle) * second - middle * third
    return dofs


def test_the_ball_of_the_thumb_stays_before_the_black_keys() -> None:
    """The thumb points back to the player. Its ball is thicker than the bone at its end."""
    x = float(KEYBOARD.x[np.flatnonzero(KEYBOARD.black)[17]])
    ball = 1.3 * SKELETON.radius[RIGHT, FINGER_JOINTS[0][0]]
    thumb, nothing = anatomy.FINGER_DOFS[0], np.full((2, 5), -1)
    touching, free = (
        _beside_black(_thumb_joints_at(1.1, 0.0, (x, BLACK_FRONT - ball + gap, 0.006)), nothing)[RIGHT, thumb]
        for gap in (0.001, -0.004)
    )
    assert touching.any() and not free.any()


def test_a_thumb_that_lies_across_a_black_key_stays_above_it() -> None:
    """Between its joints, which are on both sides of the key."""
    black = np.flatnonzero(KEYBOARD.black)
    radius = SKELETON.radius[RIGHT, FINGER_JOINTS[0][1]]
    keys = np.full((2, 5), -1)
    keys[RIGHT, 0] = black[16]  # its own one is beside
    pushes = []
    for height in (-0.002, 0.002):
        place = (float(KEYBOARD.x[black[17]]), BLACK_FRONT + 0.02, BLACK_HEIGHT + radius + height)
        pushes.append(_beside_black(_thumb_joints_at(0.7, 0.5, place), keys)[RIGHT, anatomy.FINGER_DOFS[0]])
    assert pushes[0].any() and not pushes[1].any()
