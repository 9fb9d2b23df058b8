# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend train position` and `train gesture`. torch is imported only when one of them runs."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.terminal import ProgressBar

from .. import config
from ..evaluation.command import add_autoencoder

if TYPE_CHECKING:
    from ..s2c.config import ModelConfig
    from ..s2c.model import S2CModel
    from .loop import Places

NEEDED = (*config.FULL_LEVEL, "accelerate", "tensorboardX")


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("train", help="train S2C: positions first, then gestures")
    stages = parser.add_subparsers(title="stages", required=True, metavar="STAGE", dest="stage")
    for stage, what in (
        ("position", "stage one: where the wrists are"),
        ("gesture", "stage two: the denoisers of both hands"),
        ("notes", "a small model that reads notes instead of listening"),
    ):
        add = stages.add_parser(
            stage,
            help=what,
            description=f"Train {what}. The same command again goes on where it stopped. "
            "On many processors or machines: accelerate launch -m backend train ...",
        )
        add.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set")
        add.add_argument("-o", "--output", type=Path, required=True, metavar="RUN", help="folder of this run")
        add.add_argument("--checkpoint", type=Path, metavar="DIR", help="the model to begin with")
        add.add_argument("--config", type=Path, metavar="FILE.toml", help="settings over the paper's, and the model's sizes")
        add.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="one setting; may be repeated")
        add.add_argument("--cache", type=Path, metavar="DIR", help="where decoded items are kept (DIR/cache of the data set)")
        add.add_argument("--device", choices=("auto", "cpu"), default="auto", help="cpu: even where there is a GPU (auto)")
        if stage == "position":
            add.add_argument("--encoder", type=Path, metavar="DIR", help="a pretrained HuBERT or wav2vec 2.0 of transformers")
        add.set_defaults(run=run)
    add_autoencoder(stages)


def run(options: argparse.Namespace) -> int:
    config.require(NEEDED, "Training needs")
    from ..device import set_threads
    from .config import Stage, read_config
    from .loop import Listening, Places, train

    training, sizes, own = read_config(Stage(options.stage), options.config, options.set)
    set_threads()
    places = Places(options.data, options.output, options.cache)
    if training.stage is Stage.NOTES and sizes is not None:
        sizes = _to_data(sizes, places, adjust=training.adjust)
    model = _model(options, sizes if own or not options.checkpoint else None, training.seed)
    first = os.environ.get("RANK", "0") == "0"  # of many processes, this one speaks
    bar = ProgressBar()
    listening = Listening(step=lambda done, total, loss: bar.report("training", done, total), tell=print) if first else None
    try:
        found = train(model, training, places, device=options.device, listening=listening)
    finally:
        bar.end()
    if not first:
        return 0
    print(", ".join(f"{name} {value:.4g}" for name, value in found.items()) or "done before")
    print(options.output)
    return 0


def _to_data(sizes: "ModelConfig", places: "Places", *, adjust: bool) -> "ModelConfig":
    from ..data.cache import Cache
    from .scaling import fitted

    cache = Cache.of(places.data, places.cache)
    return fitted(sizes, Cache(cache.root, cache.folder, adjust, silent=True))


def _model(options: argparse.Namespace, sizes: "ModelConfig | None", seed: int) -> "S2CModel":
    """The checkpoint's, or a fresh one, with a pretrained encoder if one is given."""
    from ..s2c import checkpoint
    from .loop import fresh_model

    if options.checkpoint:
        model = checkpoint.load(options.checkpoint)
        if sizes is not None and sizes != model.config:
            raise PianoHandsError(
                "bad-setting",
                f"The model in {options.checkpoint} has other sizes than [model] of {options.config}.",
                "Leave [model] out: the checkpoint's counts.",
            )
        return model
    if sizes is None:
        raise PianoHandsError(
            "bad-setting",
            "Nothing says what model is to be trained.",
            "Give the position stage's checkpoint with --checkpoint, or sizes in [model] of --config.",
        )
    model = fresh_model(sizes, seed)
    if getattr(options, "encoder", None):
        from .pretrained import load_encoder

        load_encoder(model, options.encoder)
    return model
