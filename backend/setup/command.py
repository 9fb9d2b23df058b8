# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend setup`: one command that the person runs makes the full level, and one takes it away."""

import argparse
import sys
from pathlib import Path

from s2c_blender.wire import places
from s2c_blender.wire.errors import PianoHandsError

from . import pins
from .builds import BUILDS, Build, Machine, fitting
from .checkpoint import add_checkpoint
from .environment import Environment, Sources
from .folder import SetupFolder, size_of
from .published import ADDRESS, experiment


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "setup",
        help="make the full level: a Python environment with torch, and S2C's checkpoint",
        description="Make a virtual environment with torch in FOLDER, or mend the one that is there. "
        "It may be run again at any time: what is whole is kept. The add-on finds what lies in its own folder.",
        epilog="example: python -m backend setup --into FOLDER --with s2c",
    )
    parser.add_argument("--into", type=Path, required=True, metavar="FOLDER", help="where all of it goes, and nothing else")
    parser.add_argument("--remove", action="store_true", help="take away what setup made there, and nothing else")
    parser.add_argument("--build", choices=tuple(BUILDS), help="the build of torch (the one that fits this machine)")
    parser.add_argument("--index-url", metavar="URL", help="get torch from this package index (the build's own)")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="get all packages from a folder of wheels, without network")
    parser.add_argument(
        "--with",
        dest="extras",
        action="append",
        choices=("s2c", "command"),
        default=[],
        help="also fetch S2C's published checkpoint (5.8 GB, 2.9 kept); or install the command piano-hands, for use from afar",
    )
    parser.add_argument("--address", default=ADDRESS, metavar="URL", help=f"where the checkpoint is published ({ADDRESS})")
    parser.add_argument("--experiment", metavar="NAME", help="its folder there, where there are several")
    parser.add_argument("--keep-originals", action="store_true", help="keep the published files after they were imported")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    folder = SetupFolder(options.into.absolute())
    if options.remove:
        gone = folder.remove_all()
        _tell(f"removed from {folder.path}: {', '.join(gone) or 'nothing but the record'}")
        return 0
    if options.wheels is not None and not options.wheels.is_dir():
        raise PianoHandsError("no-folder", f"There is no folder {options.wheels}.", "Give one that holds wheels.")
    environment = _make_environment(options, folder)
    if "command" in options.extras:
        _tell(f"The command for use from afar: {environment.add_command()} serve")
    if "s2c" in options.extras:
        files = experiment(options.address, options.experiment)
        _tell(f"S2C's checkpoint from {options.address}: {len(files)} files, {_size(sum(file.size for file in files))}.")
        _tell(f"Imported into {add_checkpoint(folder, files, keep_originals=options.keep_originals, tell=_tell)}")
    _tell(f"The full level is ready in {folder.path}. In Blender, press Look Again, or restart it.")
    return 0


def _make_environment(options: argparse.Namespace, folder: SetupFolder) -> Environment:
    build, why = _chosen(options.build)
    sources = Sources(options.index_url, options.wheels.absolute() if options.wheels else None)
    _tell(f"torch {build.words}: {why}.")
    has = size_of(folder.path / places.ENVIRONMENT) if places.ENVIRONMENT in folder.made else 0
    _tell(f"To fetch: about {_size(build.download)}. On the disk: about {_size(build.disk)}, of which {_size(has)} are there.")
    environment = Environment(folder, build, pins.read_pins(), sources, _tell)
    environment.make()
    _tell(f"On the disk: {_size(size_of(folder.path / places.ENVIRONMENT))}.")
    return environment


def _chosen(name: str | None) -> tuple[Build, str]:
    return (BUILDS[name], "as you asked") if name else fitting(Machine.this())


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 950_000_000 else f"{count / 1e6:.0f} MB"


def _tell(line: str) -> None:
    print(line, flush=True, file=sys.stdout)
