# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend batch`: many pieces and recordings, by Ray."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.options import add_prior, prior_values
from s2c_blender.wire.terminal import ProgressBar

if TYPE_CHECKING:
    from .batch import Outcome


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "batch",
        help="turn many MIDI files and recordings into clips",
        description="Play every input, on all cores or on a Ray cluster that sees the same files. What is done is kept when it is "
        "started again; an input that cannot be played is named at the end and does not stop the others.",
        epilog="example: python -m backend batch pieces --out takes --prior s2c",
    )
    parser.add_argument("inputs", type=Path, nargs="+", metavar="INPUTS", help="MIDI files, recordings, folders of them")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the clips go")
    parser.add_argument("--ray-address", metavar="ADDRESS", help="a running Ray (one of this machine's own)")
    parser.add_argument("--workers", type=int, metavar="N", help="pieces at a time, without --ray-address (as many as cores)")
    parser.add_argument(
        "--retries", type=int, default=3, metavar="N", help="times that a piece is tried again when a worker dies (3)"
    )
    parser.add_argument("--gpu", type=float, default=0.0, metavar="0..1", help="share of a GPU that a piece takes (0)")
    parser.add_argument("--fps", type=float, default=60.0, help="frames a second of the scenes (60)")
    parser.add_argument("--seed", type=int, default=0, help="another number, other performances (0)")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of each")
    add_prior(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Fails where an input failed."""
    from s2c_blender.wire.messages import Generate

    from . import batch

    out = options.out.absolute()
    pieces = batch.find(options.inputs, out)
    asked = Generate(
        job="batch",
        input="",
        output="",
        fps=options.fps,
        seed=options.seed,
        seconds=options.seconds,
        **prior_values(options),
    )
    cluster = batch.Cluster(options.ray_address, options.workers, options.retries, options.gpu)
    bar = ProgressBar()

    def tell(outcome: "Outcome", done: int, total: int) -> None:
        bar.report("playing", done, total)

    try:
        outcomes = batch.run(pieces, asked, cluster, out=out, tell=tell)
    finally:
        bar.end()
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in ("made", "there", "failed")}
    for outcome in outcomes:
        if outcome.state == "failed":
            print(f"failed: {outcome.input}: {outcome.message}", file=sys.stderr)
    print(f"{counts['made']} made, {counts['there']} there before, {counts['failed']} failed: {out}")
    return 1 if counts["failed"] else 0
