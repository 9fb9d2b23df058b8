# SPDX-License-Identifier: GPL-3.0-or-later
"""What the authors of S2C published, and where: the files of an experiment, with sizes and SHA-256 as the site tells them.

The site is a Hugging Face hub or a mirror of one: https://huggingface.co/docs/hub/api, "tree"; large files carry their SHA-256.
"""

import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from s2c_blender.wire.errors import PianoHandsError

from .download import RemoteFile, read_small

ADDRESS = "https://huggingface.co/thuteam/S2C"  # named in the README of github.com/monkek123King/S2C

_LONGEST_LISTING = 8_000_000  # bytes
_SETTINGS = ("args.txt", "args_posi.txt")
_OPTIONAL = ("hubert_config.json",)
_HANDS = ("right", "left")


def experiment(address: str, name: str | None = None) -> list[RemoteFile]:
    """The files of the experiment that lies at the address, or of the one of that name. Raises PianoHandsError."""
    listing, files = _urls(address)
    try:
        entries = json.loads(read_small(listing, most=_LONGEST_LISTING))
        found = [_file(entry, files) for entry in entries if entry["type"] == "file"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(f"{listing} is no list of files ({type(error).__name__})") from error
    whole = {folder: chosen for folder in {_folder(file) for file in found} if (chosen := _chosen(found, folder))}
    if name is not None:
        whole = {folder: chosen for folder, chosen in whole.items() if folder == name}
    if not whole:
        raise _bad(f"{address} has no folder with {', '.join(_SETTINGS)} and a .ckpt file of each hand")
    if len(whole) > 1:
        raise PianoHandsError(
            "several-experiments",
            f"{address} has several experiments: {', '.join(sorted(folder or '.' for folder in whole))}.",
            "Say which by --experiment NAME.",
        )
    return next(iter(whole.values()))


def _urls(address: str) -> tuple[str, str]:
    """Where the list of files is, and what stands before a file's path."""
    parts = urlsplit(address)
    told = re.fullmatch(r"/([\w.-]+)/([\w.-]+?)(?:/tree/([\w.-]+))?/?", parts.path)
    if not parts.netloc or told is None:
        raise _bad(f"{address} is no address of a model, as {ADDRESS} is one")
    owner, name, revision = told[1], told[2], told[3] or "main"
    site = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{site}/api/models/{owner}/{name}/tree/{revision}?recursive=true",
        f"{site}/{owner}/{name}/resolve/{revision}/",
    )


def _file(entry: dict[str, Any], files: str) -> RemoteFile:
    """`name` is the path in the repository, and its last part a plain name."""
    path, size = entry["path"], entry["size"]
    sha = entry.get("lfs", {}).get("oid", "") if entry.get("lfs") else ""
    if not isinstance(path, str) or not isinstance(size, int) or size < 0 or PurePosixPath(path).name in ("", "..") or "\\" in path:
        raise ValueError(path)
    if sha and not re.fullmatch(r"[0-9a-f]{64}", sha):
        raise ValueError(sha)
    return RemoteFile(files + quote(path), path, size, sha)


def _folder(file: RemoteFile) -> str:
    return str(PurePosixPath(file.name).parent).removeprefix(".")


def _chosen(files: Iterable[RemoteFile], folder: str) -> list[RemoteFile] | None:
    """The settings and each hand's file with the most iterations; None where something is missing."""
    here = {PurePosixPath(file.name).name: file for file in files if _folder(file) == folder}
    hands = list[RemoteFile]()
    for hand in _HANDS:
        counted = {
            int(match[1]): file for name, file in here.items() if (match := re.match(rf"[^-]*-{hand}-iter=(\d+).*\.ckpt", name))
        }
        plain = here.get(f"weights_{hand}.safetensors")
        if counted:
            hands.append(counted[max(counted)])
        elif plain:
            hands.append(plain)
    if len(hands) < len(_HANDS) or any(name not in here for name in _SETTINGS):
        return None
    return [*(here[name] for name in (*_SETTINGS, *_OPTIONAL) if name in here), *hands]


def _bad(what: str) -> PianoHandsError:
    return PianoHandsError(
        "bad-download",
        f"{what}.",
        "Give the right address with --address; or fetch the files by hand, and use import-checkpoint.",
    )
