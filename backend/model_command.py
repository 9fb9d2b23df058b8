# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands about S2C's checkpoints: verify-reference and import-checkpoint. torch is imported only when one of them runs."""

import argparse
import importlib.util
from pathlib import Path

from s2c_blender.wire.errors import PianoHandsError


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "verify-reference",
        help="compare our S2C with numbers recorded from the published code",
        description="Compare every stage with DIR/outputs.npz; fails where an absolute error exceeds 1e-4.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="an experiment with inputs.npz and outputs.npz")
    parser.set_defaults(run=_verify)
    parser = commands.add_parser(
        "import-checkpoint",
        help="turn published S2C checkpoints into our own format",
        description="Read args.txt, args_posi.txt and both .ckpt files, and write a folder of safetensors files.",
    )
    parser.add_argument("experiment", type=Path, metavar="EXPERIMENT_DIR", help="the published layout")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="a new folder")
    parser.add_argument("--precision", choices=("fp16", "fp32"), default="fp16", help="of the numbers (fp16)")
    parser.set_defaults(run=_import)


def require_full_level() -> None:
    """Raises PianoHandsError('no-torch')."""
    missing = [name for name in ("torch", "transformers", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise PianoHandsError(
            "no-torch",
            f"S2C needs {', '.join(missing)}, which this Python has not.",
            "Use a Python environment with the packages of the group 'full' in pyproject.toml (build.py test makes one).",
        )


def _verify(options: argparse.Namespace) -> int:
    require_full_level()
    from .device import set_threads
    from .s2c.verify import verify

    set_threads()
    return 0 if verify(options.folder) else 1


def _import(options: argparse.Namespace) -> int:
    require_full_level()
    from .s2c.import_checkpoint import import_checkpoint

    import_checkpoint(options.experiment, options.output.absolute(), precision=options.precision, tell=print)
    print(options.output)
    return 0


def generate(options: argparse.Namespace) -> int:
    """A WAV recording to a clip. Raises PianoHandsError, Cancelled."""
    require_full_level()
    if options.checkpoint is None:
        raise PianoHandsError("bad-setting", "S2C needs a checkpoint.", "Name it with --checkpoint DIR.")
    from dataclasses import replace

    from s2c_blender.wire.terminal import ProgressBar

    from . import config, device, pipeline
    from .listen.recording import read_wav
    from .s2c import checkpoint, take
    from .s2c.config import SAMPLE_RATE
    from .s2c.mano import read_mano
    from .s2c.sampler import Listening

    pipeline.check_writable(options.output.absolute())
    convention = read_mano(options.mano).convention if options.mano else None
    sound = read_wav(options.piece, rate=SAMPLE_RATE, seconds=options.seconds)
    place = device.resolve()
    model = take.move(checkpoint.load(options.checkpoint), place)
    settings = take.SamplingSettings(seed=options.seed, steps=options.steps)
    bar = ProgressBar()
    try:
        listening = Listening(report=lambda done, total: bar.report("sampling", done, total), cancelled=bar.cancelled)
        sampled = take.sample_take(model, sound, settings, device=place, listening=listening)
    finally:
        bar.end()
    made = {"prior": "s2c", "seed": options.seed, "steps": options.steps, "version": config.version(), "input": options.piece.name}
    made |= {"mean_pose": options.mano.name if options.mano else "own"}
    replace(take.to_clip(sampled, fps=options.fps, convention=convention), made=made).save(options.output)
    print(options.output)
    return 0
