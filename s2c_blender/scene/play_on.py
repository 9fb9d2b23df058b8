# SPDX-License-Identifier: GPL-3.0-or-later
"""A take onto a character, step by step: it is placed, its hands are read, and what was solved on them is baked."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import bpy

from ..motion.bone_map import BoneMap
from ..motion.character_hand import CharacterHands
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.hands import HandSide
from . import refinger, seat
from .action import below
from .character import even_scale, find_map, mark_meshes, placed, read_hands
from .character_bake import TAKE as ON_ARMATURE
from .character_bake import BakeReport, bake, bake_changes, remove_bake
from .marks import is_ours
from .stage import HANDS, TAKE

BEFORE = "s2c_before"  # on the armature: the scene's take before the character's


@contextmanager
def as_it_was(scene: bpy.types.Scene, armature: bpy.types.Object) -> Iterator[None]:
    """Put back afterwards what `prepare` changes: for who only wants to know."""
    data, matrix = armature.data, armature.matrix_world.copy()
    hanging = [(child, child.matrix_parent_inverse.copy()) for child in armature.children]
    bench = seat.bench_of(scene)
    stood = (bench.location.copy(), bench.scale.copy()) if bench else None
    try:
        yield
    finally:
        if armature.data != data:
            made, armature.data = armature.data, data
            bpy.data.armatures.remove(made)
        armature.matrix_world = matrix
        for child, inverse in hanging:
            child.matrix_parent_inverse = inverse
        if bench and stood:
            bench.location, bench.scale = stood
        bpy.context.view_layer.update()


def prepare(scene: bpy.types.Scene, armature: bpy.types.Object, bone_map: BoneMap, *, seated: bool) -> CharacterHands:
    """Place the character and read its hands. Raises PianoHandsError('bad-map', 'uneven-scale')."""
    even_scale(armature)
    hands = read_hands(armature, bone_map)
    if seated and not seat.moves_itself(armature):
        factor = seat.fit_scale(hands.skeleton)
        if factor != 1.0:
            armature.scale *= factor
            bpy.context.view_layer.update()
            hands = read_hands(armature, bone_map)
        seat.place_at_piano(armature, bone_map)
        seat.fit_bench(scene, armature, bone_map)
    placed(armature)
    return hands


def commission(clip: Clip, hands: CharacterHands) -> Clip:
    """The clip with the hands on which it is to be solved."""
    return replace(clip, skeleton=hands.skeleton.name, hands=hands.skeleton.to_arrays())


def put_on(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    bone_map: BoneMap,
    hands: CharacterHands,
    clip: Clip,
    path: Path,
    *,
    seated: bool,
    error: float,
) -> BakeReport:
    """Bake a clip of these hands, saved at `path`; our own hands step aside, and the piano keys go with these."""
    played = scene.get(TAKE)
    if played and played not in (armature.get(ON_ARMATURE), str(path)):
        armature[BEFORE] = played
    # Of a take that is baked in place of itself nothing tells any more how the keys went.
    refinger.put_on_keys(scene, None if played == str(path) else _saved(played), clip)
    report = bake(scene, armature, bone_map, hands, clip, seated=seated, error=error)
    _plays(scene, armature, bone_map, path)
    return report


def _plays(scene: bpy.types.Scene, armature: bpy.types.Object, bone_map: BoneMap, path: Path) -> None:
    """The take saved at `path` is baked on the character: from now on it plays it."""
    mark_meshes(armature, bone_map)
    armature[ON_ARMATURE] = scene[TAKE] = str(path)
    show_own_hands(scene, False)


def take_from(scene: bpy.types.Scene, armature: bpy.types.Object) -> None:
    """Take the take off the character; our own hands are back where there are any, and the piano keys go with them."""
    remove_bake(armature)
    played, before = armature.pop(ON_ARMATURE, None), armature.pop(BEFORE, None)
    if before is not None and scene.get(TAKE) == played:  # not where another take has come into the scene since
        scene[TAKE] = before
        own = _saved(before)
        if own is not None:
            refinger.put_on_keys(scene, _saved(played), own)
    show_own_hands(scene, True)


def _saved(path: str | None) -> Clip | None:
    """The clip in a file that the scene names; None where it is gone."""
    with suppress(PianoHandsError):
        return Clip.load(Path(bpy.path.abspath(path))) if path else None
    return None


def play_again(scene: bpy.types.Scene, clip: Clip, path: Path, *, own_map: Path | None, seated: bool, error: float) -> bool:
    """Put a clip that was solved on a character of this scene onto it, when it plays; returns whether it was."""
    armature = scene.objects.get(clip.skeleton) if clip.hands is not None else None
    if armature is None or armature.type != "ARMATURE" or ON_ARMATURE not in armature:
        return False
    bone_map = find_map(armature, own_map)
    hands = prepare(scene, armature, bone_map, seated=seated)
    bake(scene, armature, bone_map, hands, clip, seated=seated, error=error)
    _plays(scene, armature, bone_map, path)
    return True


def bake_again(scene: bpy.types.Scene, clip: Clip, path: Path, *, own_map: Path | None, seated: bool, error: float) -> bool:
    """Bake the scene's take anew on the character that plays it, where it stands, if an action of the person's moves its body;
    returns whether it was. Raises PianoHandsError('bad-map', 'no-hands')."""
    armature = player(scene)
    if armature is None or below(armature) is None:
        return False
    bone_map = find_map(armature, own_map)
    bake(scene, armature, bone_map, read_hands(armature, bone_map), clip, seated=seated, error=error)
    _plays(scene, armature, bone_map, path)
    return True


def adopt(scene: bpy.types.Scene, path: Path) -> None:
    """`path` is the take's file from now on, also for the character that plays it."""
    armature = player(scene)
    scene[TAKE] = str(path)
    if armature is not None:
        armature[ON_ARMATURE] = str(path)


def own_take(scene: bpy.types.Scene) -> Path | None:
    """The file of what our own hands play, while a character plays the scene's take."""
    armature = player(scene)
    return Path(bpy.path.abspath(str(armature[BEFORE]))) if armature is not None and BEFORE in armature else None


def adopt_own(scene: bpy.types.Scene, path: Path) -> None:
    """`path` is that file from now on."""
    armature = player(scene)
    if armature is not None:
        armature[BEFORE] = str(path)


def player(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The character that plays the scene's take; None where our own hands do."""
    take = scene.get(TAKE)
    return next((ob for ob in scene.objects if take and ob.type == "ARMATURE" and ob.get(ON_ARMATURE) == take), None)


def put_changes(
    scene: bpy.types.Scene, before: Clip, after: Clip, path: Path, *, own_map: Path | None, error: float
) -> list[tuple[HandSide, float, float, float]]:
    """Bring what differs between two clips of the scene's take, saved at `path`, onto hands and keys; returns `BakeReport.short`.

    The character that plays it stays where it is, and only its arms and fingers move otherwise. Raises PianoHandsError('bad-map').
    """
    armature, short = player(scene), []
    if armature is not None:
        bone_map = find_map(armature, own_map)
        hands, changed = read_hands(armature, bone_map), refinger.differing(before, after)
        short = bake_changes(scene, armature, bone_map, hands, after, changed=changed, error=error)
        armature[ON_ARMATURE] = str(path)
    refinger.put_changes(scene, before, after, path)
    return short


def show_own_hands(scene: bpy.types.Scene, shown: bool) -> None:
    for collection in scene.collection.children_recursive:
        if is_ours(collection) and collection.name.startswith(HANDS):
            collection.hide_render = collection.hide_viewport = not shown
