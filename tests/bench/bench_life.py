# SPDX-License-Identifier: GPL-3.0-or-later
"""How hands move over a folder of MIDI files, beside how people's do: speeds, spread, preparation, jitter, enslaving, variety.

python -m tests.bench.bench_life FOLDER [--seconds 60]. A star marks what is outside: a median beyond people's quartiles, a 95th
percentile more than a third from theirs, a share below its goal.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.perform import Settings, perform
from backend.score import read_midi
from s2c_blender.wire.notes import Score

from . import life_figures

Array = NDArray[np.float64]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Tracks of 419 pieces from overhead video, 20 Hz; right hand, left hand (percentiles 5 25 50 75 95 99).
HUMAN = {
    "wrist speed sideways m/s": ((0, 0.02, 0.06, 0.15, 0.62, 1.66), (0, 0.02, 0.02, 0.06, 0.21, 0.49)),
    "wrist speed in depth m/s": ((0, 0.02, 0.04, 0.07, 0.22, 0.39), (0, 0.02, 0.04, 0.06, 0.19, 0.41)),
    "tip speed sideways m/s": ((0, 0, 0.04, 0.15, 0.89, 2.4), (0, 0, 0.02, 0.08, 0.29, 0.80)),
    "thumb to little tip m": ((0.08, 0.12, 0.14, 0.16, 0.17, 0.18), (0.08, 0.10, 0.13, 0.16, 0.17, 0.18)),
    "wrist to middle tip m": ((0.147, 0.165, 0.171, 0.176, 0.184, 0.190),) * 2,
    "thumb behind middle tip m": ((np.nan, np.nan, 0.05, np.nan, np.nan, np.nan),) * 2,
    "wrist to thumb's side m": ((np.nan, np.nan, 0.02, np.nan, np.nan, np.nan),) * 2,
    "wrist to wrist m": ((0.17, 0.21, 0.27, 0.35, 0.50, 0.60),) * 2,
    "thumb to index m": (
        (0.004, 0.035, 0.055, 0.077, 0.11, np.nan),
        (0.01, 0.033, 0.047, 0.067, 0.086, np.nan),
    ),
}
_FINGERS = ("thumb", "index", "middle", "ring", "little")
_FOLLOWS = ((0.0, 0.05), (0.03, 0.15), (0.10, 0.25), (0.10, 0.25), (0.10, 0.25))  # goals: idle finger over playing neighbour
_CHANGES = {
    "style 0": Settings(style=0.0),
    "style 1": Settings(style=1.0),
    "seed 1": Settings(seed=1),
    "seed 2": Settings(seed=2),
    "span 0.18": Settings(hand_size=0.18),
    "span 0.24": Settings(hand_size=0.24),
}
_LEAST_CHANGE = 3.0  # degrees


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.mid"))
    samples: dict[str, list[list[Array]]] = defaultdict(lambda: [[], []])
    asked: list[list[Array]] = [[], []]
    runs: list[float] = []
    slow: list[float] = []
    steady_runs: list[float] = []
    steady_slow: list[float] = []
    turns: list[float] = []
    energy = np.zeros(2)
    pairs: dict[int, list[tuple[Array, Array]]] = defaultdict(list)
    for path in paths:
        clip = perform(_opening(path, options.seconds))
        own_runs, own_slow = life_figures.preparation(clip)
        steady = life_figures.preparation(clip, hand_moves=life_figures.STEADY_HAND)
        steady_runs, steady_slow = steady_runs + steady[0], steady_slow + steady[1]
        own_energy, own_turns = life_figures.fast_energy(clip), life_figures.trill_turns(clip)
        energy += own_energy
        runs, slow, turns = runs + own_runs, slow + own_slow, turns + own_turns
        for finger, pull, answer in life_figures.following(clip):
            pairs[finger].append((pull, answer))
        for name, values in life_figures.travel(clip).items():
            for side in (0, 1):
                samples[name][side].append(values[side])
        for side, values in enumerate(life_figures.asked_speed(clip)):
            asked[side].append(values)
        jitter = f"above 10 Hz {100 * own_energy[1] / max(own_energy[0], 1e-9):5.2f} %"
        print(f"{path.stem:40s} {jitter}   {_prepared(own_runs, own_slow)}   trills {len(own_turns)}", flush=True)
    print(f"all: above 10 Hz {100 * energy[1] / energy[0]:.2f} %   {_prepared(runs, slow)}")
    print(f"where the hand keeps its height:   {_prepared(steady_runs, steady_slow)}")
    print(
        f"forearm in {len(turns)} trills, degrees from strike to strike:", np.round(np.quantile(turns or [0], (0.1, 0.5, 0.9)), 1)
    )
    _print_following(pairs)
    _print_travel(samples)
    for word, values in zip(("right", "left"), asked, strict=True):
        print(
            f"{'notes ask at least m/s':26s} {word:5s}     ",
            *(f"{x:6.3f} " for x in np.quantile(np.concatenate(values), QUANTILES)),
        )
    _print_changes(paths[3::7], min(options.seconds, 12.0))


def _opening(path: Path, seconds: float) -> Score:
    whole = read_midi(path)
    return Score(tuple(note for note in whole.notes if note.onset < seconds), whole.pedal)


def _star(outside: bool) -> str:
    return "*" if outside else " "


def _prepared(runs: Sequence[float], slow: Sequence[float]) -> str:
    in_run = np.mean([0.7 <= tones <= 1.3 for tones in runs]) if runs else np.nan
    in_slow = np.mean([seconds <= 0.4 for seconds in slow]) if slow else np.nan
    return (
        f"highest 0.7-1.3 tones before: {in_run:.2f}{_star(in_run < 0.8)} of {len(runs):4d}"
        f"   within 0.4 s in slow music: {in_slow:.2f}{_star(in_slow < 0.8)} of {len(slow):4d}"
    )


def _print_following(pairs: dict[int, list[tuple[Array, Array]]]) -> None:
    print("idle finger's knuckle over its playing neighbours' (slope, goal):", end="")
    for finger, (low, high) in enumerate(_FOLLOWS):
        pull, answer = (np.concatenate(values) for values in zip(*pairs[finger], strict=True))
        slope = float(pull @ answer / max(pull @ pull, 1e-9))
        print(f"  {_FINGERS[finger]} {slope:.2f}{_star(not low <= slope <= high)}({low:.2f}-{high:.2f})", end="")
    print()


def _print_travel(samples: dict[str, list[list[Array]]]) -> None:
    print("percentiles", QUANTILES)
    for name, hands in samples.items():
        rows = [(word, np.concatenate(hands[side]), HUMAN[name][side]) for side, word in enumerate(("right", "left"))]
        # Which hand travels is the music's doing: both together say whether hands travel as people's do.
        rows.append(("both", np.concatenate([row[1] for row in rows]), _mixed(*(row[2] for row in rows))))
        for word, values, human in rows:
            ours = np.quantile(values, QUANTILES)
            median = ours[2] < human[1] or ours[2] > human[3]
            marks = [False, False, bool(median), False, bool(abs(ours[4] / human[4] - 1.0) > 1.0 / 3.0), False]
            print(f"{name:26s} {word:5s} ours", *(f"{x:6.3f}{_star(m)}" for x, m in zip(ours, marks, strict=True)), end="")
            print("  people", *(f"{x:6.3f}" for x in human))


def _mixed(right: Sequence[float], left: Sequence[float]) -> Array:
    """Quantiles of both hands taken together, from each hand's (between quantiles: straight)."""
    if np.isnan(right).any():
        return np.asarray(right, dtype=float)
    grid = np.linspace(0.0, max(right[-1], left[-1]), 20001)
    below = sum(np.interp(grid, np.maximum.accumulate(q) + 1e-9 * np.arange(6), QUANTILES) for q in (right, left)) / 2.0
    return np.interp(QUANTILES, below, grid)


def _print_changes(paths: Sequence[Path], seconds: float) -> None:
    scores = [_opening(path, seconds) for path in paths]
    usual = [perform(score) for score in scores]
    print(f"mean change of joints against the default, degrees, {len(paths)} pieces:", end="")
    for name, settings in _CHANGES.items():
        changes = [life_figures.joint_change(clip, perform(score, settings)) for clip, score in zip(usual, scores, strict=True)]
        print(
            f"  {name} {np.mean(changes):.2f}{_star(min(changes) < _LEAST_CHANGE)} (least {min(changes):.2f})", end="", flush=True
        )
    print()


if __name__ == "__main__":
    main()
