# SPDX-License-Identifier: GPL-3.0-or-later
"""The three pedals; the right one, the sustain pedal, moves with the score."""

from collections.abc import Sequence

import bpy
import numpy as np

from ..wire.keyboard import FLOOR_Z
from ..wire.notes import PedalEvent
from .action import Keys, clear_curves, write_curves
from .marks import mark
from .materials import material
from .shapes import Solid, level, rounded, rounding

ACTION = "Piano pedal"
_HINGE = (0.27, FLOOR_Z + 0.082)  # y, z of the axis
_LENGTH = 0.155
DIP = 0.022  # travel of a pedal's tip
TIP = np.array([0.062, _HINGE[0] - _LENGTH, _HINGE[1]])  # of the sustain pedal, where the foot stands on it
_STEP = 0.070  # seconds that a foot takes from one end to the other
_NAMES = ("soft", "sostenuto", "sustain")


def build_pedals(collection: bpy.types.Collection) -> dict[str, bpy.types.Object]:
    """Make the pedals, origins on their hinges, and link them to `collection`; by name, `s2c_pedal` on the object."""
    mesh = mark(_pedal().mesh("Pedal", [material("Piano Brass")]))
    pedals = {}
    for name, x in zip(_NAMES, (-0.062, 0.0, 0.062), strict=True):
        pedal = mark(bpy.data.objects.new(f"Pedal {name}", mesh))
        pedal.location = (x, *_HINGE)
        pedal["s2c_pedal"] = name
        collection.objects.link(pedal)
        pedals[name] = pedal
    return pedals


def animate_pedal(pedal: bpy.types.Object, events: Sequence[PedalEvent], *, fps: float, start_frame: float) -> None:
    """Turn the sustain pedal about its hinge as the score says. It has arrived when an event is due."""
    clear_curves(pedal)
    pedal.rotation_euler = (0.0, 0.0, 0.0)
    if not events:
        return
    times, shares = pedal_curve(events)
    frames = start_frame + fps * times
    write_curves(pedal, ACTION, {("rotation_euler", 0, "Pedal"): Keys(frames, shares * np.arcsin(DIP / _LENGTH))})


def pedal_curve(events: Sequence[PedalEvent]) -> tuple[np.ndarray, np.ndarray]:
    """Breakpoints (seconds, share of the travel): each new value is reached at its time, from at most a step before."""
    times, shares = [events[0].time - _STEP], [0.0]
    for event in events:
        share = event.value / 127.0
        start = event.time - _STEP * max(abs(share - shares[-1]), 0.2)
        if start > times[-1] + 1e-4:
            times.append(start)
            shares.append(shares[-1])
        if event.time > times[-1] + 1e-4:
            times.append(event.time)
            shares.append(share)
        else:
            shares[-1] = share
    return np.array(times), np.array(shares)


def _pedal() -> Solid:
    """A brass tongue, narrow at the hinge and broad at the toe."""
    right = [(0.022, -_LENGTH), (0.024, -0.11), (0.011, -0.06), (0.010, 0.01)]
    outline = np.array([*((-x, y) for x, y in right[::-1]), *right])
    plan = rounded(outline, [0, 0.02, 0.02, 0.018, 0.018, 0.02, 0.02, 0], steps=5)
    solid = Solid()
    solid.stack([level(plan, -0.006), *rounding(plan, 0.004, 0.004)])
    return solid
