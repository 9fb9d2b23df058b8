# SPDX-License-Identifier: GPL-3.0-or-later
"""The surfaces that the hand's export works with."""

import numpy as np

from tests.tools.hand_export import mesh

CUBE = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
FACES = np.array([(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)])


def flux(vertices: np.ndarray, quads: np.ndarray) -> float:
    """Volume of a closed surface, positive when its faces look outwards."""
    a, b, c, d = np.moveaxis(vertices[quads], 1, 0)
    return float(sum(np.sum(p * np.cross(q, r)) for p, q, r in ((a, b, c), (a, c, d))) / 6.0)


def test_a_step_of_subdivision_of_a_cube():
    fine = mesh.subdivide(FACES, np.zeros((6, 4, 2)))
    points = fine.stencil @ CUBE
    assert len(points) == 8 + 6 + 12 and len(fine.quads) == 24
    assert np.allclose(fine.stencil.sum(1), 1.0)
    # Catmull and Clark's rule by hand: (face points + 2 edge midpoints) / 3 of a corner of valence three.
    assert np.allclose(np.abs(points[:8]), 5.0 / 9.0)
    assert np.allclose(np.linalg.norm(points[8:14], axis=1), 1.0)
    assert np.allclose(np.sort(np.abs(points[14:]), axis=1), [0.0, 0.75, 0.75])
    assert 0.0 < flux(points, fine.quads) < flux(CUBE, FACES)


def test_an_open_end_is_closed_outwards():
    opened = np.delete(FACES, 2, axis=0)  # the side that looks to -y
    loop = mesh.border_loop(opened)
    points, cap, like = mesh.close(CUBE, opened, loop)
    assert set(loop.tolist()) == {0, 1, 4, 5} and len(like) == len(points) - len(CUBE)
    quads = np.concatenate([opened, cap])
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=-1).reshape(-1, 2)
    assert len({tuple(side) for side in sides.tolist()}) == len(sides)  # every edge once each way
    assert flux(points, quads) > flux(CUBE, FACES)
