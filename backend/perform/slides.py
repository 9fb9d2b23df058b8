# SPDX-License-Identifier: GPL-3.0-or-later
"""Glissandi: one finger goes over neighbouring keys of one colour, at their bottom, without lifting."""

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion.key_motion import KeyStrokes
from s2c_blender.wire.keyboard import BALANCE_Y, Keyboard

Array = NDArray[np.float64]
Wishes = dict[str, Array | float]  # columns of `Targets` and what to write there

PACE = 0.06  # seconds between its strikes, at most
SHORTEST = 4  # strikes
NEIGHBOUR = 3  # semitones between two keys of one colour, at most
EARLY = 0.0015  # metres before the next key's border at which a fingertip, being wide, strikes that key
HALF_WIDTH = 0.0075  # metres of a fingertip between the keys
SHARE = 0.97  # of the travel at which it slides
STAY = 0.004  # seconds after the first strike before it sets off
FRONT = 0.030  # y behind which it does not go on white keys


def find_slides(key: NDArray[np.intp], strike: Array, keyboard: Keyboard) -> list[slice]:
    """Which strikes of one finger, in order of time, are one glissando: places in `key` and `strike` (n,)."""
    step = np.diff(key)
    goes_on = (np.diff(strike) <= PACE) & (np.abs(step) <= NEIGHBOUR) & (step != 0)
    goes_on &= keyboard.black[key[1:]] == keyboard.black[key[:-1]]
    goes_on[1:] &= (np.sign(step[1:]) == np.sign(step[:-1])) | ~goes_on[:-1]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], goes_on, [False]]).astype(int)))
    return [slice(a, b + 1) for a, b in zip(edges[::2], edges[1::2], strict=True) if b + 1 - a >= SHORTEST]


def passed(key: int, following: int, interval: float, keyboard: Keyboard) -> float:
    """Seconds from the strike of key `following` until a finger that slides there, in `interval` seconds, is off `key`."""
    step = abs(float(keyboard.x[following] - keyboard.x[key]))
    gap = step - 2.0 * float(keyboard.half_width[key]) if keyboard.black[key] else 0.0
    return interval * (HALF_WIDTH + EARLY - gap) / step


def slide_wishes(
    strokes: KeyStrokes, *, keyboard: Keyboard, times: Array, side_weight: float
) -> tuple[tuple[slice, Wishes], tuple[slice, Wishes]]:
    """Frames and what the fingertip should do there, for the strokes of one glissando in order of time: waiting, sliding.

    At each strike it comes over the border of the next key. `side_weight`: of where it stands sideways.
    """
    x = keyboard.x[strokes.key]
    direction = np.sign(x[-1] - x[0])
    border = 0.5 * (x[1:] + x[:-1])
    if keyboard.black[strokes.key[0]]:
        border = x[1:] - direction * keyboard.half_width[strokes.key[1:]]
    begin, end = strokes.strike[0] + STAY, strokes.up[-1]
    waiting = slice(*np.searchsorted(times, (strokes.touch[0] - 0.01, begin)))
    wait: Wishes = {"x_low": x[0], "x_high": x[0], "on_top": 1.0, "x_weight": side_weight}

    moments = np.concatenate([[begin], strokes.strike[1:], [strokes.strike[-1] + 3.0 * STAY, end]])
    places = np.concatenate([x[:1], border - direction * EARLY, x[-1:], x[-1:]])
    frames = slice(*np.searchsorted(times, (begin + STAY, end)))
    place = np.interp(times[frames], moments, places)
    rise = max(float(end - strokes.leave[-1]), 1e-3)
    share = SHARE * np.clip((end - times[frames]) / rise, 0.0, 1.0)
    key = strokes.key[0]
    per_metre = keyboard.dip[key] * share / (BALANCE_Y - keyboard.front[key])
    slide: Wishes = {
        "x_low": place,
        "x_high": place,
        "tail_low": -np.inf,
        "tail_high": np.inf,
        "on_top": 1.0,
        "x_weight": side_weight,
        "height": keyboard.top[key] - per_metre * BALANCE_Y,
        "tilt": per_metre,
    }
    return (waiting, wait), (frames, slide)
