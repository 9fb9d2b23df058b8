# SPDX-License-Identifier: GPL-3.0-or-later
"""What the solve makes of a generated motion: contact before and after, and how much of the motion is left.

python -m tests.bench.bench_prior FOLDER [--seconds 30] [--every 5] [--wrong 0.05] [--json FILE]

No trained weights are needed: each piece is played by the planner, filmed by the camera of S2C's data (as a perfect S2C would give
it back) and laid on the keys again. `before` is that motion over the keys, not solved. Each piece runs in a process of its own.
The last columns are seconds on the clock and of processor time, for fingering, registration and solve, a second of music.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
STYLES = (0.0, 0.5, 1.0)

Figures = dict[str, Any]

HEAD = (
    f"{'piece':38s}  note F1       frame F1      P95 ms  max ms  gap mm  pen P99, max mm  finger  joints  idle   wrist  tips"
    "   >8 Hz %      sure       scale err  s per s  work"
)


def main() -> int:
    """Prints a line for each piece and the means; returns 0 when every piece could be measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with .mid files, or one .mid file")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of each piece")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th piece")
    parser.add_argument("--wrong", type=float, default=0.0, metavar="0..1", help="share of the notes misheard, as many missing (0)")
    parser.add_argument("--noise", type=float, metavar="RADIANS", help="of each angle from frame to frame (the camera's own, 0.01)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _one(options)
    pieces = [options.folder] if options.folder.is_file() else sorted(options.folder.rglob("*.mid"))
    found: list[Figures] = []
    failed = 0
    print(HEAD)
    for piece in pieces[:: options.every]:
        with tempfile.TemporaryDirectory() as folder:
            record = Path(folder) / "figures.json"
            command = [
                sys.executable,
                "-m",
                "tests.bench.bench_prior",
                str(piece),
                "--one",
                str(record),
                "--wrong",
                str(options.wrong),
            ]
            for name in ("seconds", "noise"):
                if getattr(options, name) is not None:
                    command += [f"--{name}", str(getattr(options, name))]
            said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if not record.exists():
                failed += 1
                print(f"FAILED {piece.name}: {said.stderr.strip()[-400:]}", flush=True)
                continue
            found.append(json.loads(record.read_text(encoding="utf-8")))
        print(_line(found[-1]), flush=True)
    if found:
        print(_line(_mean(found)))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if failed else 0


def _one(options: argparse.Namespace) -> int:
    from backend.data.camera_model import random_camera
    from backend.from_notes import first_seconds
    from backend.perform import Settings, perform
    from backend.perform.likeness import likeness
    from backend.score import read_midi
    from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
    from tests.filmed import as_s2c, misheard

    score = read_midi(options.folder)
    score = score if options.seconds is None else first_seconds(score, options.seconds)
    seed = sum(options.folder.stem.encode())  # of its own for every piece, always the same
    camera = random_camera(np.random.default_rng(seed))
    camera = camera if options.noise is None else replace(camera, pose_noise=options.noise)
    raw = as_s2c(perform(score, Settings(style=STYLES[seed % 3], seed=seed)), camera, seed=seed)
    heard = misheard(score, wrong=options.wrong, missing=options.wrong, seed=seed) if options.wrong else score
    before = perform(heard, Settings(on_keys=0.0), prior=raw)
    began, worked = time.perf_counter(), time.process_time()
    after = perform(heard, prior=raw)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    fits = after.made["registration"].values()
    figures = {
        "piece": options.folder.stem,
        "likeness": asdict(likeness(before, after, hand_skeleton(load_hand_rig()))),
        "sure": [fit["confidence"] for fit in fits],
        "scale_error": [abs(fit["scale"] * camera.scale - 1.0) for fit in fits if fit["notes"]],
        "seconds_per_second": took / score.duration,
        "work_per_second": worked / score.duration,
        "contact": [_contact(clip) for clip in (before, after)],
    }
    options.one.write_text(json.dumps(figures), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # Blender's module may hang at the end


def _contact(clip: Any) -> Figures:
    import bpy

    from s2c_blender.scene.contact import measure_scene
    from s2c_blender.scene.stage import build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    with tempfile.TemporaryDirectory() as folder:
        build_stage(clip, Path(folder) / "take.npz")
        return measure_scene(bpy.context.scene, clip=clip).as_dict()


def _line(figures: Figures) -> str:
    before, after = figures["contact"]
    scores, fit, like = after["scores"], after["fit"], figures["likeness"]
    return (
        f"{figures['piece'][:38]:38s}  {before['scores']['notes']['f1']:.3f} {scores['notes']['f1']:.3f}"
        f"   {before['scores']['frames']['f1']:.3f} {scores['frames']['f1']:.3f}"
        f"   {1e3 * scores['timing_p95']:6.1f}  {1e3 * scores['timing_max']:6.1f}  {1e3 * fit['gap_p95']:6.2f}"
        f"     {1e3 * fit['penetration_p99']:5.2f}, {1e3 * fit['penetration_max']:5.2f}   {scores['right_finger'] or 0.0:.3f}"
        f"   {like['joints']:5.2f}  {like['idle']:5.2f}   {like['wrist_speed']:.3f}  {like['finger_speed']:.3f}"
        f"   {100 * like['fast_before']:4.1f} {100 * like['fast_after']:4.1f}"
        f"   {' '.join(f'{sure:.2f}' for sure in figures['sure'])}   {max(figures['scale_error'], default=0.0):9.3f}"
        f"  {figures['seconds_per_second']:.3f}  {figures['work_per_second']:.3f}"
    )


def _mean(found: list[Figures]) -> Figures:
    """Every figure's mean over the pieces."""

    def mean(values: list[Any]) -> Any:
        known = [value for value in values if value is not None]
        if known and isinstance(known[0], dict):
            return {name: mean([value.get(name) for value in known]) for name in known[0]}
        if known and isinstance(known[0], list):
            return [mean(list(column)) for column in zip(*known, strict=False)]
        numbers = [value for value in known if isinstance(value, int | float)]
        return float(np.mean(numbers)) if numbers else None

    return mean(found) | {"piece": "mean"}


if __name__ == "__main__":
    sys.exit(main())
