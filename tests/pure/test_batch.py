# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches on a Ray of this machine: a worker that dies and a file that is broken lose nothing."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend import batch
from backend.score import write_midi
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.notes import NoteEvent, Score

ROOT = Path(__file__).parents[2]
with_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or not Path("/proc").is_dir(), reason="ray is not installed, or there is no /proc"
)


def piece(path: Path, notes: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(Score(tuple(NoteEvent(0.3 * i, 0.3 * i + 0.25, 60 + i % 12, 64) for i in range(notes))), path)
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "backend", "batch", *map(str, arguments)]


def works_for(pid: int, driver: int) -> bool:
    """Whether a process descends from the driver."""
    while pid > 1:
        if pid == driver:
            return True
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        pid = int(stat.rpartition(")")[2].split()[1])
    return False


def busy_worker(driver: int) -> int | None:
    """One that plays a piece just now: Ray writes the work's name into the command line."""
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if place.read_bytes().startswith(b"ray::play") and works_for(int(place.parent.name), driver):
                return int(place.parent.name)
        except (OSError, ValueError):
            continue  # it has ended meanwhile
    return None


@with_ray
def test_a_killed_worker_and_a_broken_file_lose_nothing(tmp_path: Path) -> None:
    names = [piece(tmp_path / "in" / f"{number}.mid", 60) for number in range(4)]
    (tmp_path / "in" / "broken.mid").write_bytes(b"MThd and then nothing")
    out = tmp_path / "out"
    with subprocess.Popen(
        command(tmp_path / "in", "--out", out, "--workers", 2), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        killed, limit = None, time.monotonic() + 120.0
        while killed is None and process.poll() is None and time.monotonic() < limit:
            killed = busy_worker(process.pid)
            if killed:
                os.kill(killed, signal.SIGKILL)
        said, complained = process.communicate(timeout=240)
    assert killed, complained
    assert process.returncode == 1 and "4 made, 0 there before, 1 failed" in said
    assert "broken.mid" in complained
    for name in names:
        assert len(Clip.load(out / f"{name.name}.npz").score.notes) == 60
    again = subprocess.run(
        command(*names, "--out", out, "--workers", 2), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert again.returncode == 0 and "0 made, 4 there before, 0 failed" in again.stdout


def test_what_was_asked_for_otherwise_is_not_mixed(tmp_path: Path) -> None:
    from s2c_blender.wire.messages import Generate

    asked = Generate(job="batch", input="", output="")
    batch.run({}, asked, batch.Cluster(), out=tmp_path, tell=lambda outcome, done, total: None)
    with pytest.raises(PianoHandsError, match="otherwise"):
        other = Generate(job="batch", input="", output="", seed=3)
        batch.run({}, other, batch.Cluster(), out=tmp_path, tell=lambda outcome, done, total: None)


def test_clips_keep_the_folders_of_their_pieces(tmp_path: Path) -> None:
    first, second = piece(tmp_path / "in" / "a" / "x.mid", 3), piece(tmp_path / "in" / "b" / "x.mid", 3)
    found = batch.find([tmp_path / "in"], tmp_path / "out")
    assert found == {first: tmp_path / "out" / "a" / "x.mid.npz", second: tmp_path / "out" / "b" / "x.mid.npz"}
    with pytest.raises(PianoHandsError, match="same name"):
        batch.find([first, second], tmp_path / "out")
