# SPDX-License-Identifier: GPL-3.0-or-later
"""S2C's checkpoint: the published files are fetched, imported into our own format by the environment's Python, and let go."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.terminal import ProgressBar

from ..space import check_space
from .download import RemoteFile, fetch
from .folder import SetupFolder
from .pins import ROOT

_SPARE = 300_000_000  # bytes left free


def add_checkpoint(folder: SetupFolder, files: Sequence[RemoteFile], *, keep_originals: bool, tell: Callable[[str], None]) -> Path:
    """Returns the imported checkpoint. May be repeated: what has come is kept. Raises PianoHandsError."""
    there = places.made_checkpoint(folder.path)
    if there is not None:
        tell(f"S2C's checkpoint is in {there} already. To have it anew, remove that folder first.")
        return there
    originals = folder.claim(places.DOWNLOADS) / places.CHECKPOINT
    originals.mkdir(parents=True, exist_ok=True)
    _check_space(originals, files)
    for file in files:
        _fetch(file, originals)
    tell("importing, in half precision ...")
    checkpoint = folder.claim(places.CHECKPOINT)
    _import(folder.path, originals, checkpoint)
    if keep_originals:
        tell(f"The originals are kept in {originals}.")
    else:
        shutil.rmtree(originals, ignore_errors=True)
        folder.drop_if_empty(places.DOWNLOADS)
    return checkpoint


def _check_space(originals: Path, files: Sequence[RemoteFile]) -> None:
    total = sum(file.size for file in files)
    has = sum(path.stat().st_size for path in originals.iterdir())
    needed = max(0, total - has) + total // 2 + _SPARE  # half precision takes half the space
    check_space(originals, needed, "the checkpoint", hint="Free some space, or give another folder with --into.")


def _fetch(file: RemoteFile, originals: Path) -> None:
    name = PurePosixPath(file.name).name
    bar = ProgressBar()
    try:
        fetch(file, originals / name, lambda done, total: bar.report(name[:24], done, total))
    finally:
        bar.end()


def _import(folder: Path, originals: Path, checkpoint: Path) -> None:
    python = places.environment_python(folder)
    command = [str(python), "-s", "-m", "backend", "import-checkpoint", str(originals), "-o", str(checkpoint)]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        raise PianoHandsError(
            "not-imported",
            "The published files could not be imported; the reason stands above.",
            f"They are kept in {originals}. Run the same command again, or take them away with --remove.",
        )
