# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m backend draw`: takes, or items of a data set and predictions, as a video with sound."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.terminal import ProgressBar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from s2c_blender.wire.clip import Clip

    from .film import Sound


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "draw",
        help="draw takes, or a data set's motion and a checkpoint's beside it, as a video with sound",
        description="Draw takes (.npz) one above the other; or an item of a data set, and below it what a checkpoint makes of it.",
        epilog="examples: python -m backend draw take.npz -o take.mp4; "
        "python -m backend draw --data DIR --split valid --number 3 --checkpoint CHECKPOINT -o compared.mp4",
    )
    parser.add_argument("takes", type=Path, nargs="*", metavar="TAKE.npz", help="takes, from the top down")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.mp4", help="where the video goes")
    parser.add_argument("--sound", type=Path, metavar="FILE", help="what is heard (the item's sound, or the notes)")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds")
    parser.add_argument("--data", type=Path, metavar="DIR", help="a data set, of which one item is drawn")
    parser.add_argument("--split", default="valid", help="of the data set (valid)")
    parser.add_argument("--number", type=int, default=0, metavar="N", help="which item of the split, from 0 (0)")
    parser.add_argument("--checkpoint", type=Path, metavar="PATH", help="whose prediction is drawn below the item")
    parser.add_argument("--seed", type=int, default=0, help="of the prediction (0)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    from ..pipeline import check_writable
    from .film import panels_of, write_film

    if bool(options.takes) == bool(options.data) or (options.checkpoint and not options.data):
        raise PianoHandsError("bad-setting", "Nothing says what to draw.", "Name takes; or --data, and --checkpoint with it.")
    output = options.output.absolute()
    check_writable(output)
    bar = ProgressBar()
    try:
        clips, heard = _of_takes(options) if options.takes else _of_data(options, bar)
        seconds = max(float(clip.times[-1]) for clip in clips)
        seconds = seconds if options.seconds is None else min(seconds, options.seconds)
        sound = _sound(options.sound or heard, clips[0])
        write_film(
            output, panels_of(clips), seconds=seconds, sound=sound, tell=lambda done, total: bar.report("drawing", done, total)
        )
    finally:
        bar.end()
    print(output)
    return 0


def _of_takes(options: argparse.Namespace) -> "tuple[list[Clip], None]":
    from s2c_blender.wire.clip import Clip

    return [Clip.load(path) for path in options.takes], None


def _of_data(options: argparse.Namespace, bar: ProgressBar) -> "tuple[list[Clip], Path | None]":
    from . import sample

    if options.checkpoint:
        sample.check_checkpoint(options.checkpoint)
    item = sample.item_of(options.data, options.split, options.number)
    clip, score = sample.recorded(options.data, item, seconds=options.seconds)
    clips = [clip]
    if options.checkpoint:
        clips.append(sample.predicted(options.data, item, score, options.checkpoint, bar, seed=options.seed))
    heard = item.audio(options.data)
    return clips, heard if heard.exists() else None


def _sound(path: Path | None, clip: "Clip") -> "Sound | None":
    from .film import RATE

    if path is not None:
        from ..listen.audio import mono_blocks

        return mono_blocks(path, rate=RATE)
    return _of_notes(clip) if clip.score.notes else None


def _of_notes(clip: "Clip") -> "Iterator[NDArray[np.float32]]":
    from ..listen.synth import Instrument, sound_of
    from .film import RATE

    for block in sound_of(clip.score, sample_rate=RATE, instrument=Instrument()):
        yield block.mean(axis=0)
