# SPDX-License-Identifier: GPL-3.0-or-later
"""BoneMap: which bone of an armature plays which part of two hands, arms and a body; and what is wrong with it, in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..wire.hands import FINGER_JOINTS, FINGERS, JOINTS, HandSide

Array = NDArray[np.float64]

ARM = ("clavicle", "upper_arm", "forearm")
LEG = ("thigh", "shin", "foot")
METACARPALS = tuple(f"{finger}0" for finger in FINGERS[1:])
TIPS = tuple(f"{finger}_tip" for finger in FINGERS)
SIDE_PARTS = (*ARM, *JOINTS, *METACARPALS, *TIPS, *LEG)
CENTRE_PARTS = ("hips", "neck", "head")
FEWEST_FINGERS = 3  # with the thumb: below that nobody plays


@dataclass(frozen=True)
class RigBone:
    """A bone at rest, in the armature's own space."""

    name: str
    parent: str | None
    head: Array  # (3,)
    tail: Array  # (3,)


Rig = Mapping[str, RigBone]


@dataclass(frozen=True)
class Switch:
    """A custom property that hands a limb over to its IK control."""

    bone: str
    name: str
    value: float


@dataclass(frozen=True)
class IkControls:
    """An animator's IK controls of one side. hand_pole: the bone at which the elbow points."""

    hand: str | None = None
    hand_switch: Switch | None = None
    hand_pole: str | None = None
    hand_pole_switch: Switch | None = None
    foot: str | None = None
    foot_switch: Switch | None = None


@dataclass(frozen=True)
class BoneMap:
    """parts: for each `HandSide`, part (of SIDE_PARTS) to bone. A part without a bone is not in it."""

    name: str
    parts: tuple[Mapping[str, str], Mapping[str, str]]
    centre: Mapping[str, str] = field(default_factory=dict)
    spine: tuple[str, ...] = ()
    ik: tuple[IkControls, IkControls] = (IkControls(), IkControls())

    def chain(self, side: HandSide, finger: int) -> list[str]:
        """Bones of a finger's joints, from the knuckle outwards, as far as there are any."""
        names = [self.parts[side].get(JOINTS[joint]) for joint in FINGER_JOINTS[finger]]
        return [name for name in names[: names.index(None) if None in names else 3] if name]

    def fingers(self, side: HandSide) -> int:
        """How many fingers have bones."""
        return sum(bool(self.chain(side, finger)) for finger in range(5))

    def playable(self, side: HandSide) -> bool:
        """Whether there is enough of a hand to play with."""
        return "wrist" in self.parts[side] and bool(self.chain(side, 0)) and self.fingers(side) >= FEWEST_FINGERS

    @property
    def complete(self) -> bool:
        return all(self.playable(side) for side in HandSide)

    def count(self) -> int:
        """Bones named, of hands and body."""
        return sum(len(parts) for parts in self.parts) + len(self.centre) + len(self.spine)

    def hand_bones(self) -> int:
        """Bones named of wrists and fingers."""
        return sum(joint in parts for parts in self.parts for joint in JOINTS)


@dataclass(frozen=True)
class BoneNote:
    """What is odd about one part. `stops`: the take cannot be baked like this."""

    side: HandSide | None
    part: str
    bone: str | None
    text: str
    stops: bool = False

    def __str__(self) -> str:
        where = f"{self.side.word} {self.part}" if self.side is not None else self.part
        return f"{where.replace('_', ' ')} ({self.bone or 'no bone'}): {self.text}"


def explain(bone_map: BoneMap, rig: Rig) -> list[BoneNote]:
    """What is missing, named twice or out of place, part by part; nothing where all is well."""
    notes: list[BoneNote] = []
    for side in HandSide:
        notes += _missing(bone_map, rig, side)
        if not any(note.stops for note in notes):
            notes += _out_of_place(bone_map, rig, side)
    return notes + _twice(bone_map)


