# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands about S2C's checkpoints: verify-reference and import-checkpoint. torch is imported only when one of them runs."""

import argparse
from pathlib import Path

from . import config


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "verify-reference",
        help="compare our S2C with numbers recorded from the published code",
        description="Compare every stage with DIR/outputs.npz; fails where an absolute error exceeds 1e-4.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="an experiment with inputs.npz and outputs.npz")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1, mps or auto (cpu, by which the numbers were recorded)")
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


def _verify(options: argparse.Namespace) -> int:
    config.require()
    from .s2c.verify import verify

    return 0 if verify(options.folder, options.device) else 1


def _import(options: argparse.Namespace) -> int:
    config.require()
    from .s2c.import_checkpoint import import_checkpoint

    import_checkpoint(options.experiment, options.output.absolute(), precision=options.precision, tell=print)
    print(options.output)
    return 0
