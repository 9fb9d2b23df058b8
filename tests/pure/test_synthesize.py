# SPDX-License-Identifier: GPL-3.0-or-later
"""Made data sets: music drawn by chance, performances, and items in the published layout."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.data import annotation, synthesize
from backend.data.dataset import items_of
from backend.data.exercises import exercise
from backend.data.layout import COLUMNS, POSE, POSITION, Item
from backend.data.playing import played
from backend.score import read_midi, write_midi
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, PedalEvent, Score


def performance(seed: int, seconds: float = 20.0) -> Score:
    random = np.random.default_rng(seed)
    return played(exercise(random, seconds)[1], random)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthesize, "SHORTEST", 4.0)
    monkeypatch.setattr(synthesize, "LONGEST", 5.0)


def test_performances_can_be_played() -> None:
    kinds = set[str]()
    for seed in range(40):
        random = np.random.default_rng(seed)
        kind, score = exercise(random, 20.0)
        kinds.add(kind)
        assert 15.0 < score.duration < 27.0
        notes = played(score, random).notes
        assert len(notes) > 0.9 * len(score.notes)
        assert [note.onset for note in notes] == sorted(note.onset for note in notes)
        assert all(LOWEST <= note.pitch <= HIGHEST and 1 <= note.velocity <= 127 and note.hand is not None for note in notes)
        up: dict[int, float] = {}
        for note in notes:  # a key is up before it is struck again
            assert note.onset > up.get(note.pitch, -1.0)
            up[note.pitch] = note.offset
    assert len(kinds) == 6


def test_the_same_seed_gives_the_same_performance_and_another_another() -> None:
    assert performance(3) == performance(3)
    assert performance(3) != performance(4)


def test_what_is_written_as_midi_is_read_again(tmp_path: Path) -> None:
    score = performance(5)
    write_midi(score, tmp_path / "a.mid")
    again = read_midi(tmp_path / "a.mid")
    assert len(again.notes) == len(score.notes)
    by_key = [sorted(notes, key=lambda note: (note.pitch, note.onset)) for notes in (score.notes, again.notes)]
    for before, after in zip(*by_key, strict=True):
        assert abs(before.onset - after.onset) < 1e-3 and abs(before.offset - after.offset) < 1e-3
        assert (before.velocity, before.hand) == (after.velocity, after.hand)
    pedal = Score((NoteEvent(0.0, 1.0, 60, 64),), (PedalEvent(0.25, 100), PedalEvent(0.75, 0)))
    write_midi(pedal, tmp_path / "b.mid")
    assert [(round(event.time, 3), event.value) for event in read_midi(tmp_path / "b.mid").pedal] == [(0.25, 100), (0.75, 0)]


def test_an_item_is_in_the_published_layout_and_made_once(tmp_path: Path) -> None:
    recipe = synthesize.Recipe((), seed=1, camera="still", audio=False)
    about = synthesize.make(tmp_path, 2, recipe)
    assert synthesize.write_splits(tmp_path) == {"train": 1, "valid": 0, "test": 0}
    (item,) = items_of(tmp_path, "train")
    assert item == Item("synthetic", "000002", "seq_0000")
    read = annotation.read(item.annotation(tmp_path))
    assert read.frames.shape[2] == COLUMNS and read.fps == 30.0
    assert abs(read.frames.shape[1] / 30.0 - about["seconds"]) < 1e-6
    assert np.ptp(read.frames[..., POSE], axis=1).max() > 0.3  # fingers move
    notes = read_midi(item.midi(tmp_path)).notes
    assert {note.hand for note in notes} <= set(HandSide) and len(notes) == about["notes"]
    # Where the still camera sees the right wrist, there it plays: x is the keyboard's, but for MANO's wrist.
    right = [note.onset for note in notes if note.hand is HandSide.RIGHT]
    if right:
        places = read.frames[HandSide.RIGHT, int(right[0] * 30), POSITION]
        assert abs(places[0]) < 0.8 and 15.0 < places[2] < 30.0
    before = item.annotation(tmp_path).stat().st_mtime_ns
    assert synthesize.make(tmp_path, 2, recipe) == about
    assert item.annotation(tmp_path).stat().st_mtime_ns == before
    other = synthesize.make(tmp_path / "again", 2, recipe)
    assert other == about
    assert (tmp_path / "again" / "annotation" / "synthetic" / "000002" / "seq_0000.json").read_bytes() == item.annotation(
        tmp_path
    ).read_bytes()


def test_scores_that_are_held_out_are_never_trained_on() -> None:
    scores = tuple(Path(f"{number}.mid") for number in range(9))
    recipe = synthesize.Recipe(scores)
    assert not set(recipe.pieces("train")) & set(recipe.pieces("valid"))
    assert set(recipe.pieces("train")) | set(recipe.pieces("test")) == set(scores)


def test_a_folder_of_another_recipe_is_left_alone(tmp_path: Path) -> None:
    synthesize.begin(tmp_path / "set", synthesize.Recipe((), seed=1))
    synthesize.begin(tmp_path / "set", synthesize.Recipe((), seed=1))
    with pytest.raises(PianoHandsError, match="another recipe"):
        synthesize.begin(tmp_path / "set", synthesize.Recipe((), seed=2))
    assert json.loads((tmp_path / "set" / "recipe.json").read_text(encoding="utf-8"))["seed"] == 1


def test_processes_share_the_work_and_it_is_not_done_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["data", "synthesize", "-o", str(tmp_path / "set"), "--hours", "0.025", "--no-audio", "--jobs", "2"]
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "2 processes" in lines[1]
    made = {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "made").iterdir()}
    assert main(asked) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "set" / "made").iterdir()} == made
    assert len(capsys.readouterr().out.splitlines()) == 1
