# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of command lines that make takes: which prior, what S2C needs, and the sound that goes with notes."""

import argparse
from pathlib import Path
from typing import Any, get_args

from .messages import DEFAULT_STEPS, Compatibility, Prior


def prior_values(options: argparse.Namespace) -> dict[str, Any]:
    """What `add_prior` read, as a Generate message has it; `recording` is not among it."""
    return {
        "prior": options.prior,
        "checkpoint": str(options.checkpoint.absolute()) if options.checkpoint else None,
        "mano": str(options.mano.absolute()) if options.mano else None,
        "steps": options.steps,
        "compatibility": options.compatibility,
        "draft": options.draft,
        "on_keys": options.on_keys,
        "raw": options.raw,
    }


def add_prior(parser: argparse.ArgumentParser) -> None:
    """As in a Generate message; `recording`, `checkpoint` and `mano` are Paths or None."""
    parser.add_argument(
        "--prior",
        choices=get_args(Prior),
        default="planner",
        help="whose motion: planner works it out from the notes, s2c generates it from the sound (planner)",
    )
    parser.add_argument(
        "--recording",
        type=Path,
        metavar="FILE",
        help="for a MIDI file: sound of it, to which it is aligned, and to which s2c listens",
    )
    parser.add_argument(
        "--draft", action="store_true", help="for a recording: hear its notes in a hurry, by basic-pitch, with more mistakes"
    )
    parser.add_argument("--checkpoint", type=Path, metavar="DIR", help="for s2c: the folder that import-checkpoint wrote")
    parser.add_argument("--mano", type=Path, metavar="FILE", help="for s2c: your MANO_RIGHT.pkl, whose mean pose it builds on")
    parser.add_argument(
        "--steps", type=int, default=DEFAULT_STEPS, metavar="N", help=f"for s2c: steps of the sampling ({DEFAULT_STEPS})"
    )
    parser.add_argument(
        "--compatibility",
        choices=get_args(Compatibility),
        default="none",
        help="for s2c: reference does what the published scripts do, their slips included (none)",
    )
    parser.add_argument(
        "--on-keys",
        type=float,
        default=1.0,
        metavar="0..1",
        help="for s2c: from fingers exactly as generated, with only the hands put over the keyboard, to on the keys (1)",
    )
    parser.add_argument(
        "--raw", action="store_true", help="for s2c: the take as it is generated; no notes are found, and the keys stay at rest"
    )