def ancestors(rig: Rig, name: str) -> list[str]:
    """Parents from the nearest to the root."""
    found: list[str] = []
    parent = rig[name].parent
    while parent is not None and parent not in found:
        found.append(parent)
        parent = rig[parent].parent
    return found


def _missing(bone_map: BoneMap, rig: Rig, side: HandSide) -> list[BoneNote]:
    parts = bone_map.parts[side]
    notes = [
        BoneNote(side, part, bone, "the armature has no bone of that name", stops=part in JOINTS)
        for part, bone in parts.items()
        if bone not in rig
    ]
    if "wrist" not in parts:
        return [*notes, BoneNote(side, "wrist", None, "choose the bone of the hand", stops=True)]
    for finger, word in enumerate(FINGERS):
        bones = bone_map.chain(side, finger)
        if not bones:
            notes.append(BoneNote(side, f"{word}1", None, "this finger will not play"))
        elif len(bones) < 3:
            notes.append(BoneNote(side, f"{word}{len(bones) + 1}", None, f"{bones[-1]} bends the rest of the finger as one piece"))
    if not bone_map.playable(side):
        notes.append(BoneNote(side, "wrist", parts["wrist"], "a thumb and two more fingers are needed to play", stops=True))
    if "upper_arm" not in parts or "forearm" not in parts:
        notes.append(BoneNote(side, "forearm", parts.get("forearm"), "without an arm the hand moves by itself"))
    return notes


def _out_of_place(bone_map: BoneMap, rig: Rig, side: HandSide) -> list[BoneNote]:
    notes: list[BoneNote] = []
    parts = bone_map.parts[side]
    wrist = parts["wrist"]
    above: dict[str, str] = {"wrist": parts.get("forearm", ""), "forearm": parts.get("upper_arm", "")}
    for finger, word in enumerate(FINGERS):
        bones = bone_map.chain(side, finger)
        for number, bone in enumerate(bones, 1):
            before = bones[number - 2] if number > 1 else wrist
            if np.linalg.norm(rig[bone].head - rig[before].head) < 1e-6:
                notes.append(
                    BoneNote(side, f"{word}{number}", bone, f"it begins where {before} begins: they are no phalanges", True)
                )
            above[f"{word}{number}"] = before
    for part, before in above.items():
        bone = parts.get(part)
        # Where controls move a rig the hand's own bone may hang elsewhere; a phalanx follows the one before.
        if bone and before and part[-1] in "23" and before not in ancestors(rig, bone):
            notes.append(BoneNote(side, part, bone, f"it does not hang on {before}, so it will not follow it", True))
    return notes + _order(bone_map, rig, side)


def _order(bone_map: BoneMap, rig: Rig, side: HandSide) -> list[BoneNote]:
    """Fingers must lie beside each other in their order, the thumb first."""
    chains = [bone_map.chain(side, finger) for finger in range(5)]
    present = [finger for finger in range(1, 5) if chains[finger]]
    if len(present) < 2 or not chains[0]:
        return []
    knuckles = np.array([rig[chains[finger][0]].head for finger in present])
    across = knuckles[-1] - knuckles[0]
    thumb = rig[chains[0][-1]].head - knuckles[0]
    places = (knuckles - knuckles[0]) @ across
    notes = [
        BoneNote(side, f"{FINGERS[finger]}1", chains[finger][0], "it does not lie beside its neighbours in their order", True)
        for finger, place, before in zip(present[1:], places[1:], places[:-1], strict=True)
        if place <= before
    ]
    if thumb @ across > 0.5 * (across @ across):
        notes.append(BoneNote(side, "thumb1", chains[0][0], "it lies on the little finger's side", True))
    return notes


def _twice(bone_map: BoneMap) -> list[BoneNote]:
    seen: dict[str, str] = {}
    notes: list[BoneNote] = []
    for side in HandSide:
        for part, bone in bone_map.parts[side].items():
            if bone in seen:
                notes.append(BoneNote(side, part, bone, f"it is the {seen[bone]} already", stops=part in JOINTS))
            seen[bone] = f"{side.word} {part}"
    return notes
