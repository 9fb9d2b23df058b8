# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line inside Blender or its Python module: a piece or recording by the operators to a scene, its pictures, its scores.

`python -m s2c_blender.cli demo ...` from the root folder; in Blender itself call `main([...])` with the root on the module path.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from . import registration
from .jobs import pump
from .jobs.job import Job, Phase
from .properties import settings_of
from .wire.clip import Clip
from .wire.errors import PianoHandsError
from .wire.messages import DEFAULT_STEPS
from .wire.options import add_prior
from .wire.places import shipped_weights
from .wire.terminal import ProgressBar

PREVIEW_SECONDS = 30.0
DEMO_MEASURED_SECONDS = 60.0


@dataclass(frozen=True)
class Made:
    """What the whole way gave, and what it cost."""

    clip: Clip
    job_seconds: float  # notes to clip and sound, in the backend
    whole_seconds: float  # and the scene

    @property
    def seconds(self) -> float:
        """Of music; without notes, of motion."""
        return self.clip.score.duration or float(self.clip.times[-1])


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    registered_here = not hasattr(bpy.types, "S2C_OT_generate")
    if registered_here:
        registration.register()
    try:
        return options.run(options)
    except PianoHandsError as error:
        print(f"error: {error.message}", error.hint, sep="\n  ", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return 130
    finally:
        if registered_here:
            registration.unregister()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m s2c_blender.cli", description="Two hands play in a Blender scene.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="make take.npz, scene.blend, stills and preview.mp4 of a piece")
    demo.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where everything goes (out)")
    demo.add_argument("--no-render", action="store_true", help="no preview and no stills")
    demo.add_argument("--python", type=Path, metavar="PATH", help="the backend's Python (the one that runs this)")
    add_prior(demo)
    demo.set_defaults(run=_demo)
    measure = commands.add_parser("measure", help="play a piece and measure its contact and its cost")
    measure.add_argument("--sampled", type=float, metavar="N", help="measure also N seconds from a random place of the piece")
    measure.add_argument("--out", type=Path, metavar="DIR", help="keep take and scene there (else they are thrown away)")
    # Contact of S2C's takes before and after the solve: tests/bench/bench_prior.py.
    measure.set_defaults(run=_measure, python=None, recording=None)
    measure.set_defaults(prior="planner", checkpoint=None, mano=None, steps=DEFAULT_STEPS, compatibility="none")
    measure.set_defaults(on_keys=1.0, raw=False)
    for command in (demo, measure):
        command.add_argument(
            "--input",
            type=Path,
            required=command is measure,
            metavar="INPUT",
            help="a MIDI file or a recording; demo without one: from a recording of the shipped piece, by S2C",
        )
        command.add_argument("--seconds", type=float, metavar="N", help="only the first N seconds of the piece")
        command.add_argument("--measured", type=float, metavar="N", help="measure contact on the first N seconds only")
        command.add_argument("--fps", type=int, default=60, help="the scene's frame rate (60)")
        command.add_argument("--seed", type=int, default=0, help="another number, another performance (0)")
        command.add_argument("--style", type=float, default=0.5, metavar="0..1", help="from calm to lively (0.5)")
        command.add_argument("--hand-size", type=float, default=22.0, metavar="CM", help="hand span in cm (22)")
        command.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser


