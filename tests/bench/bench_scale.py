# SPDX-License-Identifier: GPL-3.0-or-later
"""How time and memory of everything between notes and clip grow with a piece: python -m tests.bench.bench_scale [MINUTES ...].

The piece (--piece, default: the shipped one) is repeated until it is long enough. Each length runs in a process of its own.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from backend.perform import Settings, perform
from backend.perform.solve import PROCESSES
from backend.score import read_midi
from s2c_blender.wire.notes import Score

SHIPPED = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"


def main() -> int:
    """Prints a line for each length."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", nargs="*", type=float, default=[1.0, 10.0, 60.0], metavar="MINUTES")
    parser.add_argument("--piece", type=Path, default=SHIPPED, help="a MIDI file")
    parser.add_argument("--hand-size", type=float, default=22.0, metavar="CM")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _measure(options.piece, options.minutes[0], options.hand_size / 100.0)
        return 0
    print("minutes  notes   s per s of music  first frames after  peak MB")
    for minutes in options.minutes:
        command = [sys.executable, "-m", "tests.bench.bench_scale", str(minutes), "--one", "--piece", str(options.piece)]
        code = subprocess.run([*command, "--hand-size", str(options.hand_size)], check=False).returncode
        if code:
            return code
    return 0


def _measure(piece: Path, minutes: float, hand_size: float) -> None:
    score = _repeated(read_midi(piece), 60.0 * minutes)
    began = time.perf_counter()
    first: list[float] = []
    perform(score, Settings(hand_size=hand_size), preview=lambda *_: first.append(time.perf_counter() - began))
    took = time.perf_counter() - began
    own, helpers = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    peak = (own + (PROCESSES - 1) * helpers) * 1024.0 / 1e6  # of children the largest is known
    print(f"{minutes:7.1f} {len(score.notes):6d} {took / score.duration:18.3f} {first[0]:17.2f} s {peak:8.0f}", flush=True)


def _repeated(score: Score, seconds: float) -> Score:
    """The piece over and over, cut after `seconds`."""
    notes = []
    start = 0.0
    while start < seconds:
        notes += [replace(note, onset=note.onset + start, offset=note.offset + start) for note in score.notes]
        start += score.duration + 0.5
    return Score(tuple(note for note in notes if note.onset < seconds))


if __name__ == "__main__":
    sys.exit(main())
