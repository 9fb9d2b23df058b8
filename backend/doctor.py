# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend doctor`: what works here, and what to do about what does not. Needs nothing installed, never raises."""

import argparse
import importlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError

from .setup import pins
from .setup.builds import BUILDS, Machine, fitting

_SMALL_MEMORY, _S2C_MEMORY = 1.0, 8.0  # GB below which the built-in level, and S2C, get into trouble
_SMALL_DISK = 1.0  # GB
_PATIENCE = 180.0  # seconds for torch to be imported from a slow disk


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `todo` says what to do where it does not work."""

    works: bool
    words: str
    todo: str = ""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "doctor",
        help="say what works here, and what to do about what does not",
        description="Look at this Python, or at what setup made in FOLDER. The exit code is 0 where MIDI files can be turned into "
        "takes (the built-in level), 1 where they cannot.",
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="the folder that setup was given (the one this Python lies in)")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    folder: Path = (options.into or Path(sys.prefix).parent).absolute()
    works = all(_told("Built-in level: MIDI files", [_python, _numpy, _reader, _version, _memory, _disk, _planner]))
    _told("Full level: recordings and S2C", [lambda: _full(folder), lambda: _checkpoint(folder)])
    print("\nMIDI files can be turned into takes." if works else "\nMIDI files cannot be turned into takes: see above what to do.")
    return 0 if works else 1


def _told(title: str, looks: list[Callable[[], Finding | list[Finding]]]) -> Iterator[bool]:
    """Print what each look found; whether all of it works, one by one."""
    print(f"\n{title}")
    return iter([finding.works for look in looks for finding in _shown(look)])


def _shown(look: Callable[[], Finding | list[Finding]]) -> list[Finding]:
    try:
        found = look()
    except ModuleNotFoundError as error:
        found = Finding(False, f"the rest cannot be tried without {error.name}")
    except PianoHandsError as error:
        found = Finding(False, error.message, error.hint)
    except Exception as error:  # a doctor that falls ill helps nobody
        found = Finding(
            False, f"{type(error).__name__}: {error}", "Install the extension again, or copy all this and send it to us."
        )
    findings = found if isinstance(found, list) else [found]
    for finding in findings:
        print(f"  {'ok ' if finding.works else 'NO '} {finding.words}")
        if not finding.works and finding.todo:
            print(f"      {finding.todo}")
    return findings


def _python() -> Finding:
    return Finding(True, f"Python {platform.python_version()} in {sys.executable}, on {platform.platform()}")


def _version() -> Finding:
    from . import config

    return Finding(True, f"Piano Hands {config.version()}, in {config.ROOT}")


def _numpy() -> Finding:
    try:
        numpy = importlib.import_module("numpy")
    except ImportError as error:
        return Finding(False, f"NumPy cannot be imported ({error}).", "Start this with Blender's own Python, or install NumPy.")
    return Finding(True, f"NumPy {numpy.__version__}")


def _reader() -> Finding:
    """mido: installed, or in the wheels that the extension carries and the add-on names to its backend."""
    try:
        importlib.import_module("mido")
    except ImportError:
        carried = sorted((pins.ROOT / "wheels").glob("mido-*.whl"))
        if not carried:
            return Finding(False, "mido, which reads MIDI files, is not here.", "Install the extension again, or mido by pip.")
        return Finding(True, f"mido comes with the extension ({carried[-1].name})")
    return Finding(True, "mido is installed")


def _memory() -> Finding:
    total = memory_gigabytes()
    if total is None:
        return Finding(True, "memory: this system does not tell")
    if total < _SMALL_MEMORY:
        return Finding(False, f"{total:.1f} GB of memory", "Close other programs; take short pieces.")
    note = "" if total >= _S2C_MEMORY else "; S2C at full size wants 8 GB"
    return Finding(True, f"{total:.1f} GB of memory{note}")


def _disk() -> list[Finding]:
    found = list[Finding]()
    for what, path in (("temporary files", Path(tempfile.gettempdir())), ("the home folder", Path.home())):
        free = shutil.disk_usage(path).free / 1e9
        found.append(Finding(free > _SMALL_DISK, f"{free:.1f} GB free for {what} ({path})", "Free some space."))
    with tempfile.TemporaryFile() as file:
        file.write(b"\0")
    return found


def _planner() -> Finding:
    """Work a few notes out, as a take is."""
    from s2c_blender.wire.notes import NoteEvent, Score

    from .perform import Settings, perform

    began = time.perf_counter()
    notes = tuple(NoteEvent(0.5 * number, 0.5 * number + 0.4, 60 + 2 * number, 80) for number in range(4))
    perform(Score(notes), Settings(fps=30.0))
    return Finding(True, f"hands for four notes worked out in {time.perf_counter() - began:.1f} s")


def _full(folder: Path) -> list[Finding]:
    python = places.made_python(folder) or Path(sys.executable)
    versions = _pinned()
    remedy = f"Run: python -m backend setup --into FOLDER   (in {pins.ROOT})"
    command = [str(python), "-s", "-m", "backend.probe", *versions]
    told = subprocess.run(command, cwd=pins.ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    try:
        answer: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        last = (told.stderr.strip().splitlines() or ["no word"])[-1]
        return [Finding(False, f"{python} ended with code {told.returncode}: {last}", remedy)]
    packages: dict[str, str | None] = answer["packages"]
    found = [Finding(True, f"asked: Python {answer['python']} in {python}")]
    missing = [name for name, version in packages.items() if version is None and not _carried(name)]
    if missing:
        found.append(Finding(False, f"not installed: {', '.join(missing)}", remedy))
    for name, version in packages.items():
        if version is not None:
            pinned = versions[name]
            other = pinned is not None and version.partition("+")[0] != pinned
            found.append(Finding(not other, f"{name} {version}{f' instead of {pinned}' if other else ''}", remedy))
    if packages["torch"] is not None:
        found += _torch(packages["torch"], answer["torch"], remedy)
    return found


def _pinned() -> Mapping[str, str | None]:
    """Packages of the full level and their versions; where pip installed the backend, the pins are not with it."""
    if not (pins.ROOT / "pyproject.toml").exists():
        from . import config

        return dict.fromkeys(config.FULL_LEVEL)
    wanted = pins.read_pins()
    return dict(pin.split("==", 1) for pin in (wanted.torch, *wanted.others, *wanted.alone) if "==" in pin)


def _carried(name: str) -> bool:
    return any((pins.ROOT / "wheels").glob(f"{name}-*.whl"))


def _torch(version: str, told: dict[str, Any], remedy: str) -> list[Finding]:
    if "error" in told:
        return [Finding(False, f"torch does not work: {told['error']}", remedy)]
    devices: dict[str, str] = told["devices"]
    found = [Finding(True, f"torch computes on {name} ({words})") for name, words in devices.items()]
    fits, why = fitting(Machine.this())
    if fits is not BUILDS["cpu"] and len(devices) == 1:
        found.append(Finding(False, f"torch {version} uses the processor alone, though {why}", remedy))
    return found


def _checkpoint(folder: Path) -> Finding:
    checkpoint = places.made_checkpoint(folder)
    if checkpoint is None:
        return Finding(
            False,
            f"no S2C checkpoint in {folder}",
            "Fetch it by setup with the option --with s2c; or name one that you imported, in Blender's panel.",
        )
    return Finding(True, f"S2C's checkpoint in {checkpoint}")


def memory_gigabytes() -> float | None:
    """Memory of this machine; None where the system does not tell by the standard library."""
    if sys.platform == "win32":
        import ctypes

        class Status(ctypes.Structure):
            """MEMORYSTATUSEX, sysinfoapi.h."""

            _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong), *((f"size{k}", ctypes.c_ulonglong) for k in range(7))]

        status = Status(ctypes.sizeof(Status))
        told = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return status.size0 / 1e9 if told else None
    import os

    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError):
        return None
