# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's command line. Work is imported only by the command that needs it, so that --help and hello come at once."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from s2c_blender.wire.errors import Cancelled, PianoHandsError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    # Before NumPy is imported: on small matrices BLAS threads only wait for each other (twice the work, measured).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(
        prog="python -m backend",
        description="From a MIDI file to two hands that play it, with NumPy and mido alone; from a recording with torch.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    arguments = sys.argv[1:] if arguments is None else arguments
    _add_commands(commands, arguments[0] if arguments else "")
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except PianoHandsError as error:
        print(f"error: {error.message}", error.hint, sep="\n  ", file=sys.stderr)
        return 1
    except (Cancelled, KeyboardInterrupt):
        print("cancelled; nothing was written", file=sys.stderr)
        return 130


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", wanted: str) -> None:
    """All of them, but for those that must answer at once, or with nothing installed: these alone."""
    if wanted == "serve":
        _add_serve(commands)
        return
    from . import doctor
    from .setup import command as setup

    setup.add_parser(commands)
    doctor.add_parser(commands)
    if wanted in ("setup", "doctor"):
        return
    from . import batch_command, compare_command, fingering_command, mesh_command, model_command
    from .data import command as data
    from .drawing import command as drawing
    from .evaluation import command as evaluation
    from .training import command as training

    _add_generate(commands)
    _add_sound(commands)
    _add_reassign(commands)
    _add_anew(commands)
    _add_serve(commands)
    fingering_command.add_parser(commands)
    compare_command.add_parser(commands)
    mesh_command.add_parser(commands)
    model_command.add_parsers(commands)
    data.add_parser(commands)
    training.add_parser(commands)
    batch_command.add_parser(commands)
    drawing.add_parser(commands)
    evaluation.add_parser(commands)


def _add_generate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from s2c_blender.wire.options import add_prior

    parser = commands.add_parser(
        "generate",
        help="turn a MIDI file or a recording into a clip (.npz) of two hands",
        description="Read a MIDI file, or hear the notes of a recording; find fingers and motion for both hands, and write a clip. "
        "Or let S2C listen.",
        epilog="examples: python -m backend generate piece.mid -o take.npz --audio take.wav; "
        "python -m backend generate recording.mp3 -o take.npz; "
        "python -m backend generate piece.mid --recording concert.flac -o take.npz; "
        "python -m backend generate recording.mp3 -o take.npz --prior s2c --checkpoint DIR; "
        "python -m backend generate piece.mid --recording concert.flac -o take.npz --prior s2c --checkpoint DIR",
    )
    parser.add_argument("piece", type=Path, metavar="INPUT", help="a MIDI file, or a recording: WAV, FLAC, MP3, OGG, M4A, MP4 ...")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="TAKE.npz", help="where the clip goes")
    parser.add_argument(
        "--fps", type=float, default=60.0, help="frames a second of the scene; hands carry keys at its multiple of at least 48 (60)"
    )
    parser.add_argument("--seed", type=int, default=0, help="another number, another performance (0)")
    parser.add_argument(
        "--hand-size", type=float, default=22.0, metavar="CM", help="span from thumb to little finger, stretched, in cm (22)"
    )
    parser.add_argument("--style", type=float, default=0.5, metavar="0..1", help="from calm to lively (0.5)")
    parser.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of the piece")
    parser.add_argument("--octave", type=float, default=164.5, metavar="MM", help="width of seven white keys in mm (164.5)")
    parser.add_argument("--audio", type=Path, metavar="OUT.wav", help="also write the sound, synthesised from the notes")
    add_prior(parser)
    parser.set_defaults(run=_generate)


def _add_sound(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "sound",
        help="make a MIDI file audible",
        description="Synthesise the sound of a MIDI file's notes.",
        epilog="example: python -m backend sound piece.mid -o piece.wav",
    )
    parser.add_argument("piece", type=Path, metavar="PIECE.mid", help="a MIDI file")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.wav", help="where the sound goes")
    parser.add_argument("--for-s2c", action="store_true", help="only where notes of it can be heard, and S2C run, here")
    parser.set_defaults(run=_sound)


def _sound(options: argparse.Namespace) -> int:
    from s2c_blender.wire.terminal import ProgressBar

    from . import config, pipeline
    from .from_notes import render
    from .score import read_midi

    if options.for_s2c:
        config.require()
        config.require(config.HEARING, "Hearing the notes of a recording needs")
    output = options.output.absolute()
    pipeline.check_writable(output)
    bar = ProgressBar()
    try:
        render(read_midi(options.piece), output, bar)
    finally:
        bar.end()
    print(output)
    return 0


