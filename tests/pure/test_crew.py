# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that solve beside this one: the same poses, whoever finds them, and whatever becomes of the others."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from backend.perform import crew
from backend.perform.fingering import assign_fingers
from backend.perform.hands_split import assign_hands
from backend.perform.manner import manner
from backend.perform.planner import Plan, Setting, Take
from s2c_blender.motion.hand_rig import own_skeleton
from s2c_blender.motion.key_motion import key_motion
from s2c_blender.wire.errors import Cancelled
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import Keyboard
from s2c_blender.wire.notes import NoteEvent, Score

TASKS, SECONDS = 4, 3.0


@pytest.fixture(scope="module")
def tasks() -> list[Callable[[], crew.Task]]:
    """Of one window each."""
    notes = tuple(NoteEvent(0.2 * i, 0.2 * i + 0.18, 60 + i % 5, 70, HandSide.RIGHT) for i in range(int(TASKS * SECONDS / 0.2)))
    score, skeleton = Score(notes), own_skeleton(0.21)
    fingering = assign_fingers(score, assign_hands(score))
    take = Take(0.0, 60.0, int(TASKS * SECONDS * 60))
    plan = Plan(score, fingering, key_motion(score, fingering), Setting(skeleton, Keyboard(0.16), take, manner(0.5, 0)))

    def task(number: int) -> crew.Task:
        first, last = (round((number + more) * SECONDS * 60) for more in (0, 1))
        prior, targets = plan.section(first, last)
        index = np.arange(last - first)[None]
        return skeleton, prior[index], targets.take(index)

    return [partial(task, number) for number in range(TASKS)]


@pytest.fixture(scope="module")
def alone(tasks: list[Callable[[], crew.Task]]) -> list[crew.Array]:
    return list(crew.solved_in_order(tasks, 0, lambda: None))


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Where helpers' folders are made; afterwards nothing is left there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert not list(tmp_path.iterdir())


def same(found: list[crew.Array], wanted: list[crew.Array]) -> bool:
    return len(found) == len(wanted) and all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))


def test_a_task_is_read_as_it_was_written(tasks: list[Callable[[], crew.Task]], tmp_path: Path) -> None:
    skeleton, prior, targets = tasks[1]()
    crew.write_task(tmp_path / "1.npz", (skeleton, prior, targets))
    read = crew.read_task(tmp_path / "1.npz")
    for name, values in skeleton.to_arrays().items():
        assert np.array_equal(getattr(read[0], name), values), name
    assert np.array_equal(read[1], prior)
    assert (read[2].rate, read[2].keyboard) == (targets.rate, targets.keyboard)
    for field in fields(targets)[2:]:
        assert np.array_equal(getattr(read[2], field.name), getattr(targets, field.name)), field.name


def test_helpers_find_the_same_to_the_bit(
    tasks: list[Callable[[], crew.Task]], alone: list[crew.Array], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine: list[int] = []
    solved = crew.solved

    def counted(task: crew.Task, look: Callable[[], None]) -> crew.Array:
        mine.append(1)
        return solved(task, look)

    monkeypatch.setattr(crew, "solved", counted)
    waiting = 7 * tasks  # enough for a helper to begin
    found = list(crew.solved_in_order(waiting, 1, lambda: None))
    assert same(found, 7 * alone)
    assert len(mine) < len(waiting), "the helper did nothing"


def test_what_a_lost_helper_had_is_solved_here(
    tasks: list[Callable[[], crew.Task]], alone: list[crew.Array], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[int] = []
    give = crew._Helper.give

    def give_and_lose(self: crew._Helper, number: int, task: crew.Task) -> None:
        give(self, number, task)
        lost.append(number)
        self._process.kill()

    monkeypatch.setattr(crew._Helper, "give", give_and_lose)
    assert same(list(crew.solved_in_order(tasks, 2, lambda: None)), alone)
    assert len(lost) == 2


def test_where_no_process_can_be_started_this_one_does_all(
    tasks: list[Callable[[], crew.Task]], alone: list[crew.Array], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(files / "nothing"))
    assert same(list(crew.solved_in_order(tasks, 2, lambda: None)), alone)


def test_where_there_is_no_room_for_files_this_one_does_all(
    tasks: list[Callable[[], crew.Task]], alone: list[crew.Array], files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, task: crew.Task) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(crew, "write_task", full)
    assert same(list(crew.solved_in_order(tasks, 2, lambda: None)), alone)


def test_what_goes_wrong_in_a_task_is_told_by_whoever_has_it(tasks: list[Callable[[], crew.Task]], files: Path) -> None:
    def cannot() -> crew.Task:
        raise ValueError("no such task")

    def fails() -> crew.Task:
        skeleton, prior, targets = tasks[0]()
        return skeleton, prior[..., :3], targets

    for wrong in (cannot, fails):
        with pytest.raises(ValueError):
            list(crew.solved_in_order([*tasks, wrong, *tasks], 2, lambda: None))


def test_a_cancel_ends_helpers_at_once(tasks: list[Callable[[], crew.Task]], files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(*words: object, **options: object) -> "subprocess.Popen[bytes]":
        started.append(popen(*words, **options))  # type: ignore[call-overload]
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", start)
    told = time.monotonic() + 0.6

    def look() -> None:
        if time.monotonic() > told:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(crew.solved_in_order(100 * tasks, 2, look))
    assert time.monotonic() - told < 0.3
    assert len(started) == 2 and all(process.poll() is not None for process in started)


def test_a_helper_whose_starter_has_died_ends_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "piano-hands-1"
    folder.mkdir()
    (folder / "7.npy").write_bytes(b"poses that nobody took")
    words = [sys.executable, "-m", "backend.perform.helper", str(folder)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(20.0) == 0
    assert not folder.exists()
