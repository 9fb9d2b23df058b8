# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches the data set from an address: goes on where it stopped, believes sizes and SHA-256 alone, and unfolds what is packed.

The authors publish three archives and the split files on a drive without plain addresses; a mirror of them is named by its list:
a JSON file [{"path": "annotation.zip", "size": 123, "sha256": "..."}, ...], or a data set on a Hugging Face hub.
"""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from s2c_blender.wire.errors import PianoHandsError, write_failed

from ..setup.download import RemoteFile, fetch, read_small
from .layout import ANNOTATION, AUDIO, MIDI, SPLITS

DOWNLOADS = "downloads"  # archives, and what has come of them
_LONGEST_LISTING = 64_000_000  # bytes
_MOST_UNFOLDED = 200  # times the archive's size
_SPARE = 300_000_000  # bytes left free

#: file, bytes that are there, of all
Tell = Callable[[str, int, int], None]


def fetch_data(address: str, root: Path, *, tell: Tell = lambda name, done, total: None) -> list[str]:
    """Puts everything in place under `root`; returns what was fetched now. May be repeated. Raises PianoHandsError."""
    files = listing(address)
    wanted = [file for file in files if not _unfolded(root, file)]
    _check_space(root, wanted)
    for file in wanted:
        packed = file.name.endswith(".zip")
        place = (root / DOWNLOADS if packed else root) / file.name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise write_failed(place.parent, error) from error
        fetch(file, place, lambda done, total, name=file.name: tell(name, done, total))
        if packed:
            unfold(place, root)
            _remember(root, file)
    return [file.name for file in wanted]


def listing(address: str) -> list[RemoteFile]:
    """The files that belong to the data set. Raises PianoHandsError('bad-download', 'no-connection')."""
    hub = re.fullmatch(r"/datasets/([\w.-]+)/([\w.-]+?)(?:/tree/([\w.-]+))?/?", urlsplit(address).path)
    if hub is not None:
        parts = urlsplit(address)
        site = f"{parts.scheme}://{parts.netloc}"
        owner, name, revision = hub[1], hub[2], hub[3] or "main"
        url = f"{site}/api/datasets/{owner}/{name}/tree/{revision}?recursive=true"
        base = f"{site}/datasets/{owner}/{name}/resolve/{revision}/"
    else:
        url = base = address
    try:
        entries = json.loads(read_small(url, most=_LONGEST_LISTING))
        files = [_file(entry, base) for entry in entries if entry.get("type", "file") == "file"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(f"{url} is no list of files ({type(error).__name__}: {error})") from error
    ours = [file for file in files if _belongs(file.name)]
    if not ours:
        raise _bad(f"{address} lists nothing of PianoMotion10M")
    return ours


def _file(entry: dict[str, Any], base: str) -> RemoteFile:
    path, size = entry["path"], entry["size"]
    sha = entry.get("sha256") or (entry.get("lfs") or {}).get("oid", "")
    if not isinstance(path, str) or type(size) is not int or size < 0 or not _plain(path):
        raise ValueError(str(path)[:80])
    if sha and not re.fullmatch(r"[0-9a-f]{64}", sha):
        raise ValueError(f"the SHA-256 of {path}")
    return RemoteFile(urljoin(base, quote(path)), path, size, sha)


def _plain(path: str) -> bool:
    """A path that leads nowhere else."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and "\\" not in path and ":" not in path and ".." not in parts


def _belongs(path: str) -> bool:
    first = PurePosixPath(path).parts[0]
    return first in (ANNOTATION, AUDIO, MIDI, *(f"{split}.txt" for split in SPLITS)) or path in _ARCHIVES


_ARCHIVES = tuple(f"{folder}.zip" for folder in (ANNOTATION, AUDIO, MIDI))


def unfold(archive: Path, root: Path) -> None:
    """What of an archive belongs to the data set, under `root`; an entry that leads elsewhere refuses the whole.

    Files that are there in full are kept. Raises PianoHandsError('bad-download', 'write-failed').
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = list(_entries(packed, archive))
            for entry in entries:
                place = root / entry.filename
                if place.exists() and place.stat().st_size == entry.file_size:
                    continue
                place.parent.mkdir(parents=True, exist_ok=True)
                part = place.with_name(f"{place.name}.part")
                with packed.open(entry) as source, open(part, "wb") as target:
                    shutil.copyfileobj(source, target, 1 << 20)
                part.replace(place)
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise _bad(f"{archive.name} is damaged ({error})") from error
    except OSError as error:
        raise write_failed(root, error) from error


def _entries(packed: zipfile.ZipFile, archive: Path) -> Iterator[zipfile.ZipInfo]:
    left = _MOST_UNFOLDED * archive.stat().st_size
    for entry in packed.infolist():
        if entry.is_dir():
            continue
        left -= entry.file_size
        if not _plain(entry.filename) or left < 0:
            raise _bad(f"{archive.name} holds {entry.filename[:80]!r}, which leads elsewhere or is far too large")
        if _belongs(entry.filename):
            yield entry


def _record(root: Path, file: RemoteFile) -> Path:
    return root / DOWNLOADS / f"{file.name}.unfolded"


def _unfolded(root: Path, file: RemoteFile) -> bool:
    """Whether this very archive was unfolded before; other files are looked at by `fetch`."""
    record = _record(root, file)
    return record.is_file() and record.read_text(encoding="utf-8") == f"{file.size} {file.sha256}"


def _remember(root: Path, file: RemoteFile) -> None:
    """The archive goes, for what it held is there."""
    try:
        _record(root, file).write_text(f"{file.size} {file.sha256}", encoding="utf-8")
        (root / DOWNLOADS / file.name).unlink()
    except OSError as error:
        raise write_failed(root / DOWNLOADS, error) from error


def _check_space(root: Path, files: Sequence[RemoteFile]) -> None:
    there = root
    while not there.exists():
        there = there.parent
    needed, free = sum(file.size for file in files) + _SPARE, shutil.disk_usage(there).free
    if free < needed:
        raise PianoHandsError(
            "no-space", f"{root} has {free / 1e9:.1f} GB left, and this needs {needed / 1e9:.1f} GB.", "Free some space."
        )


def _bad(what: str) -> PianoHandsError:
    return PianoHandsError(
        "bad-download",
        f"{what}.",
        "Give the right address with --address; or fetch annotation.zip, audio.zip, midi.zip and the split files by hand, and "
        "unfold them in one folder.",
    )
