# SPDX-License-Identifier: GPL-3.0-or-later
"""A character's hands for the solve: from the rest bones of any armature, and its skin where it has one, to a HandSkeleton.

The solve's hands lie flat. A rig's rest hands may hang, curl and be rolled as they like: `CharacterHands.fit` leads from one to
the other. Axes of flexion and abduction come from where joints lie, never from the bones' rolls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGER_JOINTS, JOINTS, HandSide
from .bone_map import TIPS, BoneMap, Rig, RigBone, ancestors
from .finger_ends import BEHIND, PADS, SKIN, extreme_points, finger_frame, spread_points
from .hand_rig import own_skeleton
from .skeleton import HandSkeleton

Array = NDArray[np.float64]

#: By the number of a finger's bones: shares of its last one's length at which joints lie that have no bone.
_SPLIT = {3: (1.0, 1.0, 1.0), 2: (1.0, 0.55, 0.45), 1: (0.5, 0.28, 0.22)}
_RIGID = (0.98, 0.9, 0.75, 0.5)  # weights from which skin counts as one with the last bone: the first that leaves enough points
_PAD = (0.8, 0.5)  # and from which it counts as part of the pad: flesh that is pressed on a key reaches back to the last joint
_ENOUGH = 30  # points
_LAST_SHARE = 0.85  # length of a last phalanx whose end nothing marks, as a share of the one before
_STRAIGHT = 0.6  # cosine between a bone's tail and the phalanx before, from which the tail counts as the fingertip
_CURLED = np.radians(14.0)  # over a whole finger: from here on its own plane says how it bends


@dataclass(frozen=True)
class SideSkin:
    """One hand's skin at rest in the armature's space (metres): points (N, 3), how far each follows each joint (N, 16)."""

    points: Array
    weights: Array


@dataclass(frozen=True)
class CharacterHands:
    """skeleton: flat, for the solve. fit: (2, 16, 3, 3) rotations from the armature's space at rest to the flat hand's.

    A bone that plays joint j turns by  R^-1 G fit[j]  in the armature's space: G turns the joint in the world, R the armature.
    joints: (2, 16, 3) places at rest in the armature's space. bones: (2, 16) the bone of each joint, "" where there is none.
    """

    skeleton: HandSkeleton
    fit: Array
    joints: Array
    bones: tuple[tuple[str, ...], tuple[str, ...]]

    def missing_fingers(self, side: HandSide) -> frozenset[int]:
        """Fingers without bones, 0 the thumb."""
        return frozenset(finger for finger in range(5) if not self.bones[side][FINGER_JOINTS[finger][0]])


@dataclass
class _Side:
    """One hand on its way; joints' arrays in MANO order."""

    rest: Array
    tips: Array
    flexion: Array
    abduction: Array
    pads: Array
    skin: Array
    share: Array
    radius: Array
    fit: Array
    joints: Array
    bones: list[str]


def character_hands(bone_map: BoneMap, rig: Rig, skins: Sequence[SideSkin | None], *, name: str) -> CharacterHands:
    """`rig` in metres, whatever the armature's own unit. Both hands must be playable (`BoneMap.complete`)."""
    model = own_skeleton()
    sides = [_side(bone_map, rig, model, HandSide(side), skin) for side, skin in enumerate(skins)]

    def both(part: str) -> Array:
        return np.stack([getattr(side, part) for side in sides])

    skeleton = HandSkeleton(
        name=name,
        rest=both("rest"),
        tips=both("tips"),
        flexion=both("flexion"),
        abduction=both("abduction"),
        pads=both("pads"),
        skin=both("skin"),
        skin_share=both("share"),
        radius=both("radius"),
    )
    return CharacterHands(skeleton, both("fit"), both("joints"), (tuple(sides[0].bones), tuple(sides[1].bones)))


