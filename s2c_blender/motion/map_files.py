# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps as JSON files (format: rigs/maps/FORMAT.md): read, written, and found by the names of an armature's bones."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..wire.errors import PianoHandsError, write_failed
from ..wire.hands import JOINTS, HandSide
from .bone_map import CENTRE_PARTS, SIDE_PARTS, BoneMap, IkControls, Switch

MAPS = Path(__file__).resolve().parents[2] / "rigs" / "maps"
FORMAT = 1
_LARGEST = 1_000_000  # bytes
_SEPARATORS = re.compile(r"[\s._\-]+")
_PROBES = ("wrist", "index1", "thumb1", "middle2")  # parts by which a common prefix is found
_CONTROLS = ("hand", "hand_pole", "foot")

Names = tuple[str, ...]


@dataclass(frozen=True)
class Convention:
    """A map file: for each part the names it may have, for each side; the first that is there counts."""

    name: str
    parts: tuple[Mapping[str, Names], Mapping[str, Names]]
    centre: Mapping[str, Names]
    spine: Names
    controls: tuple[Mapping[str, str], Mapping[str, str]]
    switches: tuple[Mapping[str, Switch], Mapping[str, Switch]]
    prefix: str


def plain(name: str) -> str:
    """A bone's name without case, namespace and separators."""
    bare = name.rpartition(":")[2].rpartition("|")[2]
    return _SEPARATORS.sub("_", bare.casefold()).strip("_")


def read_convention(path: Path) -> Convention:
    """Raises PianoHandsError('bad-map')."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("it is too large")
        return _convention(json.loads(path.read_text(encoding="utf-8")))
    except KeyError as error:
        problem = f"it lacks {error}"
    except (OSError, ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        problem = str(error)
    raise PianoHandsError("bad-map", f"{path} is no bone map: {problem}.", "See rigs/maps/FORMAT.md, or save a map from the panel.")


@lru_cache(maxsize=1)
def shipped() -> tuple[Convention, ...]:
    """The conventions that come with the extension."""
    return tuple(read_convention(path) for path in sorted(MAPS.glob("*.json")))


def _convention(document: dict[str, Any]) -> Convention:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']!r} instead of {FORMAT}")
    words: dict[str, list[str]] = document.get("sides", {})
    parts: dict[str, Any] = dict(document["bones"])
    unknown = [part for part in parts if part not in SIDE_PARTS]
    unknown += [part for part in document.get("centre", {}) if part not in CENTRE_PARTS]
    if unknown:
        raise ValueError(f"there is no part {unknown[0]!r}")
    ik: dict[str, Any] = document.get("ik", {})
    by_side = [
        (
            {part: _names(value, side, words) for part, value in parts.items()},
            {part: name for part in _CONTROLS if part in ik for name in _names(ik[part], side, words)[:1]},
            {part: _switch(ik[f"{part}_switch"], side, words) for part in _CONTROLS if f"{part}_switch" in ik},
        )
        for side in HandSide
    ]
    (right, right_ik, right_switch), (left, left_ik, left_switch) = by_side
    return Convention(
        name=str(document["name"]),
        parts=(right, left),
        centre={part: _names(value, HandSide.RIGHT, {}) for part, value in document.get("centre", {}).items()},
        spine=tuple(str(name) for name in document.get("spine", ())),
        controls=(right_ik, left_ik),
        switches=(right_switch, left_switch),
        prefix=str(document.get("prefix", "")),
    )


def _names(value: Any, side: HandSide, words: Mapping[str, Sequence[str]]) -> Names:
    if isinstance(value, dict):
        if side.word not in value:
            return ()
        value = value[side.word]
    listed = value if isinstance(value, list) else [value]
    if not listed or not all(isinstance(name, str) and name for name in listed):
        raise ValueError(f"{value!r} is no name of a bone")
    return tuple(_filled(name, side, words) for name in listed)


def _filled(name: str, side: HandSide, words: Mapping[str, Sequence[str]]) -> str:
    for word, choice in words.items():
        name = name.replace("{" + word + "}", str(choice[side]))
    return name


def _switch(value: Any, side: HandSide, words: Mapping[str, Sequence[str]]) -> Switch:
    bone, name, on = value
    return Switch(_names(bone, side, words)[0], str(name), float(on))


def match(convention: Convention, bones: Sequence[str]) -> BoneMap | None:
    """The convention's parts that these bones have, under the prefix that fits best; None where it has no hand."""
    by_plain: dict[str, str] = {}
    for bone in bones:
        by_plain.setdefault(plain(bone), bone)
    best: tuple[tuple[int, ...], BoneMap] | None = None
    for prefix in _prefixes(convention, list(by_plain)):
        found = _under(convention, by_plain, prefix)
        rank = (found.hand_bones(), found.count(), -len(prefix))
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best and best[1].hand_bones() > 2 else None