def _demo(options: argparse.Namespace) -> int:
    from .scene.contact import measure_scene
    from .scene.render import render_preview, render_stills

    out = options.out.absolute()
    if options.input is None:
        _choose_whole_way(options, out)
    made = _generate(options, out)
    scene = bpy.context.scene
    blend = out / "scene.blend"
    _save(blend)
    lines = [f"  {out / 'take.npz'}", f"  {blend}"]
    contact = None
    if made.clip.score.notes:
        measured = min(options.measured or DEMO_MEASURED_SECONDS, made.clip.score.duration)
        print(f"measuring contact over {measured:.0f} s ...", file=sys.stderr, flush=True)
        contact = measure_scene(scene, clip=made.clip, end=measured)
    if not options.no_render:
        moments = _moments(made)
        cameras = [thing for thing in scene.objects if thing.type == "CAMERA"]
        print("drawing stills ...", file=sys.stderr, flush=True)
        bar = ProgressBar()
        try:
            with _quiet():
                stills = render_stills(scene, out / "stills", moments, cameras=cameras)
                film = render_preview(
                    scene,
                    out / "preview.mp4",
                    seconds=PREVIEW_SECONDS,
                    progress=lambda done, total: bar.report("preview", done, total),
                )
        finally:
            bar.end()
        lines += [
            f"  {film.path}  ({film.frames} frames, {film.engine.value.title()})",
            f"  {stills[0].parent}  ({len(stills)} stills)",
        ]
    if options.json:
        _write_json(options.json, _figures(options, made) | {"contact": contact.as_dict() if contact else None})
    print(contact.text() if contact else "No notes are known, so contact with the keys is not measured.")
    for remark in (*made.clip.score.left_out, *made.clip.fingering.remarks):
        print(f"  note: {remark}")
    print(
        f"Made {made.seconds:.1f} s of music ({len(made.clip.score.notes)} notes) in {made.whole_seconds:.1f} s:",
        *lines,
        sep="\n",
    )
    return 0


def _choose_whole_way(options: argparse.Namespace, out: Path) -> None:
    """From a recording of the shipped piece, made here, by S2C, where the backend's Python can; else the piece by the planner."""
    root = Path(__file__).resolve().parent.parent
    options.input = root / "s2c_blender" / "pieces" / "demo.mid"
    if options.recording:
        return  # of the shipped piece
    python = str(options.python or sys.executable)
    made = _make_folder(out) / "recording.wav"
    command = [python, "-m", "backend", "sound", str(options.input), "-o", str(made), "--for-s2c"]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if said.returncode == 0:
        options.input, options.prior = made, "s2c"
    else:
        print(f"The planner plays the piece, because S2C cannot: {said.stderr.strip()}", file=sys.stderr, flush=True)


