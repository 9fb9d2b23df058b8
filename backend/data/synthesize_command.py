# SPDX-License-Identifier: GPL-3.0-or-later
"""`data synthesize`: many processes that each make their share of the items; what is whole is kept when it is started again."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.terminal import ProgressBar

from ..config import ROOT
from .synthesize import LONGEST, SHORTEST, Recipe, begin, item, make, write_splits

_USUAL = (SHORTEST + LONGEST) / 2
_LOOK = 0.5  # seconds between two looks at what is done


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "synthesize",
        help="make a data set in the published layout: motions that are made, not recorded",
        description="From MIDI files, and exercises drawn by chance, make performances, their sound, and two hands' motion by the "
        "planner and the solve, as the camera of S2C's data would see them. Can be stopped and started again.",
        epilog="example: python -m backend data synthesize scores -o made --hours 10",
    )
    parser.add_argument("scores", type=Path, nargs="?", metavar="SCORES", help="a folder of MIDI files (exercises alone)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="where the data set goes")
    parser.add_argument("--hours", type=float, required=True, metavar="H", help="how much of it")
    parser.add_argument("--seed", type=int, default=0, help="another number, another data set (0)")
    parser.add_argument(
        "--written", type=float, default=0.6, metavar="0..1", help="share of the scores; the rest are exercises (0.6)"
    )
    parser.add_argument(
        "--camera", choices=("random", "still"), default="random", help="one for each item, or one for all (random)"
    )
    parser.add_argument("--no-audio", action="store_true", help="no sound")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (as many as cores)")
    parser.add_argument("--share", type=int, nargs=3, help=argparse.SUPPRESS)  # first, last, step: what a process is started with
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    recipe, folder = _recipe(options), options.output.absolute()
    if options.share:
        for number in range(*options.share):
            make(folder, number, recipe)
        return 0
    begin(folder, recipe)
    jobs = options.jobs or _cores()
    bar = ProgressBar()
    began, made = time.monotonic(), 0.0
    count, seconds, before = 0, 0.0, _seconds_there(folder)
    try:
        while seconds < options.hours * 3600:
            count += max(round((options.hours * 3600 - seconds) / _USUAL), 1)
            _make_all(count, jobs, options=options, bar=bar)
            seconds = sum(float(make(folder, number, recipe)["seconds"]) for number in range(count))
    finally:
        bar.end()
        splits = write_splits(folder)
    made = _seconds_there(folder) - before
    took = time.monotonic() - began
    print(f"{folder}: {seconds / 3600:.2f} hours; " + ", ".join(f"{number} items in {name}" for name, number in splits.items()))
    if made:
        print(f"{made / 3600:.2f} hours made in {took:.0f} s by {jobs} processes: {made / took:.1f} times faster than real time")
    return 0


def _recipe(options: argparse.Namespace) -> Recipe:
    """Raises PianoHandsError('bad-setting', 'no-file')."""
    if not 0.0 < options.hours <= 10_000.0 or not 0.0 <= options.written <= 1.0:
        raise PianoHandsError("bad-setting", "Hours must be above 0, and the written share from 0 to 1.", "Choose others.")
    scores: tuple[Path, ...] = ()
    if options.scores is not None:
        scores = tuple(sorted(path for path in options.scores.rglob("*") if path.suffix.lower() in (".mid", ".midi")))
        if not scores:
            raise PianoHandsError("no-file", f"There are no MIDI files in {options.scores}.", "Choose another folder, or none.")
    return Recipe(scores, options.seed, options.written, options.camera, not options.no_audio)


def _make_all(count: int, jobs: int, *, options: argparse.Namespace, bar: ProgressBar) -> None:
    """Items 0 to count, each process every `jobs`-th. Raises PianoHandsError("failed")."""
    folder = options.output.absolute()
    command = [sys.executable, "-m", "backend", "data", "synthesize", *_words(options), "--share"]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*command, str(first), str(count), str(jobs)], cwd=ROOT, env=alone) for first in range(min(jobs, count))
    ]
    try:
        while any(process.poll() is None for process in running):
            bar.report("making", sum(item(folder, number).made.exists() for number in range(count)), count)
            time.sleep(_LOOK)
    finally:
        for process in running:
            process.terminate()
            process.wait()
    if any(process.returncode for process in running):
        raise PianoHandsError(
            "failed",
            "A process that made items has failed.",
            "See what it said above; start it again to go on with what is missing.",
        )


def _words(options: argparse.Namespace) -> list[str]:
    """The command line that says what the options say."""
    words = [] if options.scores is None else [str(options.scores.absolute())]
    for name in ("hours", "seed", "written", "camera"):
        words += [f"--{name}", str(getattr(options, name))]
    return [*words, "-o", str(options.output.absolute()), *(["--no-audio"] if options.no_audio else [])]


def _seconds_there(folder: Path) -> float:
    import json

    return sum(float(json.loads(path.read_text(encoding="utf-8"))["seconds"]) for path in (folder / "made").glob("*.json"))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
