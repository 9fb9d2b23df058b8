# SPDX-License-Identifier: GPL-3.0-or-later
"""demo | test | bench | package | check: the ways to run Piano Hands from a checkout. Standard library only.

What a command needs is installed into `.venv` beside this file, by the pins of pyproject.toml, and only when they have changed.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from s2c_blender.wire.kind import is_recording
from tests.groups import GROUPS, run_checks, run_every, run_group

ROOT = Path(__file__).resolve().parent
WHEELS, DIST = ROOT / "wheels", ROOT / "dist"
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST_BLENDER = (4, 5)
LARGEST_ZIP = 10_000_000  # bytes

# What the bpy wheel takes from a Debian or Ubuntu machine, besides the C library.
DEBIAN_PACKAGES = {
    "libX11.so.6": "libx11-6",
    "libXext.so.6": "libxext6",
    "libXfixes.so.3": "libxfixes3",
    "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6",
    "libICE.so.6": "libice6",
    "libGL.so.1": "libgl1",
}

_PYTHON_MARK = re.compile(r"python_version == '([\d.]+)'")


class Fault(Exception):
    """Something that the person who started this can mend."""


def main() -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="build.py", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    add = commands.add_parser("demo", help="a piece becomes a clip, a scene, a video and stills, with its contact scores")
    add.add_argument(
        "input", nargs="?", type=Path, metavar="INPUT", help="a MIDI file or a recording, without it the shipped piece"
    )
    add.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the results go (out)")
    add.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds, from time zero")
    add.add_argument("--no-render", action="store_true", help="no video and no stills")
    add.add_argument(
        "--prior", choices=("planner", "s2c"), default="planner", help="s2c listens to a recording, with torch (planner)"
    )
    add.add_argument("--recording", type=Path, metavar="FILE", help="for a MIDI file: sound of it, to which it is aligned")
    add.add_argument("--checkpoint", type=Path, metavar="DIR", help="for s2c: the folder that import-checkpoint wrote")
    add.add_argument("--mano", type=Path, metavar="FILE", help="for s2c: your MANO_RIGHT.pkl, whose mean pose it builds on")
    add.add_argument("--steps", type=int, metavar="N", help="for s2c: steps of the sampling")
    add.add_argument("--compatibility", choices=("none", "reference"), help="for s2c: reference does what the published scripts do")
    _add_blender(add)
    add.set_defaults(run=demo)

    add = commands.add_parser("test", help="every test, and the checks")
    add.add_argument("--only", choices=GROUPS, help="one group alone")
    add.set_defaults(run=test)

    add = commands.add_parser("bench", help="a folder of MIDI files: one table of contact scores, speed and memory")
    add.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="a folder with .mid files, or one .mid file")
    add.add_argument("--s2c", action="store_true", help="instead the speed of S2C at its published size, with random numbers")
    add.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of each piece")
    add.add_argument("--measured", type=float, metavar="N", help="solve whole pieces, measure contact on the first N seconds")
    add.add_argument("--sampled", type=float, metavar="N", help="and on N seconds from a random place: a second table")
    add.add_argument("--fps", type=int, metavar="N", help="the scene's frame rate (60)")
    add.add_argument("--hand-size", type=float, metavar="CM", help="hand span in cm (22)")
    add.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    add.add_argument("--listen", action="store_true", help="how well notes are heard instead: slow; N seconds of eight pieces")
    add.add_argument("--jobs", type=int, default=1, metavar="N", help="pieces at a time (1); speeds are only true with 1")
    add.set_defaults(run=bench)

    add = commands.add_parser("package", help="the extension's zip in dist/, validated")
    _add_blender(add)
    add.set_defaults(run=package)

    commands.add_parser("check", help="ruff and pyright").set_defaults(run=check)

    options = parser.parse_args()
    try:
        return options.run(options)
    except Fault as fault:
        print(f"error: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _add_blender(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--blender", metavar="PATH", help="a Blender 4.5 or newer to use in place of the bpy module from PyPI")


def demo(options: argparse.Namespace) -> int:
    """Run the main job, in the bpy module or in the Blender named."""
    task = ["demo", "--out", str(options.out.absolute()), *["--no-render"] * options.no_render]
    for name in ("input", "recording"):
        if getattr(options, name):
            task += [f"--{name}", str(getattr(options, name).absolute())]
    if options.seconds is not None:
        task += ["--seconds", str(options.seconds)]
    task += _prior_options(options)
    whole = not (options.input or options.recording)  # from a recording of the shipped piece, by S2C
    listens = whole or options.prior == "s2c" or options.recording or is_recording(options.input)
    full = ("full",) if listens else ()  # MIDI alone needs no torch
    if not options.blender:
        return _run([environment("blender", *full), "-m", "s2c_blender.cli", *task])
    blender = checked_blender(options.blender)
    if full:
        task += ["--python", environment(*full)]
    fetch_wheels(environment())  # Blender's own Python starts the backend, and has no mido
    script = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); from s2c_blender.cli import main; "
        f"code = main({task!r}); sys.stdout.flush(); os._exit(code)"
    )
    return _run([blender, "-b", "--factory-startup", "--python-exit-code", "1", "--python-expr", script])


def _prior_options(options: argparse.Namespace) -> list[str]:
    task = ["--prior", options.prior]
    for name in ("checkpoint", "mano"):
        if getattr(options, name) is not None:
            task += [f"--{name}", str(getattr(options, name).absolute())]
    for name in ("steps", "compatibility"):
        if getattr(options, name) is not None:
            task += [f"--{name}", str(getattr(options, name))]
    return task


def test(options: argparse.Namespace) -> int:
    """Run the groups of tests, each in processes of its own, and say what came of them."""
    python = environment("blender", "test", "full")
    fetch_wheels(python)  # the installed extension is tested too
    tallies = {options.only: run_group(python, options.only, _run)} if options.only else run_every(python, _run)
    print()
    for group, tally in sorted(tallies.items(), key=lambda item: GROUPS.index(item[0])):
        for name, reason in tally.skipped:
            print(f"skipped: {name}: {reason}")
        for name in tally.failed:
            print(f"FAILED: {name}")
        print(f"{group:6} {tally} in {tally.seconds:.0f} s")
    passed = sum(tally.passed for tally in tallies.values())
    failed = sum(len(tally.failed) for tally in tallies.values())
    skipped = sum(len(tally.skipped) for tally in tallies.values())
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def bench(options: argparse.Namespace) -> int:
    """Measure every piece in a folder and print one table; or measure S2C, or how well notes are heard."""
    if options.s2c:
        return _run([environment("full"), "-m", "tests.bench.bench_s2c"])
    if options.folder is None:
        raise Fault("Name a folder with MIDI files, or ask for --s2c.")
    task = [str(options.folder.absolute()), *([] if options.listen else ["--jobs", str(options.jobs)])]
    for name in ("seconds",) if options.listen else ("seconds", "measured", "sampled", "fps", "hand_size"):
        if getattr(options, name) is not None:
            task += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    if options.json:
        task += ["--json", str(options.json.absolute())]
    if options.listen:
        return _run([environment("blender", "test", "full"), "-m", "tests.bench.bench_listen", *task])
    return _run([environment("blender"), "-m", "tests.bench.contact_table", *task])


def package(options: argparse.Namespace) -> int:
    """Stage the files, build the zip with Blender's own extension tool, and validate it."""
    python = environment() if options.blender else environment("blender")
    fetch_wheels(python)
    stage = DIST / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    stage_files(stage)
    if options.blender:
        tool = [checked_blender(options.blender), "-b", "--factory-startup", "--command", "extension"]
    else:
        tool = [python, str(_extension_tool(Path(python)))]
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    target = DIST / f"{manifest['id']}-{manifest['version']}.zip"
    for task in (["build", "--source-dir", str(stage), "--output-filepath", str(target)], ["validate", str(target)]):
        if _run([*tool, *task]) != 0:
            raise Fault(f"Blender's extension tool refused to {task[0]} {target.name}.")
    shutil.rmtree(stage)
    size = target.stat().st_size
    if size > LARGEST_ZIP:
        raise Fault(f"{target.name} has {size / 1e6:.1f} MB; at most {LARGEST_ZIP / 1e6:.0f} MB are wanted.")
    print(f"{target.relative_to(ROOT)}: {size / 1e6:.2f} MB")
    return 0


