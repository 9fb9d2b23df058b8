# SPDX-License-Identifier: GPL-3.0-or-later
"""Where something is wrong once hands have come to rest, other ways are tried, and what is better stays."""

import numpy as np
import pytest

from backend.perform import settle
from backend.perform.mend import _FAULT, _better, mend
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.notes import NoteEvent
from tests.pure.test_settle import problem_of


def _through_each_other(tone: float) -> list[NoteEvent]:
    """Two scales, the right hand's down and the left one's up, over the same keys, a note every `tone` seconds."""
    scales = {
        HandSide.RIGHT: (74, 72, 70, 68, 67, 65, 63, 62, 60, 58, 56, 55),
        HandSide.LEFT: (53, 54, 56, 58, 60, 61, 63, 65, 66, 68, 70, 72),
    }
    return [
        NoteEvent(begin := 0.3 + (2 * place + side) * tone, begin + 1.8 * tone, pitch, 90, side)
        for side, scale in scales.items()
        for place, pitch in enumerate(scale)
    ]


def test_less_is_wrong_afterwards_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much less is luck in any one piece: nine tempos."""
    monkeypatch.setattr(settle, "mend", lambda problem, dofs, look: dofs)
    before_and_after = []
    for tone in (0.06, 0.07, 0.08, 0.09, 0.10, 0.11, 0.12, 0.13, 0.14):
        problem = problem_of(_through_each_other(tone))
        before = settle.solve_and_settle(problem, lambda: None).reshape(problem.prior.shape)
        after = mend(problem, before, lambda: None)
        before_and_after.append([np.maximum(problem.faults(dofs, lambda: None) - 0.001, 0.0).sum() for dofs in (before, after)])
        moved, faulty = np.flatnonzero((before != after).any(axis=(1, 2))), np.flatnonzero(problem.wrong > _FAULT)
        away = np.abs(moved[:, None] - faulty).min(axis=1, initial=len(before))
        assert away.max(initial=0) <= 3 * 6  # three tries, 0.1 s around each
    wrong, left = np.sum(before_and_after, axis=0)
    assert left < 0.7 * wrong


def test_what_spoils_more_than_it_mends_does_not_count() -> None:
    free = np.zeros((2, 20), dtype=bool)
    free[0, 2:8] = free[0, 12:18] = free[1, 2:8] = True
    before = np.full((2, 20), 0.0005)
    after = before.copy()
    before[0, 4], after[0, 4] = 0.005, 0.001  # mended
    before[0, 14], after[0, 14], after[0, 16] = 0.005, 0.001, 0.004  # mended, and something else spoilt
    before[1, 4], after[1, 4] = 0.005, 0.0049  # hardly better
    better = _better(free, before.ravel(), after.ravel()).reshape(2, 20)
    np.testing.assert_array_equal(np.argwhere(better), [[0, frame] for frame in range(2, 8)])
