# SPDX-License-Identifier: GPL-3.0-or-later
"""PianoMotion10M: windows as the published code cuts them, broken items left out by name, decoded once."""

import json
import lzma
import random
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from backend.__main__ import main
from backend.data import dataset
from backend.data.annotation import Annotation, BrokenItem, read
from backend.data.cache import Cache, Recorded
from backend.data.check import check_split, unnamed
from backend.data.layout import KNOWN_BROKEN, Item
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import HandSide
from tests import piano_motion

RECORDED = Path(__file__).parents[1] / "torch" / "recorded" / "dataset.npz.xz"


@pytest.fixture(scope="module")
def numbers() -> dict[str, NDArray[np.generic]]:
    with lzma.open(RECORDED) as packed, np.load(packed) as file:
        return {name: file[name] for name in file.files}


@pytest.mark.parametrize("fps", [30, 25])
@pytest.mark.parametrize("crop", ["first", "random"])
def test_windows_equal_those_of_the_published_code(numbers, fps: int, crop: str) -> None:
    frames = np.stack([numbers[f"{side.word}{fps}"] for side in HandSide])
    annotation = Annotation(frames, fps, numbers[f"adjust{fps}"])
    sound = np.zeros(int(numbers[f"audio_len{fps}"]), np.int16)
    recorded = Recorded(Item("", "", ""), annotation.adjusted(), sound, fps, (0.0, 1.0), 0.0)
    cut = dataset.Cut()
    window = cut.first(recorded) if crop == "first" else cut.drawn(recorded, random.Random(4))
    for side in HandSide:
        expected = numbers[f"fps{fps}_{crop}/{side.word}"]
        assert window.frames[side].shape == expected.shape
        np.testing.assert_allclose(window.frames[side], expected, atol=1e-4)
    assert [window.sound_begin, 128_000] == numbers[f"fps{fps}_{crop}/audio_begin_len"].tolist()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return piano_motion.small(tmp_path)


CUT = dataset.Cut(frames=64)


def test_an_item_is_decoded_once_and_again_when_it_changes(root: Path) -> None:
    cache = Cache.of(root)
    item = piano_motion.items(1)[0]
    first = cache.load(item)
    about = cache.place(item) / "about.json"
    before = about.stat().st_mtime_ns
    assert first.start == 2.0 and first.fps == 30 and abs(len(first.sound) / 16000 - 3) < 0.1
    plain = Cache(cache.root, cache.folder, adjust=False).load(item)
    np.testing.assert_allclose(first.frames[:, :, 2] - plain.frames[:, :, 2], -0.2, atol=1e-6)
    assert cache.load(item).frames.shape == (2, 90, 52) and about.stat().st_mtime_ns == before
    values = json.loads(item.annotation(root).read_text())
    item.annotation(root).write_text(json.dumps(values | {"left": values["left"][:80], "right": values["right"][:80]}))
    assert cache.load(item).frames.shape == (2, 80, 52)


def _spoil(root: Path, item: Item, fault: str) -> None:
    path = item.annotation(root)
    values = json.loads(path.read_text())
    if fault == "no number":
        values["left"][5][20] = float("nan")
    elif fault == "hands of other lengths":
        values["left"] = values["left"][:-1]
    elif fault == "columns":
        values["right"] = [row[:61] for row in values["right"]]
    elif fault == "no fps":
        del values["fps"]
    elif fault == "far too large":
        values["right"][3][30] = 1e6
    elif fault == "too short":
        values["right"], values["left"] = values["right"][:20], values["left"][:20]
    path.write_text("{" if fault == "cut off" else json.dumps(values))
    if fault == "no sound":
        item.audio(root).unlink()
    if fault == "no recording":
        item.audio(root).write_bytes(b"not an mp3")


FAULTS = ["no number", "hands of other lengths", "columns", "no fps", "far too large", "too short", "cut off", "no sound"]


@pytest.mark.parametrize("fault", [*FAULTS, "no recording"])
def test_a_broken_item_is_left_out_and_listed(root: Path, fault: str) -> None:
    items = piano_motion.items(4)
    _spoil(root, items[1], fault)
    good, broken = dataset.usable(Cache.of(root), dataset.items_of(root, "train"), CUT)
    assert sorted(good) == [items[0], *items[2:]]
    assert [entry.item for entry in broken] == [items[1]] and broken[0].reason
    report = check_split(Cache.of(root), "train", cut=CUT)
    assert report.items == 3 and str(items[1]) in "\n".join(report.lines())


def test_an_annotation_that_claims_to_be_visible_twice_is_broken(root: Path) -> None:
    path = piano_motion.items(1)[0].annotation(root)
    values = json.loads(path.read_text())
    values["right"][0][0] = 2
    path.write_text(json.dumps(values))
    with pytest.raises(BrokenItem, match="visible"):
        read(path)


def test_uploaders_are_chosen_and_known_faults_left_out(tmp_path: Path) -> None:
    other = Item(*next(iter(KNOWN_BROKEN)))
    piano_motion.write(tmp_path, [*piano_motion.items(1), other, piano_motion.items(1, uploader="7", video="BV7")[0]], seconds=0.5)
    assert {item.uploader for item in dataset.items_of(tmp_path, "train")} == {"1467634", "7"}
    assert {item.uploader for item in dataset.items_of(tmp_path, "train", uploaders=["7"])} == {"7"}


def test_videos_come_in_the_published_order(tmp_path: Path) -> None:
    videos = [piano_motion.items(1, video=f"BV{number}")[0] for number in range(9)]
    for video in videos:
        video.annotation(tmp_path).parent.mkdir(parents=True)
        video.annotation(tmp_path).write_text("{}")
    (tmp_path / "train.txt").write_text("".join(f"{video.uploader} {video.video}\n" for video in videos))
    order = list(range(9))
    random.seed(2014)  # as the published code does
    random.shuffle(order)
    assert dataset.items_of(tmp_path, "train") == [videos[number] for number in order]


@pytest.mark.parametrize("line", ["../.. BV1", "1467634", "a b c", "1467634 ../../etc"])
def test_a_split_that_leads_elsewhere_is_refused(root: Path, line: str) -> None:
    (root / "test.txt").write_text(line + "\n")
    with pytest.raises(PianoHandsError, match=r"test\.txt"):
        dataset.items_of(root, "test")


def test_check_says_what_is_there_and_fails_where_a_split_is_missing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = piano_motion.write(tmp_path, piano_motion.items(1), seconds=9)
    assert main(["data", "check", str(root)]) == 1
    for split in ("valid", "test"):
        piano_motion.write(root, piano_motion.items(1, video=f"BV-{split}"), seconds=9, split=split)
    capfd.readouterr()
    options = ["--processes", "2", "--cache", str(tmp_path / "decoded"), "--json", str(tmp_path / "report.json")]
    assert main(["data", "check", str(root), *options]) == 0
    assert "train: 1 items of 1 videos by 1 uploaders" in capfd.readouterr().out
    assert [split["poses"] for split in json.loads((tmp_path / "report.json").read_text())] == [540] * 3
    (root / "valid.txt").write_text("")
    assert unnamed(root) == ["1467634/BV-valid"]
