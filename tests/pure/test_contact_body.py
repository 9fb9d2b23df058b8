# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances of surfaces against those of balls, which are known."""

import numpy as np
import pytest

from s2c_blender.motion.contact_body import Surface, closest_fingers, closest_hands, closest_to_board
from s2c_blender.wire.keyboard import FALLBOARD_HEIGHT, FALLBOARD_LEAN, FALLBOARD_Y

RADIUS = 0.008


def ball(*, rings=24, around=32):
    """Points and quads (poles left open) of a ball at the origin."""
    a = np.pi * (np.arange(rings) + 0.5) / rings
    b = 2 * np.pi * np.arange(around) / around
    points = RADIUS * np.stack(
        [np.outer(np.sin(a), np.cos(b)), np.outer(np.sin(a), np.sin(b)), -np.cos(a)[:, None] + 0 * b], axis=-1
    )
    at = np.arange(rings * around).reshape(rings, around)
    across = np.roll(at, -1, axis=1)
    quads = np.stack([at[:-1], across[:-1], across[1:], at[1:]], axis=-1).reshape(-1, 4)
    return points.reshape(-1, 3), quads


def two_balls(distances, *, hands, fingers):
    """One ball stays, the other stands at each of the distances between their surfaces."""
    points, quads = ball()
    surface = Surface(
        np.concatenate([quads, quads + len(points)]),
        np.repeat(np.array(hands), len(quads)),
        np.repeat(np.array(fingers), len(quads)),
    )
    way = np.array([0.48, 0.6, 0.64])
    posed = [np.concatenate([points, points + (2 * RADIUS + d) * way]) for d in distances]
    return surface, np.array(posed), np.arange(len(distances)) * 0.1


@pytest.mark.parametrize("least", [0.0005, 0.02, -0.001, -0.003])
def test_the_least_distance_of_hands_is_found_with_its_sign(least):
    surface, points, times = two_balls([0.03, 0.021, least, 0.04], hands=(0, 1), fingers=(-1, -1))
    closest = closest_hands(surface, points, times)
    assert closest.distance == pytest.approx(least, abs=2e-4)
    assert closest.time == pytest.approx(0.2)


def test_neighbouring_fingers_are_named():
    surface, points, times = two_balls([0.01, -0.001], hands=(1, 1), fingers=(6, 7))
    closest = closest_fingers(surface, points, times)
    assert closest.distance == pytest.approx(-0.001, abs=2e-4)
    assert closest.what == "left index and middle"


def test_fingers_of_different_hands_are_no_neighbours():
    surface, points, times = two_balls([0.001], hands=(0, 1), fingers=(1, 6))
    assert not np.isfinite(closest_fingers(surface, points, times).distance)
    one_hand = two_balls([0.001], hands=(0, 0), fingers=(1, 2))
    assert not np.isfinite(closest_hands(*one_hand).distance)


@pytest.mark.parametrize("height", [0.0, 0.05])
def test_what_is_behind_the_leaning_fallboard_is_too_far_in_and_what_is_above_it_is_not(height):
    front = FALLBOARD_Y + FALLBOARD_LEAN * height
    points = np.array([[[0.1, front - 0.02, height]], [[0.3, front + 0.004, height]], [[0.3, 0.3, FALLBOARD_HEIGHT + 0.01]]])
    closest = closest_to_board(points, np.array([1.0, 2.0, 3.0]))
    assert closest.time == 2.0
    assert closest.distance == pytest.approx(-0.004, abs=1e-4)
