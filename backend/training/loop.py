# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop. Each step draws by seed and step alone, so that a run that was killed goes on as if it had not been."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from s2c_blender.wire.errors import PianoHandsError, write_failed

from ..data.cache import Cache
from ..data.dataset import Cut, Window, items_of, usable
from ..data.layout import Item
from ..s2c import checkpoint
from ..s2c.model import S2CModel
from .batches import Batch, DrawnWindows, Plan, batches
from .conditioning import HeardWindow, NoteWindow, heard_window
from .config import TrainingConfig, bad_setting
from .ema import Average
from .features import every_window, keep_features, kept_features
from .journal import Journal
from .stages import make_stage
from .state import RunState, begun
from .validation import Validation, first_windows

LATEST, BEST, TOLD = "latest", "best", "run.json"
_PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
#: What may be changed when a run goes on: all else would make it another run.
_FREE = ("steps", "workers", "save_every", "validate_every", "validate_windows", "validate_steps")


@dataclass(frozen=True)
class Places:
    """data: the data set's root; run: the folder of this run; cache: where decoded items are."""

    data: Path
    run: Path
    cache: Path | None = None


@dataclass(frozen=True)
class Listening:
    """Who hears of a run, and can stop it: `step` after each (done, total, loss), `tell` of what a person should read."""

    step: Callable[[int, int, float], None] = lambda done, total, loss: None
    tell: Callable[[str], None] = lambda line: None


def train(
    model: S2CModel, config: TrainingConfig, places: Places, *, device: str = "auto", listening: Listening | None = None
) -> dict[str, float]:
    """Train the model as it is, or go on with the run that is in the folder; returns the last validation's numbers.

    Writes state, checkpoints `latest` and `best`, and the journal. Raises PianoHandsError.
    """
    return Training(model, config, places, accelerator_of(config, device), listening or Listening()).run()


def accelerator_of(config: TrainingConfig, device: str) -> Accelerator:
    """`device`: "cpu", or what there is."""
    return Accelerator(mixed_precision=_PRECISIONS[config.precision], cpu=device == "cpu")