def _prefixes(convention: Convention, names: Sequence[str]) -> list[str]:
    """What stands before names that end like the convention's."""
    ends = [plain(name) for part in _PROBES for name in convention.parts[HandSide.RIGHT].get(part, ())]
    found = {name[: -len(end)] for end in ends for name in names if name.endswith(end)}
    return sorted(found | {""}, key=lambda prefix: (len(prefix), prefix))


def _under(convention: Convention, by_plain: Mapping[str, str], prefix: str) -> BoneMap:
    def there(names: Names) -> str | None:
        return next((by_plain[prefix + plain(name)] for name in names if prefix + plain(name) in by_plain), None)

    def all_there(wanted: Mapping[str, Names]) -> dict[str, str]:
        return {part: bone for part, names in wanted.items() if (bone := there(names))}

    right, left = (all_there(parts) for parts in convention.parts)
    spine = tuple(bone for name in convention.spine if (bone := there((name,))))
    controls = [_controls(convention, side, there) for side in HandSide]
    return BoneMap(convention.name, (right, left), all_there(convention.centre), spine, (controls[0], controls[1]))


def _controls(convention: Convention, side: HandSide, there: Any) -> IkControls:
    bones = {part: there((name,)) for part, name in convention.controls[side].items()}
    switches: dict[str, Switch | None] = {}
    for part, switch in convention.switches[side].items():
        bone = there((switch.bone,))
        switches[part] = Switch(bone, switch.name, switch.value) if bone else None
    return IkControls(
        hand=bones.get("hand"),
        hand_switch=switches.get("hand"),
        hand_pole=bones.get("hand_pole"),
        hand_pole_switch=switches.get("hand_pole"),
        foot=bones.get("foot"),
        foot_switch=switches.get("foot"),
    )


def by_names(bones: Sequence[str], conventions: Sequence[Convention] | None = None) -> BoneMap | None:
    """The best of all conventions; None where no names are known."""
    conventions = shipped() if conventions is None else conventions
    joined = " ".join(bones).casefold()
    best: tuple[tuple[int, ...], BoneMap] | None = None
    for convention in conventions:
        found = match(convention, bones)
        if found is None:
            continue
        hinted = bool(convention.prefix) and convention.prefix.casefold() in joined
        # A rig with an animator's controls has its deforming bones, too: the controls are what is animated.
        rank = (found.hand_bones(), sum(bool(side.hand) for side in found.ik), -_prefix_length(found), hinted, found.count())
        if best is None or rank > best[0]:
            best = rank, found
    return best[1] if best else None


def _prefix_length(found: BoneMap) -> int:
    wrist = found.parts[HandSide.RIGHT].get("wrist", "")
    return len(wrist.rpartition(":")[2])


def save_map(path: Path, bone_map: BoneMap) -> None:
    """Write a rig's own map as a file to share. Raises PianoHandsError('write-failed')."""
    right, left = bone_map.parts
    bones = {
        part: {side.word: bone_map.parts[side][part] for side in HandSide if part in bone_map.parts[side]}
        for part in SIDE_PARTS
        if part in right or part in left
    }
    document: dict[str, Any] = {"format": FORMAT, "name": bone_map.name, "bones": bones, "centre": dict(bone_map.centre)}
    if bone_map.spine:
        document["spine"] = list(bone_map.spine)
    ik = _ik_document(bone_map)
    if ik:
        document["ik"] = ik
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise write_failed(path, error) from error


def _ik_document(bone_map: BoneMap) -> dict[str, Any]:
    ik: dict[str, Any] = {}
    for part in _CONTROLS:
        bones = {side.word: getattr(bone_map.ik[side], part) for side in HandSide}
        switches: list[Switch | None] = [getattr(bone_map.ik[side], f"{part}_switch") for side in HandSide]
        if all(bones.values()):
            ik[part] = bones
        right, left = switches
        if right and left:
            ik[f"{part}_switch"] = [{"right": right.bone, "left": left.bone}, right.name, right.value]
    return ik


def load_map(path: Path, bones: Sequence[str]) -> BoneMap:
    """A person's map on an armature with these bones. Raises PianoHandsError('bad-map') where none of it fits."""
    found = match(read_convention(path), bones)
    if found is None:
        raise PianoHandsError(
            "bad-map",
            f"{path.name} names no hand of this armature.",
            f"It asks for bones such as {', '.join(_examples(path))}. Choose another map or armature.",
        )
    return found


def _examples(path: Path) -> list[str]:
    parts = read_convention(path).parts[HandSide.RIGHT]
    return [parts[joint][0] for joint in JOINTS if joint in parts][:3]