def _side(bone_map: BoneMap, rig: Rig, model: HandSkeleton, side: HandSide, skin: SideSkin | None) -> _Side:
    parts = bone_map.parts[side]
    wrist = rig[parts["wrist"]].head
    turn, scale = _alignment(bone_map, rig, model, side)
    hand = _Side(
        rest=model.rest[side] * scale,
        tips=model.tips[side] * scale,
        flexion=model.flexion[side].copy(),
        abduction=model.abduction[side].copy(),
        pads=model.pads[side] * scale,
        skin=model.skin[side] * scale,
        share=model.skin_share[side].copy(),
        radius=model.radius[side] * scale,
        fit=np.tile(turn, (16, 1, 1)),
        joints=np.tile(wrist, (16, 1)),
        bones=["" for _ in JOINTS],
    )
    hand.bones[0] = parts["wrist"]
    for finger in range(5):
        bones = [rig[bone] for bone in bone_map.chain(side, finger)]
        if bones:
            _finger(hand, bones, _tip(bone_map, rig, side, finger, skin), model, (side, finger), skin)
        else:
            _no_finger(hand, finger)
    if skin is not None:
        _thickness(hand, skin)
    return hand


def _alignment(bone_map: BoneMap, rig: Rig, model: HandSkeleton, side: HandSide) -> tuple[Array, float]:
    """The turn that lays the rig's wrist and knuckles on the model's, and how much larger the rig's hand is (Kabsch 1976)."""
    wrist = rig[bone_map.parts[side]["wrist"]].head
    there, ours = [np.zeros(3)], [np.zeros(3)]
    lengths: list[tuple[float, float]] = []
    for finger in range(1, 5):
        bones = bone_map.chain(side, finger)
        if not bones:
            continue
        joints = FINGER_JOINTS[finger]
        there.append(rig[bones[0]].head - wrist)
        ours.append(model.rest[side, joints[0]])
        known = min(len(bones), 3)
        lengths.append(
            (
                float(np.linalg.norm(there[-1])) + _reach([rig[bone].head for bone in bones]),
                float(np.linalg.norm(ours[-1])) + _reach(list(model.rest[side, list(joints[:known])])),
            )
        )
    scale = sum(a for a, _ in lengths) / sum(b for _, b in lengths)
    u, _, vt = np.linalg.svd(np.array(ours).T @ np.array(there))
    proper = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])
    return np.asarray(u @ proper @ vt, dtype=float), scale


def _reach(points: Sequence[Array]) -> float:
    return float(sum(np.linalg.norm(b - a) for a, b in pairwise(points)))


def _tip(bone_map: BoneMap, rig: Rig, side: HandSide, finger: int, skin: SideSkin | None) -> Array:
    """Where a finger ends, as its bones or its skin say."""
    chain = [rig[bone] for bone in bone_map.chain(side, finger)]
    last = chain[-1]
    marked = _tip_bone(bone_map, rig, side, finger, last)
    before = last.head - chain[-2].head if len(chain) > 1 else last.tail - last.head
    if marked is not None:
        tip = marked
    elif skin is not None and (own := _skin_of(skin, FINGER_JOINTS[finger][len(chain) - 1])) is not None:
        # The middle of the last phalanx' flesh lies on its axis; of the tail nothing is sure in imported rigs.
        middle = own.mean(axis=0) - last.head
        tip = last.head + middle / np.linalg.norm(middle) * np.linalg.norm(before) * _LAST_SHARE
    elif _cosine(last.tail - last.head, before) > _STRAIGHT:
        tip = last.tail
    else:
        tip = last.head + _LAST_SHARE * before
    if skin is None or (own := _skin_of(skin, FINGER_JOINTS[finger][len(chain) - 1])) is None:
        return tip
    along = (tip - last.head) / np.linalg.norm(tip - last.head)
    return last.head + along * float(((own - last.head) @ along).max())


