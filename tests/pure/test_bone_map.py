# SPDX-License-Identifier: GPL-3.0-or-later
"""Bone maps by names: every convention is known, however its names were bent on the way; and what is wrong is said bone by bone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from s2c_blender.motion.bone_map import BoneMap, RigBone, Switch, explain
from s2c_blender.motion.map_files import MAPS, by_names, load_map, match, read_convention, save_map, shipped
from s2c_blender.wire.errors import PianoHandsError
from s2c_blender.wire.hands import FINGER_JOINTS, FINGERS, JOINTS, HandSide

CONVENTIONS = {path.stem: read_convention(path) for path in sorted(MAPS.glob("*.json"))}
BENT = {
    "as they are": lambda name: name,
    "namespace": lambda name: f"hero:{name}",
    "prefix": lambda name: f"Armature_{name}",
    "separators": lambda name: name.replace(".", "_").replace(" ", "_"),
    "capitals": str.upper,
}


def names_of(convention) -> dict:
    """Every name of the convention, by side and part."""
    names = {(side, part): options[0] for side in HandSide for part, options in convention.parts[side].items()}
    names |= {(None, part): options[0] for part, options in convention.centre.items()}
    return names | {(None, name): name for name in convention.spine}


def extra_bones(convention) -> list[str]:
    return ["Root", "Camera_rig", "ik_hand_root", *(name for side in convention.controls for name in side.values())]


def test_there_is_a_map_for_every_convention() -> None:
    known = "smplx rigify_metarig rigify mixamo ready_player_me auto_rig_pro auto_rig_pro_deform unreal4 unreal5 vrm0 vrm1 vroid"
    known += " daz daz9 character_creator reallusion biped makehuman rokoko mmd cats"
    assert set(known.split()) <= set(CONVENTIONS)
    for name, convention in CONVENTIONS.items():
        for side in HandSide:
            assert set(JOINTS) <= set(convention.parts[side]), name


@pytest.mark.parametrize("bent", BENT)
@pytest.mark.parametrize("stem", CONVENTIONS)
def test_no_bone_of_any_convention_is_wrong(stem: str, bent: str) -> None:
    convention, bend = CONVENTIONS[stem], BENT[bent]
    names = names_of(convention)
    found = by_names([bend(name) for name in [*extra_bones(convention), *names.values()]])
    assert found is not None
    for side in HandSide:
        for joint in JOINTS:
            assert found.parts[side][joint] == bend(names[side, joint]), (found.name, joint)


def test_rigify_is_found_by_its_controls_though_its_deforming_bones_are_there(tmp_path) -> None:
    convention = CONVENTIONS["rigify"]
    names = [*names_of(convention).values(), *extra_bones(convention)]
    names += [f"{name}.{side}" for name in ("upper_arm_parent", "upper_arm_ik_target") for side in "RL"]
    names += [prefix + name for prefix in ("DEF-", "ORG-") for name in names_of(CONVENTIONS["rigify_metarig"]).values()]
    found = by_names(names)
    assert found is not None and found.name == "Rigify"
    assert found.ik[HandSide.LEFT].hand == "hand_ik.L"
    assert found.ik[HandSide.RIGHT].hand_switch.bone == "upper_arm_parent.R"
    assert found.ik[HandSide.LEFT].hand_pole == "upper_arm_ik_target.L"
    assert found.ik[HandSide.RIGHT].hand_pole_switch == Switch("upper_arm_parent.R", "pole_vector", 1.0)
    save_map(tmp_path / "own.json", found)
    assert load_map(tmp_path / "own.json", names).ik == found.ik


def test_unknown_names_have_no_map() -> None:
    assert by_names([f"Bone.{number:03d}" for number in range(60)]) is None


def straight_rig(convention_name: str = "unreal4") -> tuple[BoneMap, dict[str, RigBone]]:
    """Two hands whose fingers lie beside each other, of a convention's bones."""
    bone_map = match(CONVENTIONS[convention_name], list(names_of(CONVENTIONS[convention_name]).values()))
    rig: dict[str, RigBone] = {}
    for side in HandSide:
        parts = bone_map.parts[side]
        sign = 1.0 if side is HandSide.RIGHT else -1.0
        chain = [part for part in ("clavicle", "upper_arm", "forearm", "wrist") if part in parts]
        for number, part in enumerate(chain):
            place = np.array([sign * 0.4, 0.25 * number, 1.0])
            above = parts[chain[number - 1]] if number else None
            rig[parts[part]] = RigBone(parts[part], above, place, place + np.array([0.0, 0.1, 0.0]))
        for part in ("thigh", "shin", "foot"):
            rig[parts[part]] = RigBone(parts[part], None, np.array([sign * 0.1, 0.0, 0.5]), np.array([sign * 0.1, 0.0, 0.4]))
        wrist = rig[parts["wrist"]].head
        for finger, joints in enumerate(FINGER_JOINTS):
            above = parts["wrist"]
            for number, joint in enumerate(joints):
                place = wrist + np.array([sign * (0.02 * finger - 0.04), (0.03 if finger == 0 else 0.09) + 0.03 * number, 0.0])
                name = parts[JOINTS[joint]]
                rig[name] = RigBone(name, above, place, place + np.array([0.0, 0.03, 0.0]))
                above = name
    return bone_map, rig


