# SPDX-License-Identifier: GPL-3.0-or-later
"""A very small PianoMotion10M in its published folders: smooth random motion, plucked sounds."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data.layout import ANNOTATED, Item
from s2c_blender.wire.hands import HandSide
from tests import sound_files


def frames(count: int, seed: int) -> NDArray[np.float64]:
    """(count, 62) of one hand, as annotations write it."""
    rng = np.random.default_rng(seed)
    time = np.arange(count)[:, None] / 30
    moves = 0.3 * np.sin(time * rng.uniform(1, 6, ANNOTATED) + rng.uniform(0, 6, ANNOTATED))
    moves[:, 0] = 1
    moves[:, 3] += 22
    return moves


def write(root: Path, items: Sequence[Item], *, seconds: float = 3.0, fps: int = 30, split: str = "train") -> Path:
    """Adds items to a split; returns the root."""
    for index, item in enumerate(items):
        annotation, audio = item.annotation(root), item.audio(root)
        for path in (annotation, audio):
            path.parent.mkdir(parents=True, exist_ok=True)
        count = round(seconds * fps)
        hands = {side.word: frames(count, 10 * index + side).round(4).tolist() for side in HandSide}
        annotation.write_text(json.dumps({**hands, "fps": fps, "adjust": [0.1, -0.2, 0.3], "start_frame": 60}))
        time = np.arange(round(seconds * 22050)) / 22050
        sound = 0.3 * np.exp(-6 * (time % 0.5)) * np.sin(2 * np.pi * 220 * 2 ** (index / 12) * time)
        sound_files.write(audio, np.stack([sound, sound]).astype(np.float32), rate=22050)
    videos = dict.fromkeys(f"{item.uploader} {item.video}" for item in items)
    with open(root / f"{split}.txt", "a", encoding="utf-8") as file:
        file.write("".join(f"{video}\n" for video in videos))
    return root


def items(count: int, *, uploader: str = "1467634", video: str = "BV1") -> list[Item]:
    return [Item(uploader, video, f"{video}_seq_{index:04d}") for index in range(count)]


def small(root: Path) -> Path:
    """Four items to train on, two to validate on, three seconds each."""
    write(root, items(4))
    return write(root, items(2, video="BV2"), split="valid")