def _make_folder(out: Path) -> Path:
    """Raises PianoHandsError('not-writable')."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PianoHandsError("not-writable", f"{out} cannot be made: {error.strerror}.", "Choose another folder.") from error
    return out


def _measure(options: argparse.Namespace) -> int:
    import tempfile

    from .scene.contact import measure_scene

    with tempfile.TemporaryDirectory(prefix="piano_hands_") as temporary:
        out = options.out.absolute() if options.out else Path(temporary)
        made = _generate(options, out)
        if options.out:
            _save(out / "scene.blend")
        contact = measure_scene(bpy.context.scene, clip=made.clip, end=options.measured)
        figures = _figures(options, made) | {"contact": contact.as_dict()}
        if options.sampled:
            start = _random_start(options.input.name, max(made.clip.score.duration - options.sampled, 0.0))
            sample = measure_scene(bpy.context.scene, clip=made.clip, start=start, end=start + options.sampled)
            figures["sampled"] = sample.as_dict()
            print(sample.text())
    if options.json:
        _write_json(options.json, figures)
    print(contact.text())
    memory = [f"{figures[name]:.0f} MB" if figures[name] else "unknown" for name in ("backend_megabytes", "blender_megabytes")]
    print(f"{figures['seconds_per_second']:.3f} s of work per second of music, {figures['scene_seconds']:.1f} s for the scene")
    print(f"memory at most {memory[0]} in a process of the backend, {memory[1]} in Blender")
    return 0


def _moments(made: Made) -> list[float]:
    """Two moments worth a still: just after a note, where notes are known."""
    notes = made.clip.score.notes
    if not notes:
        return [made.seconds * part / 4 for part in (1, 2)]
    return [notes[len(notes) * part // 4].onset + 0.05 for part in (1, 2)]


def _random_start(name: str, latest: float) -> float:
    """Seconds, always the same for one name."""
    return random.Random(name).uniform(0.0, latest)


def _generate(options: argparse.Namespace, out: Path) -> Made:
    """The whole way through the operator, into an empty file. The take is `out`/take.npz."""
    _make_folder(out)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    if not hasattr(bpy.types, "S2C_OT_generate"):
        registration.register()  # an installed extension went with the factory settings
    _choose(bpy.context.scene, options, out)
    bar = ProgressBar()
    told = 0

    def watch(job: Job) -> None:
        nonlocal told
        for warning in job.warnings[told:]:
            bar.warn(warning)
        told = len(job.warnings)
        if job.stage:
            bar.report(job.stage, round(1000 * job.stage_fraction), 1000)

    pump.watch_with(watch)
    began = time.perf_counter()
    try:
        bpy.ops.s2c.generate(name="take", python=str(options.python or ""))
    except RuntimeError as error:  # what the operator reported as an error
        job = pump.current()
        if job is None or job.error is None:
            raise  # a bug
        raise job.error from error
    finally:
        bar.end()
        pump.watch_with(None)
    whole = time.perf_counter() - began
    job = pump.current()
    if job is None or job.phase is not Phase.DONE or job.clip is None:
        raise PianoHandsError("failed", "No take was made.", "Look at what was said above.")
    pump.stop()  # drawing and measuring have no use for the backend's memory
    return Made(Clip.load(job.clip), job.took, whole)


def _choose(scene: bpy.types.Scene, options: argparse.Namespace, out: Path) -> None:
    """What a person would set in the panel. Raises PianoHandsError."""
    if options.prior == "s2c" and options.checkpoint is None and shipped_weights() is None:
        raise PianoHandsError("bad-setting", "S2C needs a checkpoint.", "Name it with --checkpoint DIR.")
    scene.render.fps, scene.render.fps_base = options.fps, 1.0
    settings = settings_of(scene)
    settings.piece, settings.folder = str(options.input.absolute()), str(out)
    settings.seed, settings.style, settings.hand_size = options.seed, options.style, options.hand_size
    settings.limit = options.seconds is not None
    settings.seconds = options.seconds or settings.seconds
    settings.recording = str(options.recording.absolute()) if options.recording else ""
    settings.prior, settings.steps = options.prior, options.steps
    settings.checkpoint = str(options.checkpoint.absolute()) if options.checkpoint else ""
    settings.mano = str(options.mano.absolute()) if options.mano else ""
    settings.on_keys, settings.raw = options.on_keys, options.raw
    settings.as_published = options.compatibility == "reference"


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Blender itself prints of every frame off stdout."""
    sys.stdout.flush()
    stdout, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(nowhere)


def _save(path: Path) -> None:
    bpy.context.preferences.filepaths.save_version = 0
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, relative_remap=True)


def _figures(options: argparse.Namespace, made: Made) -> dict[str, Any]:
    """What is known beside contact. Times in seconds; memory in 10^6 bytes, None where the system does not tell."""
    score = made.clip.score
    backend, blender = _peak_memory()
    return {
        "piece": options.input.name,
        "notes": len(score.notes),
        "duration": made.seconds,
        "prior": options.prior,
        "fps": options.fps,
        "seed": options.seed,
        "blender": bpy.app.version_string,
        "job_seconds": made.job_seconds,
        "scene_seconds": made.whole_seconds - made.job_seconds,
        "seconds_per_second": made.job_seconds / max(made.seconds, 1e-9),
        "backend_megabytes": backend,
        "blender_megabytes": blender,
        "left_out": list(score.left_out),
        "remarks": list(made.clip.fingering.remarks),
    }


def _peak_memory() -> tuple[float | None, float | None]:
    """Peak resident memory of the largest process of the backend, which has ended, and of this one."""
    try:
        import resource
    except ImportError:  # Windows
        return None, None
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    backend, blender = (resource.getrusage(who).ru_maxrss * unit / 1e6 for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF))
    return backend, blender


def _write_json(path: Path, figures: dict[str, Any]) -> None:
    try:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise PianoHandsError("write-failed", f"{path} could not be written: {error.strerror}.", "Choose another name.") from error


if __name__ == "__main__":
    sys.exit(main())
