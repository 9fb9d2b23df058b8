# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of small pictures of a finished scene, moments down and cameras across, for judging by eye how hands look.

python tests/bench/contact_sheet.py out/scene.blend -o sheet.png --moments 8 --cameras front,top,close
"""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[2]))

from s2c_blender.scene.action import write_curves
from s2c_blender.scene.contact_sampling import hand_meshes
from s2c_blender.scene.render import render_stills
from s2c_blender.scene.timing import frame_at, rate

Array = NDArray[np.floating]


@dataclass(frozen=True)
class View:
    """From where (degrees around: 0 from the player, positive from the treble; and above the keys), at whose hands, lens in mm."""

    around: float
    above: float
    whose: str = "both"
    lens: float = 80.0

    def rotation(self) -> Matrix:
        around, above = np.radians([self.around, self.above])
        way = Vector((np.cos(above) * np.sin(around), -np.cos(above) * np.cos(around), np.sin(above)))
        return way.to_track_quat("Z", "Y").to_matrix()


#: Views that look at hands wherever they are. A scene's own "Camera NAME" comes first.
VIEWS = {
    "front": View(17.0, 41.0, lens=55.0),
    "top": View(0.0, 84.0, lens=60.0),
    "close": View(38.0, 27.0, lens=65.0),
    "level": View(0.0, 4.0),
    "right": View(35.0, 25.0, "right"),
    "left": View(-35.0, 25.0, "left"),
    "thumb-right": View(-70.0, 12.0, "right"),
    "thumb-left": View(70.0, 12.0, "left"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scene", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("sheet.png"))
    parser.add_argument("--moments", type=int, default=8, help="how many, spread evenly from --start to --end")
    parser.add_argument("--at", help="the moments themselves, in seconds of the music, with commas")
    parser.add_argument("--start", type=float, default=0.0)
    parser.add_argument("--end", type=float, help="default: the end of the scene")
    parser.add_argument("--cameras", default="front,top,close", help=f"names of the scene's cameras, or of {', '.join(VIEWS)}")
    parser.add_argument("--size", default="480x270", help="of one picture")
    options = parser.parse_args()
    bpy.ops.wm.open_mainfile(filepath=str(options.scene.resolve()))
    scene = bpy.context.scene
    end = options.end if options.end is not None else (scene.frame_end - scene["s2c_start_frame"]) / rate(scene)
    spread = np.linspace(options.start, end, options.moments + 2)[1:-1]
    moments = [float(t) for t in options.at.split(",")] if options.at else [round(float(t), 2) for t in spread]
    width, height = (int(n) for n in options.size.split("x"))
    cameras = [_camera(scene, name, moments, aspect=height / width) for name in options.cameras.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        pictures = render_stills(scene, Path(folder), moments, cameras=cameras, size=(width, height))
        tiles = np.array([_read(path) for path in pictures]).reshape(len(moments), len(cameras), height, width, 4)
    for row, moment in zip(tiles, moments, strict=True):
        _write_number(row[0], f"{moment:.2f}")
    _save(np.concatenate([np.concatenate(row, axis=1) for row in tiles], axis=0), options.out)
    print(f"{options.out}: moments {', '.join(f'{t:.2f}' for t in moments)} s down, {options.cameras} across")


def _camera(scene: bpy.types.Scene, name: str, moments: list[float], *, aspect: float) -> bpy.types.Object:
    found = scene.objects.get(f"Camera {name}") or scene.objects.get(name)
    if found is not None and found.type == "CAMERA":
        return found
    if name not in VIEWS:
        raise SystemExit(f"No camera {name!r} in the scene; there are views named {', '.join(VIEWS)}.")
    view = VIEWS[name]
    camera = bpy.data.objects.new(f"View {name}", bpy.data.cameras.new(name))
    camera.data.lens, camera.data.clip_start = view.lens, 0.01
    camera.rotation_euler = view.rotation().to_euler()
    scene.collection.objects.link(camera)
    places = np.array([_place(scene, moment, view, aspect=aspect) for moment in moments])
    order = np.argsort(moments)
    frames = np.array([frame_at(scene, moment) for moment in moments])[order]
    write_curves(camera, f"View {name}", {("location", axis, "Location"): (frames, places[order, axis]) for axis in range(3)})
    return camera


def _place(scene: bpy.types.Scene, moment: float, view: View, *, aspect: float) -> Vector:
    """Where a camera that looks from `view` has the hands just in its picture."""
    frame = frame_at(scene, moment)
    scene.frame_set(int(frame // 1), subframe=frame % 1.0)
    graph = bpy.context.evaluated_depsgraph_get()
    hands = [ob for ob in hand_meshes(scene) if view.whose == "both" or ob["s2c_hand"] in (view.whose, "both")]
    corners = []
    for ob in hands:
        mesh = ob.evaluated_get(graph)
        co = np.empty(3 * len(mesh.data.vertices), dtype=np.float32)
        mesh.data.vertices.foreach_get("co", co)
        corners.append(co.reshape(-1, 3) @ np.array(mesh.matrix_world)[:3, :3].T + np.array(mesh.matrix_world.translation))
    points = np.concatenate(corners)
    turn = np.array(view.rotation())
    seen = points @ turn
    low, high = seen.min(axis=0), seen.max(axis=0)
    half = 0.5 * (high - low)[:2] * 1.1
    distance = max(half[0], half[1] / aspect) / (0.5 * 36.0 / view.lens)
    return Vector(turn @ np.array([*(0.5 * (low + high))[:2], high[2] + distance]))


def _read(path: Path) -> Array:
    """(height, width, 4), top row first."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    bpy.data.images.remove(image)
    return pixels.reshape(height, width, 4)[::-1]


def _save(sheet: Array, path: Path) -> None:
    height, width = sheet.shape[:2]
    image = bpy.data.images.new("Sheet", width, height)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.ascontiguousarray(sheet[::-1], dtype=np.float32).ravel())
    image.filepath_raw, image.file_format = str(path.resolve()), "PNG"
    image.save()


#: Three by five dots, rows from the top, one octal digit each.
_FONT = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711",
    "5": "74717", "6": "74757", "7": "71111", "8": "75757", "9": "75717", ".": "00002",
}  # fmt: skip


def _write_number(picture: Array, number: str, *, dot: int = 4) -> None:
    """Into the picture's upper left corner, black on white."""
    cells = [[int(bit) for bit in f"{int(row):03b}"] for letter in number for row in _FONT[letter]]
    letters = np.array(cells).reshape(len(number), 5, 3)
    line = np.concatenate([np.pad(letter, ((1, 1), (1, 0))) for letter in letters], axis=1)
    line = np.pad(line, ((0, 0), (0, 1))).repeat(dot, axis=0).repeat(dot, axis=1)
    picture[: line.shape[0], : line.shape[1], :3] = 1.0 - line[..., None]


if __name__ == "__main__":
    main()
