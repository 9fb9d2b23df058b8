# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching the data set from a mirror that breaks off and lies, on this machine alone."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.__main__ import main
from backend.data.dataset import items_of
from backend.data.fetch import DOWNLOADS, fetch_data
from backend.setup import download
from s2c_blender.wire.errors import PianoHandsError
from tests.hub import Hub, hub

ANNOTATION = "annotation/7/BV1/BV1_seq_0000.json"
CONTENT = {
    "annotation.zip": {ANNOTATION: b"{}" * 50_000, "notes.txt": b"not of the data set"},
    "audio.zip": {"audio/7/BV1/BV1_seq_0000.mp3": bytes(range(256)) * 400},
}


def packed(files: dict[str, bytes]) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return memory.getvalue()


def told(files: dict[str, bytes]) -> bytes:
    return json.dumps(
        [{"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()]
    ).encode()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    files = {name: packed(content) for name, content in CONTENT.items()} | {"train.txt": b"7 BV1\n"}
    with hub(files | {"files.json": told(files)}) as site:
        yield site


def mirror(site: Hub) -> str:
    return f"{site.address}/resolve/main/files.json"


def test_archives_are_unfolded_into_the_published_folders_and_let_go(site: Hub, tmp_path: Path) -> None:
    assert main(["data", "fetch", "-o", str(tmp_path), "--address", mirror(site)]) == 0
    assert [str(item) for item in items_of(tmp_path, "train")] == ["7/BV1/BV1_seq_0000"]
    assert (tmp_path / ANNOTATION).read_bytes() == CONTENT["annotation.zip"][ANNOTATION]
    assert not (tmp_path / "notes.txt").exists() and not list((tmp_path / DOWNLOADS).glob("*.zip"))


def test_a_data_set_on_a_hub_is_fetched_too(site: Hub, tmp_path: Path) -> None:
    address = site.address.replace("/owner/", "/datasets/owner/")
    fetch_data(address, tmp_path)
    assert (tmp_path / ANNOTATION).exists() and (tmp_path / "train.txt").exists()


def test_it_goes_on_where_it_stopped_and_fetches_nothing_twice(site: Hub, tmp_path: Path) -> None:
    site.faults["annotation.zip"] = [("cut", 30_000)]
    fetch_data(mirror(site), tmp_path)
    assert ("annotation.zip", "bytes=30000-") in site.asked
    site.asked.clear()
    fetch_data(mirror(site), tmp_path)
    assert [path for path, _ in site.asked if path.endswith(".zip")] == []


@pytest.mark.parametrize("name", ["annotation/../../out.json", "/annotation/out.json", "annotation\\..\\out.json"])
def test_an_archive_that_leads_elsewhere_is_refused(site: Hub, tmp_path: Path, name: str) -> None:
    files = {"annotation.zip": packed({name: b"harm"})}
    site.files |= files | {"files.json": told(files)}
    with pytest.raises(PianoHandsError, match="leads elsewhere"):
        fetch_data(mirror(site), tmp_path / "data")
    assert not list(tmp_path.rglob("out.json"))


@pytest.mark.parametrize(
    "listing", [b"<html>", b"[]", b'[{"path": "../train.txt", "size": 1}]', b'[{"path": "other.bin", "size": 1}]']
)
def test_a_list_that_is_none_is_refused(site: Hub, tmp_path: Path, listing: bytes) -> None:
    site.files["files.json"] = listing
    with pytest.raises(PianoHandsError) as caught:
        fetch_data(mirror(site), tmp_path)
    assert caught.value.code == "bad-download" and "--address" in caught.value.hint


def test_what_comes_with_another_sum_is_thrown_away(site: Hub, tmp_path: Path) -> None:
    site.files["audio.zip"] = site.files["audio.zip"][:-1] + b"!"
    with pytest.raises(PianoHandsError, match="SHA-256"):
        fetch_data(mirror(site), tmp_path)
    assert not (tmp_path / "audio").exists()
