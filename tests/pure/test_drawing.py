# SPDX-License-Identifier: GPL-3.0-or-later
"""Videos drawn by the processor: what is where in a picture, and what is in the file."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from backend.__main__ import main
from backend.drawing.panel import Panel
from backend.drawing.raster import Bars, View, draw
from backend.perform import Settings, perform
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard
from s2c_blender.wire.notes import NoteEvent, Score

with_av = pytest.mark.skipif(importlib.util.find_spec("av") is None, reason="PyAV is not installed")
VIEW = View(-0.6, 0.6, 600, 240)


def clip() -> Clip:
    notes = tuple(NoteEvent(0.2 + 0.3 * i, 0.45 + 0.3 * i, pitch, 64, HandSide.RIGHT) for i, pitch in enumerate((60, 64, 67)))
    return perform(Score(notes), Settings(fps=30))


def bar(*ends: tuple[float, float, float], colour: tuple[float, float, float] = (255.0, 0.0, 0.0)) -> Bars:
    return Bars(np.array([ends]), np.array([0.01]), np.array([colour]))


def test_a_ball_is_a_disc_of_its_radius_where_it_is_projected() -> None:
    picture = np.zeros((240, 600, 3), np.uint8)
    draw(picture, VIEW, bar((0.1, 0.0, 0.0), (0.1, 0.0, 0.0)))
    rows, columns = np.nonzero(picture[..., 0])
    across, down, _ = VIEW.project(np.array([0.1, 0.0, 0.0]))
    assert abs(columns.mean() - across) < 1 and abs(rows.mean() - down) < 1
    assert abs(len(rows) / (np.pi * (0.01 * VIEW.scale) ** 2) - 1) < 0.15


def test_what_is_higher_hides_what_is_lower_whichever_is_drawn_first() -> None:
    low, high = bar((0.0, 0.0, 0.0), (0.1, 0.0, 0.0)), bar((0.0, 0.0, 0.05), (0.1, 0.0, 0.05), colour=(0.0, 255.0, 0.0))
    across, down, _ = np.round(VIEW.project(np.array([0.05, 0.0, 0.05]))).astype(int)
    for order in ((low, high), (high, low)):
        picture = np.zeros((240, 600, 3), np.uint8)
        draw(picture, VIEW, Bars(*(np.concatenate(parts) for parts in zip(*map(_parts, order), strict=True))))
        assert picture[down, across, 1] > 100 and picture[down, across, 0] == 0


def _parts(bars: Bars) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return bars.ends, bars.radius, bars.colour


def test_what_lies_outside_is_left_out() -> None:
    picture = np.zeros((240, 600, 3), np.uint8)
    draw(picture, VIEW, bar((5.0, 0.0, 0.0), (6.0, 0.0, 0.0)))
    draw(picture, VIEW, bar((-0.7, 0.0, 0.0), (0.7, 0.0, 0.0)))  # from edge to edge
    assert picture[..., 0].any(axis=0).all()


def test_pressed_keys_are_seen_and_hands_are_over_them() -> None:
    take = clip()
    panel = Panel(take, 600, 240)
    times = np.array([0.3, 0.47])
    pressed, released = (panel.picture(bars, time) for bars, time in zip(panel.bars(times), times.tolist(), strict=True))
    orange = [np.all(picture == (255, 150, 70), axis=-1).sum() for picture in (pressed, released)]
    assert orange[0] > 0 and orange[1] == 0  # between two notes no key is down
    view = panel.view
    key = int(np.argmin(np.abs(view.keyboard.x - float(take.translation[len(take.times) // 2, 0, 0]))))
    assert 0 <= key < len(Keyboard().x) and view.left < view.keyboard.x[60 - LOWEST] < view.right


@with_av
def test_a_video_has_its_length_its_size_and_sound(tmp_path: Path) -> None:
    import av

    clip().save(tmp_path / "take.npz")
    take = str(tmp_path / "take.npz")
    assert main(["draw", take, take, "-o", str(tmp_path / "out.mp4"), "--seconds", "1"]) == 0
    with av.open(str(tmp_path / "out.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.frames) == (854, 480, 30)
        loud = max(float(np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio))
        assert loud > 0.05
    assert main(["draw", "-o", str(tmp_path / "none.mp4")]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.mp4", "take.npz"]
