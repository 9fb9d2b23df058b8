# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole recipe of the weights that ship: made motions, training, evaluation on pieces that were held out, files put in place.

python -m tests.bench.small_weights SCORES [--work DIR] [--hours 4] [--steps 8000] [--set NAME=VALUE] [--evaluate-only]

Stopped and started again it goes on where it was. SCORES: a folder of MIDI files; every fourth is held out. Writes
backend/s2c/weights/small.safetensors, docs/small_s2c.md and .json (the evaluation, with the weights that were there before in a row
of their own) and docs/small_s2c_loss.png. It trains on a GPU where there is one; more windows at a time then cost nothing:
--set batch=64 --set workers=8.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from backend.data.synthesize import Recipe
from backend.s2c import checkpoint
from backend.training.journal import read_lines
from backend.training.loop import fresh_model

from .curve import draw_curves

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "backend" / "s2c" / "weights" / "small.safetensors"
DOCS = ROOT / "docs"
_HELD_HOURS = 0.8  # of motion to be judged by: each take is held in one way, and few ways say little
_SMOOTH = 50  # steps that a point of the picture is the mean of


def main() -> int:
    """Returns 0 when all of it has worked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, metavar="SCORES", help="a folder of MIDI files")
    parser.add_argument("--work", type=Path, default=Path("out/small_s2c"), metavar="DIR", help="for what is made meanwhile")
    parser.add_argument("--hours", type=float, default=4.0, metavar="H", help="of motion to learn from (4)")
    parser.add_argument("--steps", type=int, default=8000, metavar="N", help="of training (8000)")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="another setting of the training")
    parser.add_argument("--evaluate-only", action="store_true", help="take the weights as far as they have been trained")
    options = parser.parse_args()
    work = options.work.absolute()
    data, held = work / "data", work / "heldout"
    usual = ("--camera", "still", "--no-audio")
    _run("data", "synthesize", options.scores, "-o", data, "--hours", options.hours, "--seed", 7, *usual)
    judged = ("--hours", _HELD_HOURS, "--seed", 8, "--written", 0.8)
    _run("data", "synthesize", _held_out(options.scores, work), "-o", held, *judged, *usual)
    if not options.evaluate_only:
        settings = [word for setting in (f"steps={options.steps}", *options.set) for word in ("--set", setting)]
        _run("train", "notes", "--data", data, "-o", work / "run", *settings)
    model = checkpoint.load(work / "run" / "latest")
    about = dict(checkpoint.read_manifest(work / "run" / "latest").about)
    about["data"] = json.loads((data / "recipe.json").read_text(encoding="utf-8")) | {"hours": options.hours}
    before, untrained = work / "before.safetensors", work / "untrained.safetensors"
    if not before.exists():
        shutil.copy(WEIGHTS, before)
    checkpoint.save_small(model, WEIGHTS, about=about)
    checkpoint.save_small(fresh_model(model.config, 1), untrained, about={})
    steps = read_lines(work / "run")
    draw_curves(
        DOCS / "small_s2c_loss.png",
        {name: _smooth([line[f"train/{name}"] for line in steps if f"train/{name}" in line]) for name in ("gesture", "position")},
    )
    # Every split of the held-out data is made from pieces that were not trained on; this one is the largest.
    _run(
        "evaluate",
        "--checkpoint",
        WEIGHTS.relative_to(ROOT),
        "--beside",
        f"before={before}",
        "--beside",
        f"untrained={untrained}",
        "--data",
        held,
        "--split",
        "train",
        "--steps",
        16,
        "--out",
        DOCS / "small_s2c",
    )
    return 0


def _run(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "backend", *map(str, words)], cwd=ROOT, check=True)


def _held_out(scores: Path, work: Path) -> Path:
    """A folder with the pieces that the training split is not made from."""
    folder = work / "heldout_scores"
    folder.mkdir(parents=True, exist_ok=True)
    found = tuple(sorted(path for path in scores.rglob("*") if path.suffix.lower() in (".mid", ".midi")))
    for path in Recipe(found).pieces("valid"):
        shutil.copy(path, folder)
    return folder


def _smooth(values: list[float]) -> np.ndarray:
    wide = min(_SMOOTH, max(len(values), 1))
    return np.convolve(values, np.ones(wide) / wide, mode="valid")


if __name__ == "__main__":
    sys.exit(main())
