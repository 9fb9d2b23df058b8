# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set in the published layout of PianoMotion10M whose motions are made, not recorded: the planner's and the solve's hands,
seen through the camera of S2C's data. Every item is drawn from the seed and its own number, so that work can be split and resumed.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import HIGHEST, LOWEST
from s2c_blender.wire.notes import NoteEvent, Score

from ..from_notes import first_seconds
from .camera_model import FPS, CameraModel, Filmed, film, random_camera

UPLOADER = "synthetic"
SEQUENCE = "seq_0000"
BETAS = 10  # MANO's shape, which made hands have none of
SHORTEST, LONGEST = 30.0, 75.0  # seconds of an item
_SPANS = (0.195, 0.245)  # metres from thumb to little finger, stretched
_TESTED = 20  # every so many items one is for validation, and the next for the test
_HELD_OUT = 4  # every so many scores one is kept for validation and test
_DIGITS = 5  # of what is written: a hundredth of a millimetre, and of a milliradian


@dataclass(frozen=True)
class Recipe:
    """What a data set is drawn from. `scores`: MIDI files (exercises where there are none). written: the share of them."""

    scores: tuple[Path, ...]
    seed: int = 0
    written: float = 0.6
    camera: str = "random"  # or "still": one camera for all, over the middle of the keyboard
    audio: bool = True

    def pieces(self, split: str) -> tuple[Path, ...]:
        """Of a split: those that are held out are not trained on."""
        if len(self.scores) < _HELD_OUT:
            return self.scores
        return tuple(path for index, path in enumerate(self.scores) if (index % _HELD_OUT == 0) == (split != "train"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"scores": [path.name for path in self.scores]}


@dataclass(frozen=True)
class Item:
    """Where an item's files are, each under the folder that the published layout has."""

    folder: Path
    name: str

    @property
    def annotation(self) -> Path:
        return self.folder / "annotation" / UPLOADER / self.name / f"{SEQUENCE}.json"

    @property
    def audio(self) -> Path:
        return self.folder / "audio" / UPLOADER / self.name / f"{SEQUENCE}.mp3"

    @property
    def midi(self) -> Path:
        return self.folder / "midi" / UPLOADER / f"{self.name}.mid"

    @property
    def made(self) -> Path:
        """How the item was made; written last, so that an item is whole where this is."""
        return self.folder / "made" / f"{self.name}.json"


def item(folder: Path, number: int) -> Item:
    return Item(folder, f"{number:06d}")


def split_of(number: int) -> str:
    return {0: "valid", 1: "test"}.get(number % _TESTED, "train")


def make(folder: Path, number: int, recipe: Recipe) -> dict[str, Any]:
    """Make item `number` unless it is there; returns what is known of it. Raises PianoHandsError('write-failed')."""
    place = item(folder, number)
    if place.made.exists():
        return json.loads(place.made.read_text(encoding="utf-8"))
    from ..perform import Settings, perform
    from ..score import write_midi

    random = np.random.default_rng([recipe.seed, number])
    source, score = _performance(random, recipe.pieces(split_of(number)), recipe.written)
    settings = Settings(
        fps=FPS,
        seed=int(random.integers(2**31)),
        hand_size=float(np.clip(random.normal(0.22, 0.012), *_SPANS)),
        style=float(random.uniform()),
    )
    camera = random_camera(random) if recipe.camera == "random" else CameraModel(pixels=0.5, pose_noise=0.002, distance_noise=0.0)
    clip = perform(score, settings, processes=1)  # others make other items
    filmed = film(clip, camera, random)
    for path in (place.annotation, place.audio, place.midi, place.made):
        path.parent.mkdir(parents=True, exist_ok=True)
    if recipe.audio:
        from ..listen.pianos import random_instrument, write_mp3

        write_mp3(score, place.audio, instrument=random_instrument(random))
    hands = tuple(HandSide(int(hand)) for hand in clip.fingering.hand)
    notes = tuple(replace(note, hand=hand) for note, hand in zip(score.notes, hands, strict=True))
    write_midi(replace(score, notes=notes), place.midi)
    _write(place.annotation, _annotation(filmed, place.name))
    about = {
        "source": source,
        "seconds": filmed.pose.shape[1] / FPS,
        "notes": len(notes),
        "split": split_of(number),
        "hand_size": settings.hand_size,
        "style": settings.style,
        "seed": settings.seed,
        "camera": {name: value for name, value in asdict(camera).items() if name != "convention"},
    }
    _write(place.made, json.dumps(about))
    return json.loads(json.dumps(about))  # as it is read later


def numbers(folder: Path) -> Iterator[int]:
    """Of the items that are whole, in order."""
    yield from sorted(int(path.stem) for path in (folder / "made").glob("*.json"))


def write_splits(folder: Path) -> dict[str, int]:
    """train.txt, valid.txt and test.txt of what is whole; returns how many items each names."""
    lines: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for number in numbers(folder):
        lines[split_of(number)].append(f"{UPLOADER} {item(folder, number).name}\n")
    for name, names in lines.items():
        _write(folder / f"{name}.txt", "".join(names))
    return {name: len(names) for name, names in lines.items()}


def _performance(random: np.random.Generator, scores: tuple[Path, ...], written: float) -> tuple[str, Score]:
    """What it is of, and the notes as they are played."""
    from .exercises import exercise
    from .playing import played

    seconds = float(random.uniform(SHORTEST, LONGEST))
    if scores and random.uniform() < written:
        path = scores[int(random.integers(len(scores)))]
        score = _excerpt(_read(path), seconds, random)
        if score.notes:
            return path.name, played(_transposed(score, random), random)
    kind, score = exercise(random, seconds)
    return kind, played(score, random)


@cache
def _read(path: Path) -> Score:
    from ..score import read_midi

    try:
        return read_midi(path)
    except PianoHandsError:
        return Score(())  # an exercise takes its place


def _excerpt(score: Score, seconds: float, random: np.random.Generator) -> Score:
    begin = float(random.uniform(0.0, max(score.duration - seconds, 0.0)))
    notes = tuple(
        replace(note, onset=note.onset - begin + 0.4, offset=note.offset - begin + 0.4, finger=None)
        for note in score.notes
        if note.onset >= begin
    )
    return first_seconds(Score(notes), seconds)


def _transposed(score: Score, random: np.random.Generator) -> Score:
    """Into another key, where the keyboard has room."""
    by = int(random.integers(-6, 6))

    def moved(note: NoteEvent) -> NoteEvent:
        return replace(note, pitch=note.pitch + by)

    pitches = [note.pitch + by for note in score.notes]
    return replace(score, notes=tuple(map(moved, score.notes))) if min(pitches) >= LOWEST and max(pitches) <= HIGHEST else score


def _annotation(filmed: Filmed, name: str) -> str:
    """JSON as published: frames of [visible, translation, axis-angle, betas] for each hand."""
    frames = filmed.pose.shape[1]
    values = {}
    for side in HandSide:
        parts = (np.ones((frames, 1)), filmed.translation[side], filmed.pose[side], np.zeros((frames, BETAS)))
        values[side.word] = np.round(np.concatenate(parts, axis=1), _DIGITS).tolist()
    return json.dumps({"bv": name, "start_frame": 0, "fps": FPS, "adjust": [0.0, 0.0, 0.0], **values})


def begin(folder: Path, recipe: Recipe) -> None:
    """Say in the folder what it is made by. Raises PianoHandsError('other-recipe') where it says something else already."""
    path, text = folder / "recipe.json", json.dumps(recipe.to_json(), indent=1) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise PianoHandsError(
            "other-recipe",
            f"{folder} was begun by another recipe: its recipe.json does not say what was asked for now.",
            "Ask for the same scores, seed and options to go on there, or choose another folder.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PianoHandsError("not-writable", f"{folder} cannot be made: {error.strerror}.", "Choose another folder.") from error
    _write(path, text)


def _write(path: Path, text: str) -> None:
    """Under a temporary name that is then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise PianoHandsError(
            "write-failed", f"{path} could not be written: {error.strerror or error}.", "Free some space, or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
