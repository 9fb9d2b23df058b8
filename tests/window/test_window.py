# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in a real window. Slow, and for machines that have one: name the program in PIANO_HANDS_WINDOWED_BLENDER."""

import json
import os
import shlex
import subprocess
import time
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("drive_panel.py")
BLENDER = os.environ.get("PIANO_HANDS_WINDOWED_BLENDER", "")


@pytest.mark.skipif(not BLENDER, reason="PIANO_HANDS_WINDOWED_BLENDER names no Blender that can open a window")
def test_a_persons_way_through_the_panel(tmp_path):
    """Bad piece, cancel, a take that waits for Edit Mode to end, undo, redo, quit while working; Blender ticks on meanwhile."""
    subprocess.run(
        [*shlex.split(BLENDER), "--python", str(DRIVER), "--", str(tmp_path)], cwd=DRIVER.parents[2], timeout=600, check=True
    )
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures.get("ok"), figures.get("error")
    assert figures["after undo"] == figures["before"]
    assert figures["after redo"] == figures["after"]
    assert figures["left behind"] == []
    assert figures["ticks while working"] > 20
    deadline = time.monotonic() + 10.0
    while Path(f"/proc/{figures['backend left at work']}").exists():
        assert time.monotonic() < deadline, "the backend outlived Blender"
        time.sleep(0.05)