def _tip_bone(bone_map: BoneMap, rig: Rig, side: HandSide, finger: int, last: RigBone) -> Array | None:
    named = bone_map.parts[side].get(TIPS[finger])
    if named is not None and named in rig and last.name in ancestors(rig, named):
        return rig[named].head
    return None


def _skin_of(skin: SideSkin, joint: int, *, weights: Sequence[float] = _RIGID) -> Array | None:
    """Points that follow this joint alone, or nearly; None where there are too few."""
    for least in weights:
        own = skin.points[skin.weights[:, joint] >= least]
        if len(own) >= _ENOUGH:
            return own
    return None


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))


def _finger(
    hand: _Side,
    bones: Sequence[RigBone],
    tip: Array,
    model: HandSkeleton,
    which: tuple[HandSide, int],
    skin: SideSkin | None,
) -> None:
    side, finger = which
    chain = FINGER_JOINTS[finger]
    turn = hand.fit[0].copy()
    wrist = hand.joints[0].copy()
    ends = np.array([*(bone.head for bone in bones), tip])
    ways = [turn @ (b - a) for a, b in pairwise(ends)]
    model_ends = [*model.rest[side, list(chain)], model.tips[side, finger]]
    flexions = _flexion_axes(ways, model, which)
    place = turn @ (bones[0].head - wrist)
    split = _SPLIT[len(bones)]
    for number, joint in enumerate(chain):
        own = min(number, len(bones) - 1)
        flat = model_ends[own + 1] - model_ends[own]
        flat = flat / np.linalg.norm(flat)
        hand.rest[joint] = place
        place = place + flat * float(np.linalg.norm(ways[own])) * split[number]
        if number < len(bones):
            to_flat = _frame(flat, model.flexion[side, joint]) @ _frame(ways[number], flexions[number]).T
            hand.fit[joint] = to_flat @ turn
            hand.joints[joint], hand.bones[joint] = bones[number].head, bones[number].name
        else:  # no bone: it cannot bend here
            hand.flexion[joint] = 0.0
            hand.fit[joint], hand.joints[joint] = hand.fit[chain[own]], hand.joints[chain[own]]
    hand.tips[finger] = place
    last = chain[len(bones) - 1]
    if skin is not None:
        _ends_of_skin(hand, skin, which, last)
    else:
        _borrowed_ends(hand, model, which)


def _flexion_axes(ways: Sequence[Array], model: HandSkeleton, which: tuple[HandSide, int]) -> list[Array]:
    """An axis for each phalanx, in the aligned frame: across the plane in which the finger is curled at rest, where it is; else
    as in the model's finger, carried along by the smallest turn."""
    side, finger = which
    chain = FINGER_JOINTS[finger]
    ends = [*model.rest[side, list(chain)], model.tips[side, finger]]
    carried: list[Array] = []
    for number, way in enumerate(ways):
        flat = ends[number + 1] - ends[number]
        carried.append(_smallest_turn(flat, way) @ model.flexion[side, chain[number]])
    curl = sum((np.cross(a / np.linalg.norm(a), b / np.linalg.norm(b)) for a, b in pairwise(ways)), np.zeros(3))
    bent = float(np.linalg.norm(curl))
    if bent > np.sin(_CURLED):
        plane = curl / bent
        if plane @ np.mean(carried, axis=0) > 0.7:
            return [plane - (plane @ way) * way / (way @ way) for way in ways]
    return carried


