# SPDX-License-Identifier: GPL-3.0-or-later
"""Two takes compared on the command line: what is played, what is left of the motion, and what does not belong together."""

from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.data.camera_model import random_camera
from backend.perform import Settings, perform
from s2c_blender.wire.notes import NoteEvent, Score
from tests.filmed import as_s2c

SCORE = Score(tuple(NoteEvent(0.4 * i, 0.4 * i + 0.35, 60 + 2 * i, 70) for i in range(8)))


@pytest.fixture(scope="module")
def takes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("takes")
    motion = as_s2c(perform(SCORE, Settings(style=1.0)), random_camera(np.random.default_rng(3)), seed=3)
    perform(SCORE, Settings(on_keys=0.0), prior=motion).save(folder / "generated.npz")
    perform(SCORE, prior=motion).save(folder / "solved.npz")
    perform(Score(SCORE.notes[:5])).save(folder / "other.npz")
    return folder


def test_it_says_what_the_solve_changed(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(takes / "generated.npz"), str(takes / "solved.npz")]) == 0
    before, after, left = capsys.readouterr().out.splitlines()
    assert before.startswith("before: note F1 0.") and after.startswith("after: note F1 1.000")
    assert "degrees on average" in left and "above 8 Hz" in left


def test_a_take_is_most_like_itself(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(takes / "solved.npz"), str(takes / "solved.npz")]) == 0
    assert "Joints turned by 0.0 degrees" in capsys.readouterr().out


def test_takes_of_other_notes_are_refused(takes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(takes / "other.npz"), str(takes / "solved.npz")]) != 0
    assert "same notes" in capsys.readouterr().err
