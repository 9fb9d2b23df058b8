# SPDX-License-Identifier: GPL-3.0-or-later
"""Many pieces by Ray, on one machine or on a cluster that sees the same files: each is tried again when its worker dies, what is
done stays done, and one that cannot be played does not stop the others.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from s2c_blender.wire.errors import PianoHandsError, write_failed
from s2c_blender.wire.kind import Kind, kind_of
from s2c_blender.wire.messages import Generate

from . import config
from .kept_model import KeptModel
from .pipeline import generate

REPORT = "batch.json"
_models = KeptModel()  # of a worker's process: its next piece starts at once


@dataclass(frozen=True)
class Outcome:
    """What became of one input. state: "made", "there" (from an earlier run) or "failed"."""

    input: str
    output: str
    state: str
    message: str = ""


@dataclass(frozen=True)
class Cluster:
    """Where to work. address: of a running Ray; None: a Ray of this machine's own. gpu: share of one that a piece takes."""

    address: str | None = None
    workers: int | None = None
    retries: int = 3
    gpu: float = 0.0


def find(inputs: list[Path], out: Path) -> dict[Path, Path]:
    """Every piece and recording that is named or lies in a folder that is, and where its clip goes.

    Raises PianoHandsError('no-file', 'bad-setting').
    """
    found: dict[Path, Path] = {}
    for given in inputs:
        if not given.exists():
            raise PianoHandsError("no-file", f"There is no file {given}.", "Check the name and the folder.")
        for path in sorted(given.rglob("*")) if given.is_dir() else [given]:
            if path.is_file() and (not given.is_dir() or kind_of(path) in (Kind.MIDI, Kind.RECORDING)):
                place = path.relative_to(given) if given.is_dir() else Path(path.name)
                found[path.resolve()] = out / place.parent / f"{place.name}.npz"
    if len(set(found.values())) < len(found):
        raise PianoHandsError("bad-setting", "Two inputs have the same name.", "Give the folder that both lie in.")
    if not found:
        raise PianoHandsError("no-file", "There is nothing to play.", "Name MIDI files, recordings, or a folder of them.")
    return found


def run(
    pieces: dict[Path, Path], asked: Generate, cluster: Cluster, *, out: Path, tell: Callable[[Outcome, int, int], None]
) -> list[Outcome]:
    """Every piece by the request, whose own paths do not count. `tell(outcome, done, total)` hears of each.

    Raises PianoHandsError('bad-setting') where `out` holds takes that were asked for otherwise, ('no-ray').
    """
    _remember(out, asked)
    outcomes = [Outcome(str(path), str(place), "there") for path, place in pieces.items() if place.exists()]
    for done, outcome in enumerate(outcomes):
        tell(outcome, done + 1, len(pieces))
    requests = []
    for number, (path, place) in enumerate(pieces.items()):
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            requests.append(replace(asked, job=f"piece-{number}", input=str(path), output=str(place)))
    for outcome in _played(requests, cluster) if requests else ():
        outcomes.append(outcome)
        tell(outcome, len(outcomes), len(pieces))
    return outcomes


def play(request: Generate) -> Outcome:
    """One piece, in a worker's process."""
    try:
        generate(request, _Deaf(), _models)
    except PianoHandsError as error:
        return Outcome(request.input, request.output, "failed", f"{error.message} {error.hint}")
    return Outcome(request.input, request.output, "made")


def _played(requests: list[Generate], cluster: Cluster) -> Iterator[Outcome]:
    """As they are done."""
    ray = _started(cluster)
    try:
        work = ray.remote(max_retries=cluster.retries, num_cpus=1, num_gpus=cluster.gpu)(play)
        waiting = {work.remote(request): request for request in requests}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1)
            request = waiting.pop(ready[0])
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayError as error:  # the piece's own, or its workers died more often than they are replaced
                yield Outcome(request.input, request.output, "failed", str(error).strip().splitlines()[-1])
    finally:
        ray.shutdown()


def _started(cluster: Cluster) -> Any:
    """Ray, ready to work. Raises PianoHandsError('no-ray')."""
    config.require(("ray",), "Batches need")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as it will be the rule
    import ray  # pyright: ignore[reportMissingImports] - who wants batches installs it

    surroundings = {"env_vars": {"PYTHONPATH": str(config.ROOT), "OPENBLAS_NUM_THREADS": "1"}}
    try:
        if cluster.address:
            ray.init(address=cluster.address, runtime_env=surroundings, log_to_driver=False)
        else:
            ray.init(
                num_cpus=cluster.workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env=surroundings,
            )
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        raise PianoHandsError(
            "no-ray",
            f"Ray does not answer: {str(error).strip().splitlines()[0]}",
            "Start it (ray start), or leave --ray-address out.",
        ) from error
    return ray


def _remember(out: Path, asked: Generate) -> None:
    """Say in the folder what its takes were asked for. Raises PianoHandsError."""
    path = out / REPORT
    text = (
        json.dumps({name: value for name, value in asdict(asked).items() if name not in ("job", "input", "output")}, indent=1)
        + "\n"
    )
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise PianoHandsError(
            "bad-setting",
            f"{out} holds takes that were asked for otherwise: see {REPORT}.",
            "Ask for the same, or give another folder.",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise write_failed(path, error) from error


class _Deaf:
    """Hears of a job in a worker, where nobody looks."""

    def report(self, stage: str, done: int, total: int) -> None:
        """Nobody looks."""

    def warn(self, warning: PianoHandsError) -> None:
        """Nobody looks."""

    def cancelled(self) -> bool:
        return False
