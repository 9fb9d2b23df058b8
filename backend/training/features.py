# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frozen encoder gives is computed once for each window that may be cut, and kept: most of a step's work then is done."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from s2c_blender.wire.errors import write_failed

from ..data.cache import Cache
from ..data.dataset import Cut, Window
from ..data.layout import Item
from ..s2c.model import S2CModel
from .conditioning import HeardWindow

FOLDER = "features"
_AT_ONCE = 8  # windows


class FeatureWindow:
    """Features (2, N, F) of both hands, in half precision on the disk."""

    ready = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, window: Window) -> Path:
        item = window.recorded.item
        return self._folder / item.uploader / item.video / item.name / f"{window.begin}.npy"

    def cut(self, window: Window) -> NDArray[np.floating]:
        return np.load(self.place(window), allow_pickle=False).astype(np.float32)

    def keep(self, window: Window, features: NDArray[np.floating]) -> None:
        """Raises PianoHandsError('write-failed')."""
        place = self.place(window)
        new = place.with_name(f".{place.name}.{os.getpid()}.npy")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            np.save(new, features.astype(np.float16))
            os.replace(new, place)
        except OSError as error:
            raise write_failed(place, error) from error


def kept_features(model: S2CModel, heard: HeardWindow, cache: Cache) -> FeatureWindow:
    """Where features of this very encoder are; none need be there yet."""
    sha = hashlib.sha256(f"{type(heard).__name__} {model.config.frames}".encode())
    for name, value in model.encoders.state_dict().items():
        sha.update(name.encode())
        sha.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return FeatureWindow(cache.folder / FOLDER / sha.hexdigest()[:16])


def every_window(cache: Cache, items: Sequence[Item], cut: Cut) -> Iterator[Window]:
    """All that may be drawn of items that are usable."""
    for item in items:
        recorded = cache.load(item)
        for begin in range(0, cut.latest(recorded) + 1, cut.stride):
            yield cut.at(recorded, begin)


@torch.inference_mode()
def keep_features(
    model: S2CModel,
    heard: HeardWindow,
    store: FeatureWindow,
    windows: Iterator[Window],
    *,
    tell: Callable[[int], None] = lambda done: None,
) -> int:
    """Compute what is not there yet; returns how many. `tell(done)` hears of each batch."""
    device, done = next(model.parameters()).device, 0
    missing = (window for window in windows if not store.place(window).exists())
    while some := list(islice(missing, _AT_ONCE)):
        sound = torch.from_numpy(np.stack([heard.cut(window) for window in some])).to(device)
        features = torch.stack([hand.float() for hand in model.features(sound)], dim=1).cpu().numpy()
        for window, values in zip(some, features, strict=True):
            store.keep(window, values)
        done += len(some)
        tell(done)
    return done