def _add_reassign(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "reassign",
        help="give a note of a clip to another finger",
        description="Give one note of a clip to another finger or hand, and solve again only around it.",
        epilog="example: python -m backend reassign take.npz --note 12 --finger 3 -o other.npz",
    )
    parser.add_argument("take", type=Path, metavar="TAKE.npz", help="the clip")
    parser.add_argument("--note", type=int, required=True, metavar="N", help="the note's number in order of time, from 0")
    parser.add_argument("--finger", type=int, required=True, metavar="1..5", help="from thumb to little finger")
    parser.add_argument("--hand", choices=("left", "right"), help="the hand (the one that plays it)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NEW.npz", help="where the new clip goes")
    parser.set_defaults(run=_reassign)


def _add_anew(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from s2c_blender.wire.options import add_prior

    parser = commands.add_parser(
        "anew",
        help="make some bars of a clip anew and keep the rest",
        description="Make some bars of a clip anew, with another seed, style or prior, and keep the rest as it is.",
        epilog="examples: python -m backend anew take.npz --bars 5-8 --seed 3 -o other.npz; "
        "python -m backend anew take.npz --between 10 20 --prior s2c --recording music.wav --checkpoint DIR -o other.npz",
    )
    parser.add_argument("piece", type=Path, metavar="TAKE.npz", help="the clip")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="NEW.npz", help="where the new clip goes")
    part = parser.add_mutually_exclusive_group(required=True)
    part.add_argument("--bars", type=_bars, metavar="FIRST-LAST", help="bars, counted from 1, where the piece has them")
    part.add_argument("--between", type=float, nargs=2, metavar=("BEGIN", "END"), help="seconds")
    parser.add_argument("--seed", type=int, default=1, help="another number, another performance (1)")
    parser.add_argument("--style", type=float, default=0.5, metavar="0..1", help="from calm to lively (0.5)")
    add_prior(parser)
    parser.set_defaults(run=_anew)


def _bars(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    from . import config

    parser = commands.add_parser(
        "serve",
        help="answer the add-on: JSON lines in, JSON lines out",
        description="What the add-on starts: commands come as JSON lines on stdin, messages go as JSON lines to stdout.",
    )
    parser.add_argument(
        "--session", type=Path, default=Path(), metavar="DIR", help="folder in which a file cancel-JOB cancels a job (this one)"
    )
    parser.add_argument(
        "--idle",
        type=float,
        default=config.IDLE_SECONDS,
        metavar="N",
        help=f"seconds without a job after which a model's memory is given back ({config.IDLE_SECONDS:g})",
    )
    parser.set_defaults(run=_serve)


def _serve(options: argparse.Namespace) -> int:
    from . import server

    return server.serve(options.session, idle=options.idle)


def _reassign(options: argparse.Namespace) -> int:
    from s2c_blender.wire.clip import Clip
    from s2c_blender.wire.hands import HandSide

    from . import pipeline
    from .perform.reassign import reassign

    pipeline.check_writable(options.output.absolute())
    clip = Clip.load(options.take)
    known = 0 <= options.note < len(clip.score.notes)
    side = HandSide[options.hand.upper()] if options.hand else HandSide(int(clip.fingering.hand[options.note]) if known else 0)
    reassign(clip, {options.note: (side, options.finger)}).save(options.output)
    print(options.output)
    return 0


def _anew(options: argparse.Namespace) -> int:
    from s2c_blender.wire.clip import Clip

    score = Clip.load(options.piece).score
    begin, end = score.between_bars(*options.bars) if options.bars else options.between
    return _work(options, begin=begin, end=end)


def _generate(options: argparse.Namespace) -> int:
    return _work(
        options,
        audio_output=str(options.audio.absolute()) if options.audio else None,
        fps=options.fps,
        hand_size=options.hand_size / 100,
        seconds=options.seconds,
        octave=options.octave / 1000,
    )


def _work(options: argparse.Namespace, **asked: Any) -> int:
    """One job, with a bar of progress. `asked`: what of a Generate message only some commands know."""
    from s2c_blender.wire.messages import Generate
    from s2c_blender.wire.options import prior_values
    from s2c_blender.wire.terminal import ProgressBar

    from . import pipeline

    request = Generate(
        job="command-line",
        input=str(options.piece),
        output=str(options.output.absolute()),
        seed=options.seed,
        style=options.style,
        recording=str(options.recording.absolute()) if options.recording else None,
        **prior_values(options),
        **asked,
    )
    bar = ProgressBar()
    try:
        clip = pipeline.generate(request, bar)
    finally:
        bar.end()
    print(clip)
    return 0


if __name__ == "__main__":
    sys.exit(main())