def check(_options: argparse.Namespace) -> int:
    """Run ruff and pyright."""
    return 1 if run_checks(environment("blender", "test"), _run).failed else 0


def pins(*groups: str) -> list[str]:
    """Requirements of the program itself and of the named groups, as far as they are meant for the running Python."""
    project = _project()
    every = [*project["project"]["dependencies"], *(pin for group in groups for pin in project["dependency-groups"][group])]
    fitting = [pin for pin in every if _PYTHON_MARK.search(pin) is None or _PYTHON_MARK.findall(pin) == [RUNNING]]
    return list(dict.fromkeys(pin.partition(";")[0] for pin in fitting))


def environment(*groups: str) -> str:
    """The Python of a virtual environment that holds the groups' packages. Raises Fault."""
    if "blender" in groups:
        fitting = _PYTHON_MARK.findall(" ".join(_project()["dependency-groups"]["blender"]))
        if RUNNING not in fitting:
            raise Fault(
                f"This is Python {RUNNING}, and Blender's module exists for Python {' and '.join(fitting)} only. "
                "Start build.py with one of those, or name an installed Blender with --blender."
            )
    folder = _environment_folder()
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed.json"
    wanted = pins(*groups)
    installed: list[str] = json.loads(stamp.read_text()) if stamp.exists() else []
    if python.exists() and set(wanted) <= set(installed):
        return str(python)
    if not python.exists():
        _make_environment(folder)
    print(f"installing into {folder.name}: {', '.join(wanted)}", flush=True)
    install = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    torch = [pin for pin in wanted if pin.startswith("torch==") and pin not in installed]
    names: list[str] = _project()["tool"]["piano-hands"]["alone"]
    alone = [pin for pin in wanted if pin.partition("==")[0] in names]
    rest = [pin for pin in wanted if pin not in alone]
    steps = ([*install, *torch] if torch else None, [*install, *rest], [*install, "--no-deps", *alone] if alone else None)
    if any(_run(step) != 0 for step in steps if step):
        raise Fault("pip could not install the packages above; its own words say why.")
    if "blender" in groups:
        _check_module(str(python))
    known = set(pins(*_project()["dependency-groups"]))
    stamp.write_text(json.dumps(sorted(known & {*installed, *wanted})))
    return str(python)


