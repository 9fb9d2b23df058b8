# SPDX-License-Identifier: GPL-3.0-or-later
"""Which finger a bone belongs to, by its name: enough to tell who struck a key, on any rig whose bones name their finger."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import HandSide
from .contact_scores import NO_FINGER, OTHER_PART

_WORDS = (("thumb",), ("index",), ("middle", "mid"), ("ring",), ("pinky", "pinkie", "little"))
_LEFT = re.compile(r"(?i:left)|(?:^|[^a-z])[lL](?:$|[^a-zA-Z])|^l(?=[A-Z])")
_PALM = re.compile(r"(?i)metacarpal|carpal|palm")


def finger_of_bone(name: str, side: str) -> int:
    """5 * hand + finger (thumb 0), or OTHER_PART. `side`: "right", "left" or "both" (then the name must tell)."""
    low = name.lower()
    digit = next((i for i, words in enumerate(_WORDS) if any(word in low for word in words)), None)
    # A thumb's metacarpal is its first phalanx on many rigs; a finger's lies in the palm.
    if digit is None or (digit and _PALM.search(name)):
        return OTHER_PART
    left = side == "left" or (side == "both" and _LEFT.search(name) is not None)
    return 5 * (HandSide.LEFT if left else HandSide.RIGHT) + digit


def finger_of_point(
    weights: NDArray[np.floating], names: Sequence[str], side: str, told: Mapping[str, int] | None = None
) -> NDArray[np.intp]:
    """(P,) from weights (P, G) of bones `names`: the finger of the heaviest bone; all NO_FINGER where no bone names one.

    `told`: fingers by bone, for names that do not tell.
    """
    fingers = np.array(
        [finger_of_bone(name, side) if told is None else told.get(name, OTHER_PART) for name in names], dtype=np.intp
    )
    if not (fingers >= 0).any():
        return np.full(len(weights), NO_FINGER, dtype=np.intp)
    return np.where(weights.any(axis=1), fingers[np.argmax(weights, axis=1)], OTHER_PART)