def changed(bone_map: BoneMap, **parts: str | None) -> BoneMap:
    right = {part: bone for part, bone in (dict(bone_map.parts[0]) | parts).items() if bone}
    return replace(bone_map, parts=(right, bone_map.parts[1]))


def test_a_right_map_has_nothing_to_say() -> None:
    bone_map, rig = straight_rig()
    assert [str(note) for note in explain(bone_map, rig)] == []


@pytest.mark.parametrize(
    ("change", "part", "words", "stops"),
    [
        ({"index2": "gone"}, "index2", "no bone of that name", True),
        ({"wrist": None}, "wrist", "choose the bone", True),
        ({"pinky1": None, "pinky2": None, "pinky3": None}, "pinky1", "will not play", False),
        ({"ring3": None}, "ring3", "as one piece", False),
        ({"index1": "ring_01_r", "ring1": "index_01_r"}, "index2", "does not hang on", True),
        ({"index2": "index_01_r"}, "index2", "already", True),
        ({"upper_arm": None}, "forearm", "without an arm", False),
    ],
)
def test_what_is_wrong_is_said_of_the_bone(change, part, words, stops) -> None:
    bone_map, rig = straight_rig()
    notes = [note for note in explain(changed(bone_map, **change), rig) if words in note.text]
    assert notes and notes[0].part == part and notes[0].side is HandSide.RIGHT and notes[0].stops is stops
    assert part.replace("_", " ") in str(notes[0])


def test_fingers_in_the_wrong_order_and_a_thumb_on_the_wrong_side_stop_it() -> None:
    bone_map, rig = straight_rig()
    parts = dict(bone_map.parts[0])
    swapped = {f"{a}{n}": parts[f"{b}{n}"] for a, b in (("index", "ring"), ("ring", "index")) for n in (1, 2, 3)}
    assert any("in their order" in note.text and note.stops for note in explain(changed(bone_map, **swapped), rig))
    swapped = {f"{a}{n}": parts[f"{b}{n}"] for a, b in (("thumb", "pinky"), ("pinky", "thumb")) for n in (1, 2, 3)}
    assert any(note.stops for note in explain(changed(bone_map, **swapped), rig))


def test_a_map_of_ones_own_comes_back_from_its_file(tmp_path) -> None:
    names = [f"Joint{number}" for number in range(40)]
    hands = [{joint: names[16 * side + number] for number, joint in enumerate(JOINTS)} for side in HandSide]
    own = BoneMap("Hero", (hands[0], hands[1]), {"hips": names[35]}, (names[36], names[37]))
    save_map(tmp_path / "hero.json", own)
    assert load_map(tmp_path / "hero.json", names) == own
    with pytest.raises(PianoHandsError, match="names no hand"):
        load_map(tmp_path / "hero.json", ["Some", "other", "bones"])


def test_controls_are_kept_in_the_file(tmp_path) -> None:
    convention = CONVENTIONS["rigify"]
    names = [*names_of(convention).values(), *extra_bones(convention)]
    names += [f"{limb}_parent.{side}" for limb in ("upper_arm", "thigh") for side in "RL"]
    found = match(convention, names)
    save_map(tmp_path / "rigify.json", found)
    assert load_map(tmp_path / "rigify.json", names) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2, "name": "x", "bones": {}}',
        '{"format": 1, "name": "x", "bones": {"tail": "b"}}',
        '{"format": 1, "name": "x", "bones": {"wrist": 3}}',
        '{"format": 1, "name": "x", "sides": {"side": ["R"]}, "bones": {"wrist": "{side}"}}',
        '{"format": 1, "name": "x", "bones": {"wrist": "b"}, "ik": {"hand_switch": 5}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_map_is_refused(tmp_path, text) -> None:
    path = tmp_path / "map.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(PianoHandsError, match="no bone map"):
        read_convention(path)


def test_map_files_are_plain_and_of_the_written_format() -> None:
    assert (MAPS / "FORMAT.md").is_file()
    assert len(shipped()) == len(CONVENTIONS)
    for path in MAPS.glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["format"] == 1
    assert len(FINGERS) == 5
