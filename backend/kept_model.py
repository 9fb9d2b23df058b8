# SPDX-License-Identifier: GPL-3.0-or-later
"""The last job's model, kept on its device: the next job with that checkpoint starts at once. torch is imported by `load`."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING

from s2c_blender.wire.errors import Cancelled

from .source import Listener

if TYPE_CHECKING:
    from .device import Device
    from .s2c.model import S2CModel

Stamp = tuple[str, tuple[tuple[str, int, int], ...]]


class KeptModel:
    """At most one model: the old one is let go before another is loaded."""

    def __init__(self) -> None:
        self._stamp: Stamp | None = None
        self._held: tuple[S2CModel, Device] | None = None

    @property
    def held(self) -> bool:
        return self._held is not None

    def load(self, folder: Path, listener: Listener) -> "tuple[S2CModel, Device]":
        """The checkpoint's model on the best device. Raises PianoHandsError('bad-checkpoint'), Cancelled."""
        stamp = _stamp(folder)
        if self._held is not None and stamp == self._stamp:
            return self._held
        self.let_go()
        listener.report("loading", 0, 1)
        from . import device
        from .s2c import checkpoint, take

        if listener.cancelled():
            raise Cancelled
        model = checkpoint.load(folder, as_stored=True)
        if listener.cancelled():
            raise Cancelled
        place = device.resolve()
        self._stamp, self._held = stamp, (take.move(model, place), place)
        listener.report("loading", 1, 1)
        return self._held

    def let_go(self) -> bool:
        """Give the model's memory back, the device's too; returns whether there was a model."""
        if self._held is None:
            return False
        place = self._held[1]
        self._held = self._stamp = None
        gc.collect()
        place.free_memory()
        return True


def _stamp(folder: Path) -> Stamp:
    """Which folder, or which file, and names, sizes and times of files: a checkpoint imported anew is another one."""
    files = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else [folder]
    there = [path for path in files if path.exists()]
    return str(folder.resolve()), tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in there)
