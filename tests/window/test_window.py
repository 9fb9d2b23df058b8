# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in a real window. Slow, and for machines that have one: name the program in PIANO_HANDS_WINDOWED_BLENDER."""

import json
import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from backend.from_notes import first_seconds, render
from backend.score import read_midi
from s2c_blender.wire.terminal import ProgressBar

HERE = Path(__file__).parent
BLENDER = os.environ.get("PIANO_HANDS_WINDOWED_BLENDER", "")
PYTHON = os.environ.get("PIANO_HANDS_FULL_PYTHON", "")
needs_a_window = pytest.mark.skipif(not BLENDER, reason="PIANO_HANDS_WINDOWED_BLENDER names no Blender that can open a window")


def driven(driver: str, out: Path, *more: str) -> dict:
    """Run a driver in Blender; what it found."""
    command = [*shlex.split(BLENDER), "--python", str(HERE / driver), "--", str(out), *more]
    subprocess.run(command, cwd=HERE.parents[1], timeout=600, check=True)
    figures = json.loads((out / "figures.json").read_text())
    assert figures.get("ok"), figures.get("error")
    return figures


@needs_a_window
def test_a_persons_way_through_the_panel(tmp_path):
    """Bad piece, cancel, a take that waits for Edit Mode to end, undo, redo, quit while working; Blender ticks on meanwhile."""
    figures = driven("drive_panel.py", tmp_path)
    assert figures["after undo"] == figures["before"]
    assert figures["after redo"] == figures["after"]
    assert figures["left behind"] == []
    assert figures["ticks while working"] > 20
    deadline = time.monotonic() + 10.0
    while Path(f"/proc/{figures['backend left at work']}").exists():
        assert time.monotonic() < deadline, "the backend outlived Blender"
        time.sleep(0.05)


@needs_a_window
def test_a_persons_way_to_a_character(tmp_path):
    """A take baked, a finger changed, undone and done again, trimmed twice; when Blender is closed only takes that count stay."""
    package = os.environ.get("PIANO_HANDS_EXTENSION")  # from the checkout nobody tells the add-on that Blender closes
    figures = driven("drive_character.py", tmp_path, *([package] if package else []))
    assert figures["take after undo"] == "demo-Hero.npz" and figures["take after redo"] == "demo-Hero~2.npz"
    assert figures["note F1"] == 1.0 and figures["gap P95 (mm)"] < 2.0
    assert len(figures["takes while Blender runs"]) == 7
    if package:
        left = {path.name for path in tmp_path.glob("*.npz")}
        assert left == {"demo.npz", "demo-Hero.npz", figures["take at the end"], figures["own take"]}


@needs_a_window
@pytest.mark.skipif(not PYTHON, reason="PIANO_HANDS_FULL_PYTHON names no Python with torch that the windowed Blender can start")
def test_a_persons_way_to_s2c(tmp_path):
    """No Python, a wrong one, one with torch, the choice, a checkpoint, cancel, a take from a recording."""
    pytest.importorskip("torch", reason="a checkpoint is made with torch")
    from tests import tiny_s2c

    tiny_s2c.checkpoint(tmp_path / "checkpoint")
    render(
        first_seconds(read_midi(HERE.parents[1] / "s2c_blender" / "pieces" / "demo.mid"), 6.0),
        tmp_path / "music.wav",
        ProgressBar(),
    )
    (tmp_path / "python.txt").write_text(PYTHON)
    figures = driven("drive_s2c.py", tmp_path)
    assert figures["sound"] == "music.wav" and figures["keys that move"] > 5
    stages = figures["seconds to each stage"]
    assert "transcribing" in stages and "sampling" in stages
    assert figures["seconds to cancel"] < 5.0
