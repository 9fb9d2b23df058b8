# SPDX-License-Identifier: GPL-3.0-or-later
"""A bone map from the shape of a skeleton alone: for rigs whose names tell nothing.

A hand is a bone from which four or five chains of bones go out side by side; the thumb is the odd one of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGERS
from .bone_map import BoneMap, Rig, ancestors

Array = NDArray[np.float64]

NAME = "By structure"
_MOST_FINGERS, _FEWEST_FINGERS = 5, 4
_LONGEST_CHAIN = 6
_PALM = 0.45  # of the way from wrist to the next joint: a bone that begins so near the wrist is a metacarpal


@dataclass(frozen=True)
class _Hand:
    wrist: str
    thumb: list[str]
    fingers: list[list[str]]  # index to little finger


def by_structure(rig: Rig, *, up: Array, deforming: Iterable[str] | None = None) -> BoneMap | None:
    """The map, or None where there are no two hands. up: (3,) the world's up in the armature's space.

    deforming: bones that matter; by default all.
    """
    chosen = set(rig if deforming is None else deforming)
    children = _children(rig, chosen)
    hands = _two_alike([hand for wrist in rig if (hand := _hand(rig, children, wrist)) is not None], rig)
    if hands is None:
        return None
    first, second = hands
    # Whichever way the arms hang, palms down or to the thighs, thumbs point ahead of the body.
    ahead = sum((_thumb_side(rig, hand) for hand in hands), np.zeros(3))
    ahead -= up * (ahead @ up)
    to_the_left = np.cross(up, ahead)
    apart = rig[second.wrist].head - rig[first.wrist].head
    right, left = (first, second) if apart @ to_the_left > 0 else (second, first)
    parts = [_parts(rig, hand, other) for hand, other in ((right, left), (left, right))]
    return BoneMap(NAME, (parts[0], parts[1]), *_body(rig, right, left))


def _children(rig: Rig, chosen: set[str]) -> dict[str, list[str]]:
    """Chosen bones below each bone; one that is not chosen is passed over."""
    children: dict[str, list[str]] = {name: [] for name in rig}
    for name in rig:
        if name not in chosen:
            continue
        parent = next((above for above in ancestors(rig, name) if above in chosen), None)
        if parent is not None:
            children[parent].append(name)
    return children


def _chains(children: dict[str, list[str]], top: str) -> list[list[str]] | None:
    """The chains below a bone, each from the top to a leaf; None where there are too many to be fingers."""
    found: list[list[str]] = []

    def follow(chain: list[str]) -> bool:
        if len(found) > _MOST_FINGERS or len(chain) > _LONGEST_CHAIN:
            return False
        below = children[chain[-1]]
        if not below:
            found.append(chain)
            return len(found) <= _MOST_FINGERS
        return all(follow([*chain, name]) for name in below)

    return found if all(follow([name]) for name in children[top]) else None


def _hand(rig: Rig, children: dict[str, list[str]], wrist: str) -> _Hand | None:
    chains = _chains(children, wrist)
    if chains is None:
        return None
    chains = [chain for chain in chains if len(chain) > 1]
    if not _FEWEST_FINGERS <= len(chains) <= _MOST_FINGERS or len({chain[-1] for chain in chains}) < len(chains):
        return None
    middle = rig[wrist].head
    ways = np.array([_way(rig, chain) for chain in chains])
    starts = np.array([np.linalg.norm(rig[_knuckle(rig, chain, middle)].head - middle) for chain in chains])
    if starts.max() < 1e-9 or starts.max() > 3.0 * min(_length(rig, chain) for chain in chains):
        return None
    # Odd is what points elsewhere than the others and begins nearer to the wrist.
    apart = np.array([np.degrees(np.arccos(np.clip(np.delete(ways, i, 0) @ ways[i], -1, 1))).mean() for i in range(len(chains))])
    odd = int(np.argmax(apart / 30.0 - starts / starts.max()))
    rest = [chain for i, chain in enumerate(chains) if i != odd]
    # From a thumb's own joint the others lie beside each other in their order.
    knuckles = np.array([rig[_knuckle(rig, chain, middle)].head for chain in rest])
    across = _line(knuckles)
    thumb_at = rig[chains[odd][0]].head + 0.5 * (rig[chains[odd][-1]].head - rig[chains[odd][0]].head)
    if (thumb_at - knuckles.mean(0)) @ across > 0:
        across = -across
    order = np.argsort(knuckles @ across)
    return _Hand(wrist, chains[odd], [rest[i] for i in order])


def _way(rig: Rig, chain: Sequence[str]) -> Array:
    way = rig[chain[-1]].head - rig[chain[0]].head
    return way / max(float(np.linalg.norm(way)), 1e-12)


def _length(rig: Rig, chain: Sequence[str]) -> float:
    return float(sum(np.linalg.norm(rig[b].head - rig[a].head) for a, b in pairwise(chain)))


def _line(points: Array) -> Array:
    """The direction along which points lie."""
    return np.linalg.svd(points - points.mean(0))[2][0]


def _knuckle(rig: Rig, chain: Sequence[str], wrist: Array) -> str:
    """The chain's first bone, or the second where the first is a metacarpal."""
    if len(chain) < 4:
        return chain[0]
    near, far = (float(np.linalg.norm(rig[name].head - wrist)) for name in chain[:2])
    return chain[1] if near < _PALM * far else chain[0]


