# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching a published checkpoint from a site that breaks off, lies and changes, on this machine alone."""

import json
import os
from dataclasses import replace

import pytest

from backend.setup import checkpoint, download
from backend.setup.download import RemoteFile, fetch
from backend.setup.folder import SetupFolder
from backend.setup.published import experiment
from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError
from tests.hub import hub

RIGHT, LEFT = "run/piano2pose-right-iter=99000-val_loss=0.1.ckpt", "run/piano2pose-left-iter=100000-val_loss=0.1.ckpt"
FILES = {
    "README.md": b"about",
    "run/args.txt": b"{}",
    "run/args_posi.txt": b"{}",
    RIGHT: os.urandom(3_000_000),
    LEFT: os.urandom(1000),
    "run/piano2pose-left-iter=99000-val_loss=0.1.ckpt": b"an older one",
}


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    with hub(dict(FILES)) as site:
        yield site


@pytest.fixture
def right(site):
    return next(file for file in experiment(site.address) if file.name == RIGHT)


def test_the_newest_file_of_each_hand_and_the_settings_are_chosen(site):
    assert [file.name for file in experiment(site.address)] == ["run/args.txt", "run/args_posi.txt", RIGHT, LEFT]
    assert all(file.sha256 for file in experiment(site.address)[2:])


def test_several_experiments_are_named_and_one_is_taken_by_name(site):
    site.files |= {path.replace("run/", "other/"): content for path, content in FILES.items()}
    with pytest.raises(PianoHandsError) as caught:
        experiment(site.address)
    assert caught.value.code == "several-experiments" and "other, run" in caught.value.message
    assert experiment(site.address, "other")[0].name == "other/args.txt"
    site.files = {path.removeprefix("run/"): content for path, content in FILES.items()}
    assert experiment(site.address)[0].name == "args.txt"


@pytest.mark.parametrize(
    "listing",
    [
        b"<html>",
        b"[" * 100_000,
        b"[1]",
        b'{"type": "file"}',
        b"[]",
        json.dumps([{"type": "file", "path": "a/..", "size": 1}]).encode(),
        json.dumps([{"type": "file", "path": "a", "size": -1}]).encode(),
        json.dumps([{"type": "file", "path": "a", "size": 1, "lfs": {"oid": "../x"}}]).encode(),
    ],
)
def test_a_listing_that_is_none_is_said_so(site, listing):
    site.listing = listing
    with pytest.raises(PianoHandsError) as caught:
        experiment(site.address)
    assert caught.value.code == "bad-download" and "--address" in caught.value.hint


@pytest.mark.parametrize(
    "address", ["http://example.invalid/a/b", "ftp://x/a/b", "nothing", "https://x", "http://127.0.0.1:1/a/b/c"]
)
def test_addresses_are_encrypted_or_on_this_machine(address):
    with pytest.raises(PianoHandsError) as caught:
        experiment(address)
    assert caught.value.code == "bad-download"


@pytest.mark.parametrize(
    ("faults", "ranges"),
    [
        ([], [None]),
        ([("cut", 1_000_000), ("cut", 500_000)], [None, "bytes=1000000-", "bytes=1500000-"]),
        ([("cut", 1_000_000), "no-range"], [None, "bytes=1000000-"]),
        ([("cut", 1_000_000), "other-range"], [None, "bytes=1000000-", None]),
        ([("cut", 1_000_000), 416], [None, "bytes=1000000-", None]),
        ([503, 429, ("cut", 0)], [None, None, None, None]),
    ],
)
def test_it_goes_on_after_every_fault_that_passes(site, right, tmp_path, faults, ranges):
    site.faults[RIGHT] = faults
    seen = []
    fetch(right, tmp_path / "file", lambda done, total: seen.append((done, total)))
    assert (tmp_path / "file").read_bytes() == FILES[RIGHT]
    assert [wanted for _, wanted in site.asked] == ranges
    assert seen[-1] == (3_000_000, 3_000_000) and not (tmp_path / "file.part").exists()
    site.asked.clear()
    fetch(right, tmp_path / "file")
    assert site.asked == []  # it is there


def test_another_day_it_goes_on_where_it_stopped(site, right, tmp_path):
    site.faults[RIGHT] = [("cut", 2_000_000)] + [("cut", 0)] * 10
    with pytest.raises(PianoHandsError) as caught:
        fetch(right, tmp_path / "file")
    assert caught.value.code == "no-connection" and "goes on where it stopped" in caught.value.hint
    site.faults.clear()
    site.asked.clear()
    fetch(right, tmp_path / "file")
    assert site.asked == [(RIGHT, "bytes=2000000-")]


def test_a_wrong_size_is_refused_before_anything_is_written(site, right, tmp_path):
    for size in (2_999_999, 3_000_001):
        with pytest.raises(PianoHandsError) as caught:
            fetch(replace(right, size=size), tmp_path / "file")
        assert caught.value.code == "bad-download" and "3000000 bytes there" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_a_wrong_sum_throws_away_what_came(site, right, tmp_path):
    site.files[RIGHT] = bytes(3_000_000)
    with pytest.raises(PianoHandsError) as caught:
        fetch(right, tmp_path / "file")
    assert caught.value.code == "bad-download" and "SHA-256" in caught.value.message
    assert not list(tmp_path.iterdir())


def test_what_was_begun_with_other_numbers_is_thrown_away_too(site, right, tmp_path):
    (tmp_path / "file.part").write_bytes(bytes(1000))
    with pytest.raises(PianoHandsError):
        fetch(right, tmp_path / "file")
    fetch(right, tmp_path / "file")
    (tmp_path / "file").write_bytes(bytes(3_000_000))  # spoilt later
    fetch(right, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == FILES[RIGHT]


def test_a_file_that_is_gone_and_a_way_that_leads_out_are_said_at_once(site, right, tmp_path):
    with pytest.raises(PianoHandsError) as caught:
        fetch(RemoteFile(right.url + "x", "x", 1), tmp_path / "file")
    assert caught.value.code == "no-connection" and "404" in caught.value.message
    assert len(site.asked) == 1


def test_originals_are_imported_and_let_go_or_kept(site, tmp_path, monkeypatch):
    imported = []

    def stand_in(folder, originals, target):
        imported.append(sorted(path.name for path in originals.iterdir()))
        target.mkdir()
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(checkpoint, "_import", stand_in)
    for keep in (False, True):
        folder = SetupFolder(tmp_path / str(keep))
        folder.open()
        said = []
        for _ in range(2):
            made = checkpoint.add_checkpoint(folder, experiment(site.address), keep_originals=keep, tell=said.append)
        assert made == places.made_checkpoint(folder.path) and "already" in said[-1]
        assert (folder.path / places.DOWNLOADS).exists() == keep
        assert "args.txt" in imported[-1] and len(imported[-1]) == 4
        folder.remove_all()
        assert not folder.path.exists()
    assert len(imported) == 2


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_not_begun(site, tmp_path, monkeypatch):
    usage = checkpoint.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    folder = SetupFolder(tmp_path / "user")
    folder.open()
    with pytest.raises(PianoHandsError) as caught:
        checkpoint.add_checkpoint(folder, experiment(site.address), keep_originals=False, tell=print)
    assert caught.value.code == "no-space"
