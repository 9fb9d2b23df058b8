# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms in closed form: bones keep their lengths, hands are where they have to be, elbows bend the way elbows do."""

import numpy as np
import pytest

from s2c_blender.motion import rotation
from s2c_blender.motion.arm_reach import Bend, Moved, lean, solve_arm, solve_limb, spans
from s2c_blender.wire.hands import HandSide

AHEAD = np.array([0.0, -1.0, 0.0])
SIDE = {HandSide.RIGHT: -1.0, HandSide.LEFT: 1.0}


def arm(side: HandSide) -> Bend:
    x = SIDE[side]
    return Bend.of(np.array([0.17 * x, 0, 1.4]), np.array([0.45 * x, 0, 1.4]), np.array([0.71 * x, 0, 1.4]), towards=AHEAD)


def targets(side: HandSide, count: int = 50) -> np.ndarray:
    generator = np.random.default_rng(3)
    return np.array([0.2 * SIDE[side], -0.28, 1.15]) + generator.uniform(-0.08, 0.08, (count, 3))


def still(count: int) -> Moved:
    return Moved(np.tile(rotation.IDENTITY, (count, 1)), np.zeros((count, 3)))


@pytest.mark.parametrize("side", HandSide)
def test_turning_the_bones_brings_the_hand_where_it_has_to_be(side: HandSide) -> None:
    bend, wanted = arm(side), targets(side)
    found = solve_limb(bend, np.tile(bend.root, (50, 1)), wanted, np.array([0.5, 0.2, -1.0]))
    elbow = bend.root + rotation.rotate(found.upper, bend.middle - bend.root)
    wrist = elbow + rotation.rotate(found.lower, bend.end - bend.middle)
    assert np.abs(elbow - found.middle).max() < 1e-9
    assert np.abs(wrist - wanted).max() < 1e-9
    assert np.abs(found.missing).max() < 1e-9
    # The pole, the elbow and the arm's line lie in one plane, the pole beyond the elbow.
    aside = np.cross(found.middle - bend.root, wanted - bend.root)
    away = found.pole - found.middle
    assert np.abs(np.sum(aside * away, axis=1)).max() < 1e-9 and np.abs(np.sum((wanted - bend.root) * away, axis=1)).max() < 1e-9
    assert (np.sum((found.middle - bend.root) * away, axis=1) > 0.0).all()


@pytest.mark.parametrize("side", HandSide)
def test_the_elbow_hangs_and_bends_about_its_hinge_alone(side: HandSide) -> None:
    bend, wanted = arm(side), targets(side)
    hands = Moved.about(np.tile(rotation.IDENTITY, (50, 1)), bend.end, wanted)
    found = solve_arm(side, bend, still(50), hands).limb
    middle = 0.5 * (bend.root + wanted)
    assert (found.middle[:, 2] < middle[:, 2]).all()
    # Without the forearm's own twist both bones turn their hinge alike.
    untwisted = solve_limb(bend, np.tile(bend.root, (50, 1)), wanted, np.array([0.5, 0.2, -1.0]))
    upper, lower = (rotation.rotate(turn, bend.hinge) for turn in (untwisted.upper, untwisted.lower))
    assert np.abs(upper - lower).max() < 1e-9


def test_bones_twist_with_the_hand_without_moving_it() -> None:
    bend, wanted = arm(HandSide.RIGHT), targets(HandSide.RIGHT)
    turned = rotation.from_axis_angle(np.tile([0.9, 0.0, 0.0], (50, 1)))
    found = solve_arm(HandSide.RIGHT, bend, still(50), Moved.about(turned, bend.end, wanted)).limb
    wrist = found.middle + rotation.rotate(found.lower, bend.end - bend.middle)
    assert np.abs(wrist - wanted).max() < 1e-9


def test_a_clavicle_comes_along_only_when_the_hand_is_far() -> None:
    bend = arm(HandSide.RIGHT)
    clavicle = np.array([-0.03, 0.0, 1.4])
    near, far = np.array([[-0.25, -0.25, 1.1]]), np.array([[-0.4, -0.52, 1.4]])
    for place, moves in ((near, False), (far, True)):
        hand = Moved.about(rotation.IDENTITY[None], bend.end, place)
        found = solve_arm(HandSide.RIGHT, bend, still(1), hand, clavicle=clavicle)
        assert bool(np.abs(found.clavicle[0, 1:]).max() > 0.01) is moves
        without = solve_arm(HandSide.RIGHT, bend, still(1), hand)
        assert found.limb.missing[0] <= without.limb.missing[0] + 1e-12


def test_out_of_reach_is_said_with_its_times() -> None:
    bend = arm(HandSide.LEFT)
    places = np.tile([0.25, -0.3, 1.1], (100, 1))
    places[40:50] = (1.4, -0.3, 1.1)
    found = solve_arm(HandSide.LEFT, bend, still(100), Moved.about(np.tile(rotation.IDENTITY, (100, 1)), bend.end, places)).limb
    (begin, end, most), *others = spans(found.missing, np.arange(100) / 10.0)
    assert not others and begin == 4.0 and end == 4.9
    assert abs(most - (np.linalg.norm(places[45] - bend.root) - 0.54 * 0.9995)) < 1e-9


def test_a_torso_leans_the_way_the_hands_go_and_not_at_their_place() -> None:
    wrists = np.zeros((300, 2, 3))
    wrists[..., 1] = -0.1
    assert np.abs(lean(wrists, rate=60.0, size=1.0)).max() < 1e-9
    wrists[150:, :, 0] = 0.4
    turned = rotation.rotate(rotation.from_axis_angle(lean(wrists, rate=60.0, size=1.0)), np.array([0.0, 0.0, 1.0]))
    assert turned[-1, 0] > 0.05 and abs(turned[0, 0]) < 1e-6
    assert np.abs(np.diff(turned[:, 0])).max() < 0.01