def _thumb_side(rig: Rig, hand: _Hand) -> Array:
    """From the other fingers to the thumb, across the hand."""
    index, little = (rig[chain[0]].head for chain in (hand.fingers[0], hand.fingers[-1]))
    across = index - little
    if np.linalg.norm(across) < 1e-9:  # metacarpals that begin in one place
        across = rig[hand.fingers[0][-1]].head - rig[hand.fingers[-1][-1]].head
    return across / np.linalg.norm(across)


def _two_alike(hands: list[_Hand], rig: Rig) -> tuple[_Hand, _Hand] | None:
    """The two hands: where several bones of one arm qualify, the one nearest to the fingers."""
    inner = [hand for hand in hands if not any(hand.wrist in ancestors(rig, other.wrist) for other in hands)]
    best: tuple[float, tuple[_Hand, _Hand]] | None = None
    for i, first in enumerate(inner):
        for second in inner[i + 1 :]:
            sizes = sorted(sum(_length(rig, chain) for chain in hand.fingers) for hand in (first, second))
            unlike = sizes[1] / max(sizes[0], 1e-12) + abs(len(first.fingers) - len(second.fingers))
            if unlike < 1.5 and (best is None or unlike < best[0]):
                best = unlike, (first, second)
    return best[1] if best else None


def _parts(rig: Rig, hand: _Hand, other: _Hand) -> dict[str, str]:
    wrist = rig[hand.wrist].head
    parts = {"wrist": hand.wrist, **_phalanges("thumb", hand.thumb)}
    for word, chain in zip(FINGERS[1:], hand.fingers, strict=False):
        knuckle = chain.index(_knuckle(rig, chain, wrist))
        if knuckle:
            parts[f"{word}0"] = chain[0]
        parts |= _phalanges(word, chain[knuckle:])
    return parts | _arm(rig, hand.wrist, other.wrist)


def _phalanges(word: str, chain: Sequence[str]) -> dict[str, str]:
    parts = {f"{word}{number}": bone for number, bone in enumerate(chain[:3], 1)}
    return parts | ({f"{word}_tip": chain[3]} if len(chain) > 3 else {})


def _arm(rig: Rig, wrist: str, other: str) -> dict[str, str]:
    """Of the bones between the wrist and where the arms meet: the elbow divides shoulder and wrist most evenly."""
    shared = set(ancestors(rig, other))
    above = [name for name in ancestors(rig, wrist) if name not in shared]
    if len(above) < 2:
        return {"forearm": above[0]} if above else {}
    hand = rig[wrist].head

    def uneven(pair: tuple[int, int]) -> float:
        elbow, shoulder = rig[above[pair[0]]].head, rig[above[pair[1]]].head
        lower, upper = np.linalg.norm(hand - elbow), np.linalg.norm(elbow - shoulder)
        return abs(float(lower - upper)) - 0.5 * float(lower + upper)

    lower, upper = min(((i, j) for j in range(len(above)) for i in range(j)), key=uneven)
    parts = {"forearm": above[lower], "upper_arm": above[upper]}
    return parts | ({"clavicle": above[upper + 1]} if upper + 1 < len(above) else {})


def _body(rig: Rig, right: _Hand, left: _Hand) -> tuple[dict[str, str], tuple[str, ...]]:
    """Hips and spine: what both arms hang on, from the root upwards."""
    shared = [name for name in ancestors(rig, right.wrist) if name in ancestors(rig, left.wrist)]
    if not shared:
        return {}, ()
    upwards = shared[::-1]
    # A root on the floor has nothing to do with the spine.
    while len(upwards) > 1 and np.linalg.norm(rig[upwards[0]].head - rig[upwards[1]].head) > _spine_step(rig, upwards):
        upwards = upwards[1:]
    return {"hips": upwards[0]}, tuple(upwards[1:])


def _spine_step(rig: Rig, bones: Sequence[str]) -> float:
    steps = [float(np.linalg.norm(rig[b].head - rig[a].head)) for a, b in pairwise(bones[1:])]
    return 4.0 * max(steps) if steps else np.inf
