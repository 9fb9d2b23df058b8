# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environment of the full level: made, filled by pip, looked through, mended. Each step may be repeated."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError, write_failed

from ..space import check_space
from .builds import Build
from .folder import SetupFolder, size_of
from .pins import ROOT, Pins

#: What must be importable in the end.
IMPORTS = ("numpy", "mido", "torch", "transformers", "safetensors")
_PROGRAM = ("backend", "s2c_blender", "rigs")
_SPARE = 300_000_000  # bytes left free


@dataclass(frozen=True)
class Sources:
    """Where pip gets packages. `wheels`: a folder of wheels, and then nothing from the network."""

    index: str | None = None  # for torch, in place of the build's own
    wheels: Path | None = None

    def options(self, build: Build | None = None) -> list[str]:
        """pip's options; for torch with its build."""
        if self.wheels is not None:
            return ["--isolated", "--no-index", "--find-links", str(self.wheels)]
        index = self.index or (build.index if build else None)
        return ["--index-url", index] if build and index else []


@dataclass(frozen=True)
class Environment:
    """What is to be made where, and whom to tell."""

    folder: SetupFolder
    build: Build
    pins: Pins
    sources: Sources
    tell: Callable[[str], None]

    @property
    def python(self) -> Path:
        return places.environment_python(self.folder.path)

    def make(self) -> None:
        """From nothing, or from whatever an earlier try left behind. Raises PianoHandsError."""
        folder = self.folder
        folder.open()
        self._check_space()
        other_build = bool(folder.build) and folder.build != self.build.name
        folder.ready, folder.build = False, self.build.name
        folder.save()
        self.tell("[1/4] the environment")
        self._make_venv(folder.claim(places.ENVIRONMENT))
        for pin in self._forget_damaged():
            self.tell(f"{pin} is not whole: it is installed again")
        self.tell(f"[2/4] torch, {self.build.words}")
        again = ["--force-reinstall"] if other_build else []
        self._pip([*again, *self.sources.options(self.build), self.pins.torch])
        self.tell(f"[3/4] {', '.join(pin.partition('==')[0] for pin in (*self.pins.others, *self.pins.alone))}")
        self._pip([*self.sources.options(), self.pins.torch, *self.pins.others])
        if self.pins.alone:
            self._pip(["--no-deps", *self.sources.options(), *self.pins.alone])
        self.tell("[4/4] looking through what was installed")
        self._check()
        shutil.rmtree(folder.path / places.DOWNLOADS / "pip", ignore_errors=True)
        folder.drop_if_empty(places.DOWNLOADS)
        folder.ready = True
        folder.save()

    def add_command(self) -> Path:
        """Install the program itself, so that `piano-hands serve` works from any folder; returns the command's path."""
        tree = self.folder.claim(places.DOWNLOADS) / "tree"  # pip builds where the source lies, which is not ours to change
        shutil.rmtree(tree, ignore_errors=True)
        try:
            for name in _PROGRAM:
                shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in ("pyproject.toml", "README.md", "LICENSE"):
                shutil.copy2(ROOT / name, tree)
        except OSError as error:
            raise write_failed(tree, error) from error
        self._pip(["--no-deps", "--force-reinstall", *self.sources.options(), str(tree)])
        for name in ("tree", "pip"):
            shutil.rmtree(tree.with_name(name), ignore_errors=True)
        self.folder.drop_if_empty(places.DOWNLOADS)
        return self.python.with_name("piano-hands.exe" if os.name == "nt" else "piano-hands")

    def _check_space(self) -> None:
        needed = max(0, self.build.disk - size_of(self.folder.path / places.ENVIRONMENT)) + _SPARE
        check_space(self.folder.path, needed, "this", hint="Free some space, or give another folder with --into.")

    def _make_venv(self, path: Path) -> None:
        if path.exists() and not self._same_python():  # half made, or of a Python that is gone
            self.folder.drop(places.ENVIRONMENT)
            self.folder.claim(places.ENVIRONMENT)
        if self._has_pip():
            return
        try:
            venv.EnvBuilder(symlinks=os.name != "nt", with_pip=True).create(path)
        except (OSError, subprocess.CalledProcessError, SystemExit) as error:
            raise PianoHandsError(
                "no-venv",
                f"{path} could not be made ({error}).",
                "Run setup with another Python, 3.11 or newer; on Debian and Ubuntu install the package python3-venv.",
            ) from error

    def _same_python(self) -> bool:
        """Whether the environment's Python still runs, and is of this one's version."""
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        return self._said([code]) == f"{sys.version_info.major}.{sys.version_info.minor}"

    def _has_pip(self) -> bool:
        return self._said(["import pip; print('pip')"]) == "pip"

    def _said(self, code: Sequence[str]) -> str:
        try:
            told = subprocess.run([self.python, "-I", "-c", *code], capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.SubprocessError):
            return ""
        return told.stdout.strip()

    def _pip(self, arguments: Sequence[str]) -> None:
        """pip speaks for itself. Its temporary files go where the packages go: there is space for them."""
        downloads = self.folder.claim(places.DOWNLOADS) / "pip"
        downloads.mkdir(parents=True, exist_ok=True)
        values = _environment() | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(downloads))
        command = [str(self.python), "-I", "-m", "pip", "install", "--disable-pip-version-check", *arguments]
        code = subprocess.run(command, env=values, stdin=subprocess.DEVNULL, check=False).returncode
        if code != 0:
            wanted = " ".join(part for part in arguments if "==" in part)
            raise PianoHandsError(
                "pip-failed",
                f"pip could not install {wanted} (code {code}); its own words are above.",
                "Run the same command again: what is there is kept. Where there is no network, give a folder with --wheels.",
            )

    def _forget_damaged(self) -> list[str]:
        """Remove the records of packages that are not whole, without which pip puts them in place anew; returns their pins."""
        command = [str(self.python), "-s", "-m", "backend.setup.survey"]
        told = subprocess.run(command, cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False)
        try:
            damaged: dict[str, str] = json.loads(told.stdout)
        except ValueError as error:
            raise _does_not_work(told.stderr) from error
        inside = (self.folder.path / places.ENVIRONMENT).resolve()
        for record in damaged:
            if inside in Path(record).resolve().parents:
                shutil.rmtree(record, ignore_errors=True)
        return [pin for pin in damaged.values() if pin]

    def _check(self) -> None:
        left = self._forget_damaged()
        if left:
            raise PianoHandsError(
                "damaged",
                f"{', '.join(left)} could not be made whole.",
                "Look whether the disk is sound, then run the same command again.",
            )
        code = f"import {', '.join(IMPORTS)}"
        tried = subprocess.run([self.python, "-I", "-c", code], capture_output=True, text=True, check=False)
        if tried.returncode != 0:
            raise _does_not_work(tried.stderr)


def _environment() -> dict[str, str]:
    """Ours, without what would lead Python or pip elsewhere."""
    elsewhere = ("PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX")
    return {name: value for name, value in os.environ.items() if name not in elsewhere}


def _does_not_work(words: str) -> PianoHandsError:
    last = (words.strip().splitlines() or ["no reason given"])[-1]
    return PianoHandsError(
        "not-working",
        f"What was installed does not work: {last}",
        "On Windows, install Microsoft's Visual C++ runtime; else take all away with --remove and start anew.",
    )
