# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend evaluate`: the paper's measures of a checkpoint on a split. torch is imported only when it runs."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.terminal import ProgressBar

from .. import config
from ..data.layout import FPS

if TYPE_CHECKING:
    from ..data.cache import Cache
    from ..data.dataset import Cut, Window
    from ..s2c.model import S2CModel
    from .autoencoder import GestureAutoencoder
    from .evaluate import Maker

NEEDED = (*config.FULL_LEVEL, "scipy", "sklearn")
MODEL, MEAN, RECORDED = "model", "mean pose", "recorded"
_AUTOENCODER_STEPS, _AUTOENCODER_CLIPS, _APART = 2000, 4096, 60  # steps of training, clips at most, frames between them
_MEAN_OF = 500  # items of the training split


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "evaluate",
        help="measure how good a checkpoint's motion is",
        description="FID, FGD, WGD, PD and smoothness as published and put right, mean and spread over seeds; "
        "contact with the keys before and after the solve.",
        epilog="example: python -m backend evaluate --checkpoint DIR --data PianoMotion10M --split valid --out report",
    )
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="DIR", help="ours, or the published layout")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set")
    parser.add_argument(
        "--beside",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="another checkpoint, in a row of that name; may be repeated",
    )
    parser.add_argument("--split", choices=("train", "valid", "test"), default="valid", help="(valid)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], metavar="N", help="of the noise (0 1 2)")
    parser.add_argument("--windows", type=int, metavar="N", help="at most so many of the split's items, the first window of each")
    parser.add_argument("--steps", type=int, default=25, metavar="N", help="of the sampler (25)")
    parser.add_argument("--sampler", choices=("dpm", "ddim", "ancestral"), default="dpm", help="ancestral: all steps (dpm)")
    parser.add_argument("--uploaders", nargs="+", default=[], metavar="ID", help="these alone")
    parser.add_argument(
        "--autoencoder", type=Path, metavar="FILE", help="for FGD: the published .bin, or ours (else one is trained)"
    )
    parser.add_argument("--contact", type=int, default=8, metavar="N", help="windows whose contact is measured (8; 0: none)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where decoded items are kept (DIR/cache of the data set)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps (auto)")
    parser.add_argument("--out", type=Path, metavar="NAME", help="write NAME.json and NAME.md")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    config.require(NEEDED, "Evaluation needs")
    from ..data.cache import Cache
    from ..data.dataset import Cut, bad_data, items_of
    from ..s2c import checkpoint
    from ..training.validation import first_windows
    from .evaluate import Evaluator, Motions, given, mean_pose
    from .report import markdown

    beside = dict(map(_named, options.beside))
    bar = ProgressBar()
    model = checkpoint.load(options.checkpoint)
    cache, cut = Cache.of(options.data, options.cache), Cut(model.config.frames)
    cache = replace(cache, silent=model.config.reads_notes)
    windows = list(first_windows(cache, items_of(options.data, options.split, uploaders=options.uploaders)[: options.windows], cut))
    if not windows:
        raise bad_data(f"No item of {options.split}.txt has a whole window.")
    learned = [window.frames for window in first_windows(cache, items_of(options.data, "train")[:_MEAN_OF], cut)]
    recorded = Motions.recorded(windows)
    makers: dict[str, Maker] = {MODEL: _maker(model, windows, options, bar)}
    for name, folder in beside.items():
        makers[name] = _maker(checkpoint.load(folder), windows, options, bar)
    makers[MEAN] = mean_pose(learned or [window.frames for window in windows], recorded)
    evaluator = Evaluator(windows, _autoencoder(options, cache, cut, bar))
    rows = {name: evaluator.measure(make, options.seeds[:1] if name == MEAN else options.seeds) for name, make in makers.items()}
    _add_contact(rows, makers | {RECORDED: given(recorded)}, windows, options)
    bar.end()
    report = {
        "checkpoint": str(options.checkpoint),
        "split": options.split,
        "windows": len(windows),
        "seconds": cut.seconds,
        "seeds": options.seeds,
        "steps": options.steps,
        "sampler": options.sampler,
        "rows": rows,
    }
    text = markdown(report)
    print(text, end="")
    if options.out:
        _write(options.out.with_name(f"{options.out.name}.json"), json.dumps(report, indent=1) + "\n")
        _write(options.out.with_name(f"{options.out.name}.md"), text)
    return 0


def _named(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise PianoHandsError("bad-setting", f"{text!r} is no NAME=DIR.", "Give such as --beside untrained=RUN/latest.")
    return name, Path(folder)


def _maker(model: "S2CModel", windows: "Sequence[Window]", options: argparse.Namespace, bar: ProgressBar) -> "Maker":
    from ..device import resolve
    from ..s2c.scheduler import SamplerKind
    from ..training.conditioning import heard_window
    from .evaluate import Generated

    if model.config.frames != windows[0].frames.shape[1]:
        raise PianoHandsError("bad-setting", "The checkpoints have windows of different lengths.", "Evaluate them apart.")
    return Generated(
        model.to(resolve(options.device).torch),
        windows,
        heard_window(model.config, options.data),
        options.steps,
        sampler=SamplerKind(options.sampler),
        tell=partial(bar.report, "sampling"),
    )


def _autoencoder(options: argparse.Namespace, cache: "Cache", cut: "Cut", bar: ProgressBar) -> "GestureAutoencoder":
    """The one named, or ours, which is trained where it is not in the cache yet."""
    from . import autoencoder

    path = options.autoencoder or cache.folder / f"gesture_autoencoder_{cut.frames}.safetensors"
    if not path.exists() and not options.autoencoder:
        autoencoder.save(_trained(cache, cut, _AUTOENCODER_STEPS, 0, bar), path)
    made = autoencoder.load(path)
    if (made.frames, made.channels) != (cut.frames, autoencoder.CHANNELS):
        raise PianoHandsError(
            "bad-setting",
            f"{path.name} takes {made.frames} frames of {made.channels} numbers, and the checkpoint makes {cut.frames}.",
            "Name another one with --autoencoder, or none: then one is trained.",
        )
    return made


def _trained(cache: "Cache", cut: "Cut", steps: int, seed: int, bar: ProgressBar) -> "GestureAutoencoder":
    """On windows of the training split."""
    import numpy as np

    from ..data.dataset import items_of, usable
    from ..data.layout import POSE
    from ..training.features import every_window
    from . import autoencoder

    items, _ = usable(cache, items_of(cache.root, "train"), cut)
    windows = islice(every_window(cache, items, replace(cut, stride=_APART)), _AUTOENCODER_CLIPS)
    clips = [window.frames[..., POSE].swapaxes(0, 1).reshape(cut.frames, -1) for window in windows]
    return autoencoder.fit(
        np.stack(clips) if clips else np.zeros((0, cut.frames, autoencoder.CHANNELS)),
        steps=steps,
        seed=seed,
        tell=lambda done, total, loss: bar.report("autoencoder", done, total),
    )


def _add_contact(
    rows: dict[str, dict[str, Any]], makers: "Mapping[str, Maker]", windows: "Sequence[Window]", options: argparse.Namespace
) -> None:
    """To each row, of the first seed's motion; what was recorded gets a row of its own."""
    from .playing import contact, played_windows

    seconds = windows[0].frames.shape[1] / FPS
    played = list(played_windows(options.data, windows, seconds=seconds, most=options.contact))
    for name, make in makers.items() if played else ():
        rows.setdefault(name, {})["contact"] = contact(make(options.seeds[0]), played)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_failed(path, error) from error


def add_autoencoder(stages: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`train autoencoder`."""
    parser = stages.add_parser("autoencoder", help="the gesture autoencoder that FGD compares by")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the data set")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.safetensors", help="where it goes")
    parser.add_argument("--steps", type=int, default=_AUTOENCODER_STEPS, metavar="N", help=f"({_AUTOENCODER_STEPS})")
    parser.add_argument("--frames", type=int, default=240, metavar="N", help="of a clip, at 30 a second (240)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(0)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where decoded items are kept (DIR/cache of the data set)")
    parser.set_defaults(run=_train_autoencoder)


def _train_autoencoder(options: argparse.Namespace) -> int:
    config.require(NEEDED, "Training needs")
    from ..data.cache import Cache
    from ..data.dataset import Cut
    from ..device import set_threads
    from . import autoencoder

    set_threads()
    bar = ProgressBar()
    if options.output.suffix != ".safetensors":
        raise PianoHandsError("bad-setting", f"{options.output.name} does not end with .safetensors.", "Give such a name.")
    cache, cut = Cache.of(options.data, options.cache), Cut(options.frames)
    autoencoder.save(_trained(cache, cut, options.steps, options.seed, bar), options.output)
    bar.end()
    print(options.output)
    return 0