def _environment_folder() -> Path:
    """`.venv`, or `.venv-X.Y` where `.venv` was made with another Python."""
    folder = ROOT / ".venv"
    settings = folder / "pyvenv.cfg"
    made_with = re.search(r"^version\s*=\s*(\d+\.\d+)", settings.read_text(), re.MULTILINE) if settings.exists() else None
    return ROOT / f".venv-{RUNNING}" if made_with and made_with[1] != RUNNING else folder


def _make_environment(folder: Path) -> None:
    try:
        venv.create(folder, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Fault(f"{folder} could not be made ({error}). On Debian and Ubuntu, install the package python3-venv.") from error


def _check_module(python: str) -> None:
    """Import bpy once. Raises Fault that names the system's packages that are missing."""
    tried = subprocess.run([python, "-c", "import bpy, os; os._exit(0)"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return
    missing = sorted(set(re.findall(r"(lib[\w+-]+\.so[.\d]*): cannot open shared object", tried.stderr)) | set(_unresolved(python)))
    if not missing:
        raise Fault(f"Blender's module cannot be imported:\n{tried.stderr.strip()}")
    packages = " ".join(DEBIAN_PACKAGES.get(library, f"(the package with {library})") for library in missing)
    raise Fault(
        f"Blender's module needs libraries that this machine lacks: {', '.join(missing)}. "
        f"On Debian and Ubuntu:\n  sudo apt-get install {packages}"
    )


def _unresolved(python: str) -> list[str]:
    """Libraries that the dynamic linker does not find for Blender's module."""
    modules = [str(path) for path in Path(python).parents[1].glob("lib/python*/site-packages/bpy/*.so")]
    if not modules or not shutil.which("ldd"):
        return []
    told = subprocess.run(["ldd", *modules], capture_output=True, text=True, check=False).stdout
    return re.findall(r"(\S+) => not found", told)


def checked_blender(path: str) -> str:
    """The program at `path`, if it is a Blender that can run this. Raises Fault."""
    program = shutil.which(path)
    if program is None:
        raise Fault(f"There is no program {path}.")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"Blender (\d+)\.(\d+)", said)
    if version is None:
        raise Fault(f"{path} does not say that it is Blender.")
    if (int(version[1]), int(version[2])) < OLDEST_BLENDER:
        raise Fault(f"{path} is Blender {version[1]}.{version[2]}; 4.5 or newer is needed.")
    return program


def fetch_wheels(python: str) -> None:
    """Put the wheels that the extension carries into wheels/, by pin and hash. Raises Fault."""
    wanted: dict[str, str] = _project()["tool"]["piano-hands"]["wheels"]
    WHEELS.mkdir(exist_ok=True)
    for path in WHEELS.iterdir():
        if path.name not in wanted or hashlib.sha256(path.read_bytes()).hexdigest() != wanted[path.name]:
            path.unlink()
    lines = [
        "{}=={} --hash=sha256:{}\n".format(*name.split("-")[:2], digest)
        for name, digest in wanted.items()
        if not (WHEELS / name).exists()
    ]
    if not lines:
        return
    list_file = WHEELS / "requirements.txt"
    list_file.write_text("".join(lines))
    options = ["--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--dest", str(WHEELS)]
    fetched = _run([python, "-m", "pip", "download", "--disable-pip-version-check", *options, "-r", str(list_file)])
    list_file.unlink()
    if fetched != 0 or any(not (WHEELS / name).exists() for name in wanted):
        raise Fault("The wheels could not be fetched as pinned; pip's own words say why.")


def stage_files(stage: Path) -> None:
    """Copy what the extension consists of; the root of the zip mirrors the repository."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", "requirements.txt")
    for name in ("s2c_blender", "backend", "rigs", "wheels"):
        shutil.copytree(ROOT / name, stage / name, ignore=ignored)
    for name in ("blender_manifest.toml", "pyproject.toml", "LICENSE", "README.md"):  # pyproject: the pins, for setup
        shutil.copy2(ROOT / name, stage)
    (stage / "__init__.py").write_text(
        "# SPDX-License-Identifier: GPL-3.0-or-later\n"
        '"""Piano Hands, as installed in Blender. Written by build.py package."""\n\n'
        "from .s2c_blender import register, unregister\n\n"
        '__all__ = ["register", "unregister"]\n',
        encoding="utf-8",
    )


def _extension_tool(python: Path) -> Path:
    """Blender's own program for building extensions, from the bpy module."""
    pattern = "**/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
    found = next(iter(python.parents[1].glob(pattern)), None)
    if found is None:
        raise Fault("The bpy module holds no blender_ext.py. Name an installed Blender with --blender.")
    return found


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _run(command: Sequence[str], *, timeout: float | None = None, log: IO[str] | None = None) -> int:
    """Run a program in the checkout's folder, seen by the person, or written to `log`; returns its exit code."""
    quiet = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    return subprocess.run(command, cwd=ROOT, env=quiet, timeout=timeout, stdout=log, stderr=log, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