def _smallest_turn(a: Array, b: Array) -> Array:
    """(3, 3) the rotation that takes direction a to b without twist."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    x, y, z = axis
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + skew + skew @ skew / max(1.0 + cosine, 1e-6)


def _frame(along: Array, across: Array) -> Array:
    """(3, 3) columns: along, across square to it, and the third."""
    along = along / np.linalg.norm(along)
    across = across - (across @ along) * along
    across = across / np.linalg.norm(across)
    return np.stack([along, across, np.cross(along, across)], axis=1)


def _no_finger(hand: _Side, finger: int) -> None:
    """A finger that is not there: short, stiff, and nowhere near a key."""
    chain = list(FINGER_JOINTS[finger])
    knuckle = hand.rest[chain[0]] * 0.9
    hand.rest[chain] = knuckle
    hand.rest[chain, 2] += 0.002 * np.arange(3)
    hand.tips[finger] = knuckle + np.array([0.0, 0.0, 0.006])
    hand.flexion[chain] = hand.abduction[chain] = 0.0
    hand.pads[finger] = hand.skin[finger] = (0.0, 0.0, 0.001)
    hand.radius[chain] = 0.001


def _borrowed_ends(hand: _Side, model: HandSkeleton, which: tuple[HandSide, int]) -> None:
    """No skin: the model's fingertip, as long as the rig's last phalanx."""
    side, finger = which
    last = FINGER_JOINTS[finger][-1]
    along = model.tips[side, finger] - model.rest[side, last]
    length = float(np.linalg.norm(along))
    stretch = float(np.linalg.norm(hand.tips[finger] - hand.rest[last])) / length
    thick = float(hand.radius[0] / model.radius[side, 0])
    along = along / length
    for points, source in ((hand.pads, model.pads), (hand.skin, model.skin)):
        lengthwise = (source[side, finger] @ along)[:, None] * along
        points[finger] = lengthwise * stretch + (source[side, finger] - lengthwise) * thick


def _ends_of_skin(hand: _Side, skin: SideSkin, which: tuple[HandSide, int], last: int) -> None:
    """Pad and skin of a finger from the rig's own skin, relative to the (perhaps missing) last joint."""
    finger = which[1]
    chain = FINGER_JOINTS[finger]
    own = _skin_of(skin, last, weights=_PAD)
    if own is None:
        return
    offset = hand.rest[last] - hand.rest[chain[-1]]
    frame = finger_frame(hand.tips[finger] - hand.rest[chain[-1]], _nail(hand, which, last))
    flat = (own - hand.joints[last]) @ hand.fit[last].T + offset
    hand.pads[finger] = flat[extreme_points(flat, frame, which, count=PADS)]
    before = chain[max(chain.index(last) - 1, 0)]
    share = skin.weights[:, last]
    near = share + (skin.weights[:, before] if before != last else 0.0) > 0.5
    around = (skin.points[near] - hand.joints[last]) @ hand.fit[last].T + offset
    along = around @ frame[:, 1]
    keep = along > -BEHIND
    around, share = around[keep], share[near][keep]
    picked = spread_points(around, first=int(np.argmax(along[keep])), count=SKIN)
    hand.skin[finger], hand.share[finger] = around[picked], np.clip(share[picked], 0.0, 1.0)


def _nail(hand: _Side, which: tuple[HandSide, int], last: int) -> Array:
    """Where the nail looks: square to the flexion axis and the phalanx."""
    _, finger = which
    along = hand.tips[finger] - hand.rest[last]
    return np.cross(along, hand.flexion[last]) if np.any(hand.flexion[last]) else hand.abduction[last]


def _thickness(hand: _Side, skin: SideSkin) -> None:
    """Half the flesh around each segment: the median distance of the skin from it; of the palm half its thickness."""
    for chain, tip in zip(FINGER_JOINTS, hand.tips, strict=True):
        ends = [*hand.rest[list(chain)], tip]
        for number, joint in enumerate(chain):
            if not hand.bones[joint] or (own := _skin_of(skin, joint)) is None:
                continue
            flat = (own - hand.joints[joint]) @ hand.fit[joint].T + hand.rest[joint]
            along = ends[number + 1] - ends[number]
            t = np.clip((flat - ends[number]) @ along / (along @ along), 0.0, 1.0)
            distance = np.linalg.norm(flat - ends[number] - t[:, None] * along, axis=1)
            hand.radius[joint] = float(np.clip(np.median(distance), 0.5 * hand.radius[joint], 1.8 * hand.radius[joint]))