class Training:
    """One process' part of a run."""

    def __init__(
        self, model: S2CModel, config: TrainingConfig, places: Places, accelerator: Accelerator, listening: Listening
    ) -> None:
        if config.batch % accelerator.num_processes:
            raise bad_setting(f"A batch of {config.batch} cannot be shared by {accelerator.num_processes} processes.")
        self._config, self._places, self._accelerator = config, places, accelerator
        self._listening = listening
        self._model = model.to(accelerator.device)
        stage = make_stage(self._model, config)
        self._weights = stage.trainable()
        self._average = Average(self._weights, config.ema)
        kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
        optimiser = kind(list(self._weights.values()), lr=config.learning_rate, weight_decay=config.weight_decay)
        self._state = RunState(self._weights, self._average, optimiser)
        self._plain = stage
        self._stage, self._optimiser = accelerator.prepare(stage, optimiser)
        self._best = math.inf

    def run(self) -> dict[str, float]:
        config, run = self._config, self._places.run
        done = self._resume()
        heard = heard_window(self._model.config, self._places.data)
        cache = Cache.of(self._places.data, self._places.cache)
        cache = Cache(cache.root, cache.folder, config.adjust, silent=self._model.config.reads_notes)
        cut = Cut(self._model.config.frames, config.stride)
        items = self._items(cache, "train", cut)
        if not items:
            raise PianoHandsError("bad-data", "There is nothing to train on.", "See what data check says of the folder.")
        validation = self._validation(cache, cut)
        if isinstance(heard, NoteWindow) and config.workers:
            heard.read(items)
        if config.cache_features:
            heard = self._kept_features(heard, cache, every_window(cache, items, cut), validation)
        loader = batches(
            DrawnWindows(cache, items, cut, config.seed),
            Plan(len(items), config.batch, config.seed),
            heard,
            steps=range(done, config.steps),
            share=slice(self._accelerator.process_index, None, self._accelerator.num_processes),
            workers=config.workers,
        )
        found = dict[str, float]()
        with Journal(run, after=done) if self._accelerator.is_main_process else _Silence() as journal:
            for batch in loader:
                losses = self.step(done, batch.to(self._accelerator.device), ready=heard.ready)
                done += 1
                journal.write(done, losses)
                self._listening.step(done, config.steps, losses["train/loss"])
                last = done == config.steps
                if last or done % config.validate_every == 0:
                    found = self._validate(Validation(validation, heard, config.validate_steps, config.seed))
                    journal.write(done, {f"valid/{name}": value for name, value in found.items()})
                if last or done % config.save_every == 0:
                    self._save(done)
        return found

    def step(self, step: int, batch: Batch, *, ready: bool) -> dict[str, float]:
        """Learn from this process' share of a step's batch; returns the losses. `ready`: what is heard are features."""
        config, accelerator = self._config, self._accelerator
        generator = torch.Generator().manual_seed(_seed(config.seed, step, accelerator.process_index, "diffusion"))
        torch.manual_seed(_seed(config.seed, step, accelerator.process_index, "dropout"))  # which takes no generator
        for group in self._optimiser.param_groups:
            group["lr"] = config.rate(step)
        self._stage.train()
        losses = self._stage(batch, generator, ready=ready)
        loss = losses["loss"]
        if not bool(torch.isfinite(loss.detach())):
            raise PianoHandsError(
                "diverged", f"The loss of step {step} is no number.", "Take a smaller learning rate, or clip gradients."
            )
        accelerator.backward(loss)
        told = cast(Tensor, accelerator.reduce(torch.stack([value.detach() for value in losses.values()]), reduction="mean"))
        numbers = {f"train/{name}": value for name, value in zip(losses, told.tolist(), strict=True)}
        if config.clip:
            numbers["train/gradient"] = float(accelerator.clip_grad_norm_(self._weights.values(), config.clip))
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self._average.update(step)
        return numbers | {"train/learning_rate": config.rate(step)}

    def _validation(self, cache: Cache, cut: Cut) -> list[Window]:
        """What the main process validates on."""
        items = items_of(cache.root, "valid", uploaders=self._config.uploaders)[: self._config.validate_windows]
        return list(first_windows(cache, items, cut)) if self._accelerator.is_main_process else []

    def _kept_features(
        self, heard: HeardWindow, cache: Cache, windows: Iterator[Window], validation: Iterable[Window]
    ) -> HeardWindow:
        """Each process computes its share of what is not there yet."""
        accelerator, model = self._accelerator, self._model
        store = kept_features(model, heard, cache)
        share = islice(windows, accelerator.process_index, None, accelerator.num_processes)
        made = keep_features(model, heard, store, chain(share, validation))
        if made:
            self._listening.tell(f"features of {made} windows were computed, and are kept in {cache.folder}")
        accelerator.wait_for_everyone()
        return store

    def _validate(self, validation: Validation) -> dict[str, float]:
        """By the main process, while the others wait."""
        found = dict[str, float]()
        if self._accelerator.is_main_process:
            self._plain.train(False)
            with self._average.applied():
                found = validation.run(self._model, self._config.stage, self._accelerator.device)
                if found.get("score", math.inf) < self._best:
                    self._best = found["score"]
                    checkpoint.save(self._model, self._places.run / BEST, about=self._about(found))
        self._accelerator.wait_for_everyone()
        return found

    def _save(self, done: int) -> None:
        if self._accelerator.is_main_process:
            with self._average.applied():
                checkpoint.save(self._model, self._places.run / LATEST, about=self._about({"steps": float(done)}))
            self._state.save(self._places.run, step=done, numbers={"best": self._best})
        self._accelerator.wait_for_everyone()

    def _about(self, numbers: Mapping[str, float]) -> dict[str, Any]:
        return {"training": self._config.to_json(), **numbers}

    def _resume(self) -> int:
        """Steps done already. Raises PianoHandsError('bad-run') where the folder's run was told otherwise."""
        run, told = self._places.run, self._config.to_json() | {"model": self._model.config.to_json()}
        if begun(run):
            _check_same(run, told)
            done, numbers = self._state.restore(run)
            self._best = numbers["best"]
            self._listening.tell(f"going on after step {done}")
            return done
        if self._accelerator.is_main_process:
            try:
                run.mkdir(parents=True, exist_ok=True)
                (run / TOLD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise write_failed(run, error) from error
        return 0

    def _items(self, cache: Cache, split: str, cut: Cut) -> list[Item]:
        """Decoded by the main process first; the others then find them in the cache."""
        with self._accelerator.main_process_first():
            good, broken = usable(cache, items_of(cache.root, split, uploaders=self._config.uploaders), cut)
        if self._accelerator.is_main_process:
            for item in broken:
                self._listening.tell(f"left out: {item}")
        return good


class _Silence:
    """What processes other than the first write down."""

    def __enter__(self) -> "_Silence":
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing was opened."""

    def write(self, step: int, numbers: Mapping[str, float]) -> None:
        """Nothing is written."""


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:7], "little")


def _check_same(run: Path, told: Mapping[str, Any]) -> None:
    try:
        before = checkpoint.read_json(run / TOLD)
    except (OSError, ValueError) as error:
        raise PianoHandsError("bad-run", f"{run / TOLD} cannot be read: {error}.", "Give another folder with -o.") from error
    now = json.loads(json.dumps(told))
    other = [name for name in now if name not in _FREE and before.get(name) != now[name]]
    if other:
        raise PianoHandsError(
            "bad-run",
            f"{run} holds a run with another {', '.join(other)}.",
            "Go on with the settings that it began with, or give another folder with -o.",
        )


def fresh_model(config: Any, seed: int) -> S2CModel:
    """With random numbers; the left hand's encoder and position predictor begin as copies of the right one's, as published."""
    checkpoint.skeleton(config)  # refuses sizes that fit no model
    torch.manual_seed(seed)  # layers' own initialisation takes no generator
    model = S2CModel(config)
    for parts in (model.encoders, model.positions):
        _copy(parts[0], parts[1])
    return model


def _copy(source: nn.Module, target: nn.Module) -> None:
    if source is not target:
        target.load_state_dict(source.state_dict())
