# SPDX-License-Identifier: GPL-3.0-or-later
"""How windows of the solve are put together."""

import numpy as np

from backend.perform.solve import joined
from s2c_blender.motion import anatomy

SPREAD = np.ones(anatomy.DOFS)


def _poses(values: list[float]) -> np.ndarray:
    return np.array(values)[:, None, None] * np.ones((1, 2, anatomy.DOFS))


def test_windows_fade_into_each_other_where_they_agree() -> None:
    one = [9.0, 9.0, 1.0, 1.0, 0.0, 0.5, 1.0, 1.0]
    other = [-1.0, -1.0, 0.0, 0.5, -1.0, -1.0, 5.0, 5.0]
    poses = joined(_poses(one), _poses(other), common=6, fade=2, spread=SPREAD)[:, 0, 0]
    # Nowhere halfway between 1 and -1.
    assert poses.tolist() == [9.0, 9.0, 1.0, 1.0, 0.0, 0.5, -1.0, -1.0, 5.0, 5.0]


def test_windows_that_share_nothing_follow_one_another() -> None:
    assert joined(_poses([1.0, 2.0]), _poses([3.0]), common=0, fade=2, spread=SPREAD)[:, 0, 0].tolist() == [1.0, 2.0, 3.0]
