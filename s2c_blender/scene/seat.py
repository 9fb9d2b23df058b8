# SPDX-License-Identifier: GPL-3.0-or-later
"""A character at the piano: where its armature stands, how it sits, and the bench under it. All from its own proportions."""

from collections.abc import Mapping
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..motion import rotation
from ..motion.arm_reach import Bend, Limb, solve_limb
from ..motion.bone_map import LEG, BoneMap, Rig
from ..motion.skeleton import HandSkeleton
from ..wire.hands import HandSide
from ..wire.keyboard import FLOOR_Z
from .action import curves_of
from .character import placed, read_rig
from .marks import is_ours
from .pedal import DIP, TIP

Array = NDArray[np.float64]

BENCH = "Piano bench"
# Metres from wrist to middle fingertip: a hand beyond is not of this piano's world, and becomes usual.
_SMALLEST, _LARGEST, _USUAL = 0.125, 0.27, 0.1925
_ELBOW_RISE = 0.03  # metres: of the elbows above the white keys
_UPPER_DOWN, _UPPER_AHEAD, _FORE_AHEAD = 0.95, 0.25, 0.93  # shares of the arm's bones, as they lie when playing in the middle
_WRIST_Y = -0.115  # metres: where wrists play
_TILT = np.radians(9.0)  # of the torso towards the keys
_SEATED = 0.095  # of the flesh under the hips' joint, for a body of usual size
_THIGHS = 0.13  # hips lie so far below the white keys at least: thighs have to go under the keybed
_BENCH_SEAT = 0.482  # height of our bench
_BENCH_Y = -0.67  # and its middle
_BENCH_BEHIND = 0.05  # of the hips
_LOWEST, _HIGHEST = 0.36, 0.62  # of a bench that can be wound up and down
_FEET_APART = 0.11
_SHIN_BACK = 0.06  # of the ankles in front of the knees' plumb line
_FOOT = 0.15  # metres from the ankle to the ball of a grown-up's foot,
_HEEL = 0.3  # and from the ankle back to the heel, as a share of that
_PEDAL_TOP = 0.02  # of the foot's axis above the pedal's,
_ON_PEDAL = 0.035  # and of the ball of the foot behind the pedal's tip
_BODY_SIZE = 0.54  # metres of an arm of usual length


@dataclass(frozen=True)
class Body:
    """Of a character what seating needs, in the armature's space and metres. ahead, up: (3,) at rest."""

    rig: Rig
    ahead: Array
    up: Array
    shoulders: Array  # (2, 3)
    hips: Array
    arm: tuple[float, float]

    @property
    def size(self) -> float:
        """1 for a grown-up."""
        return sum(self.arm) / _BODY_SIZE


def body_of(armature: bpy.types.Object, bone_map: BoneMap, *, scale: float) -> Body | None:
    """None where the map has no arms. `up` is what is up in the world as the armature stands now."""
    rig = read_rig(armature, scale=scale)
    if any(part not in bone_map.parts[side] for side in HandSide for part in ("upper_arm", "forearm")):
        return None
    shoulders, elbows, wrists = (
        np.stack([rig[bone_map.parts[side][part]].head for side in HandSide]) for part in ("upper_arm", "forearm", "wrist")
    )
    up = np.array(armature.matrix_world.to_quaternion().inverted() @ Matrix.Identity(3).col[2])
    left = shoulders[HandSide.LEFT] - shoulders[HandSide.RIGHT]
    ahead = np.cross(left, up)
    hips = rig[bone_map.centre["hips"]].head if bone_map.centre.get("hips") in rig else shoulders.mean(0) - 0.45 * up
    legs = [rig[bone_map.parts[side]["thigh"]].head for side in HandSide if "thigh" in bone_map.parts[side]]
    arm = (float(np.linalg.norm(elbows - shoulders, axis=1).mean()), float(np.linalg.norm(wrists - elbows, axis=1).mean()))
    return Body(rig, ahead / np.linalg.norm(ahead), up, shoulders, np.mean(legs, axis=0) if legs else hips, arm)


def fit_scale(hands: HandSkeleton) -> float:
    """By how much to scale the object so that its hands fit a piano: 1 where they do already."""
    length = float(np.linalg.norm(hands.tips[:, 2], axis=-1).mean())
    return 1.0 if _SMALLEST <= length <= _LARGEST else _USUAL / length


def place_at_piano(armature: bpy.types.Object, bone_map: BoneMap) -> None:
    """Stand the armature where its arms reach the keys easily, looking at them."""
    scale = placed(armature).scale
    body = body_of(armature, bone_map, scale=scale)
    if body is None:
        return
    turn = np.stack([np.cross(body.ahead, body.up), body.ahead, body.up])  # rows: to x, y, z
    upper, fore = body.arm
    shoulder = np.array([0.0, _WRIST_Y - _FORE_AHEAD * fore - _UPPER_AHEAD * upper, _ELBOW_RISE + _UPPER_DOWN * upper])
    torso = turn @ (body.shoulders.mean(0) - body.hips)
    # The torso is tilted about the hips when it plays.
    cosine, sine = (np.cos(_TILT), np.sin(_TILT)) if bone_map.spine else (1.0, 0.0)
    tilted = np.array([torso[0], torso[1] * cosine + torso[2] * sine, torso[2] * cosine - torso[1] * sine])
    hips = shoulder - tilted
    hips[2] = min(hips[2], -_THIGHS)
    place = hips - turn @ body.hips
    armature.matrix_world = Matrix.LocRotScale(place.tolist(), Matrix(turn.tolist()).to_quaternion(), (scale,) * 3)
    bpy.context.view_layer.update()


def tilt() -> float:
    """Radians by which a seated torso leans ahead."""
    return float(_TILT)


@dataclass(frozen=True)
class Legs:
    """Both seated legs: limbs by `HandSide`, and where the feet stand (2, 3). foot: metres from the ankle to the ball of the foot.

    on_pedal: whether the right one stands on the sustain pedal.
    """

    limbs: tuple[Limb, Limb]
    ankles: Array
    foot: float
    on_pedal: bool


def seated_legs(armature: bpy.types.Object, bone_map: BoneMap, *, pedal: bool = False) -> Legs | None:
    """Thighs ahead, feet on the floor or the right one on the pedal, where they reach; None where the map has no legs or arms."""
    stand = placed(armature)
    body = body_of(armature, bone_map, scale=stand.scale)
    if body is None or any(part not in bone_map.parts[side] for side in HandSide for part in LEG):
        return None
    limbs: list[Limb] = []
    ankles: list[Array] = []
    foot, on_pedal = _FOOT * body.size, False
    for side in HandSide:
        root, knee, ankle = (body.rig[bone_map.parts[side][part]].head for part in LEG)
        bend = Bend.of(root, knee, ankle, towards=-body.ahead)
        hip = stand.turn @ root + stand.place
        height = float((ankle - _floor(body)) @ body.up)  # of the ankle above the sole
        outwards = 1.0 if side is HandSide.RIGHT else -1.0
        target = np.array(
            [
                hip[0] * 0.6 + outwards * _FEET_APART * 0.4 * body.size,
                hip[1] + bend.lengths[0] + _SHIN_BACK * body.size,
                FLOOR_Z + height,
            ]
        )
        if pedal and side is HandSide.RIGHT:
            there = np.array([TIP[0], TIP[1] + _ON_PEDAL - foot * np.cos(_raised(foot, 0.0)), FLOOR_Z + height])
            on_pedal = bool(np.linalg.norm(there - hip) < sum(bend.lengths))
            target = there if on_pedal else target
        limb = solve_limb(bend, hip[None], target[None], np.array([0.15 * outwards, 0.6, 1.0]))
        limbs.append(limb)
        ankles.append(limb.end[0])
    return Legs((limbs[0], limbs[1]), np.array(ankles), foot, on_pedal)


def _raised(foot: float, share: Array | float) -> Array:
    """Radians by which a foot on the pedal points up, the heel on the floor."""
    return np.arcsin(np.clip((TIP[2] - FLOOR_Z + _PEDAL_TOP - share * DIP) / (foot + _HEEL * foot), -0.9, 0.9))


def foot_on_pedal(legs: Legs, shares: Array, flat: Array) -> Array:
    """(T, 4) turns of the right foot as it presses the pedal by `shares` (T,) of its travel."""
    zero = np.zeros_like(shares)
    up = rotation.from_axis_angle(np.stack([_raised(legs.foot, shares), zero, zero], axis=-1))
    return rotation.multiply(up, np.broadcast_to(flat, up.shape))


def _floor(body: Body) -> Array:
    """The lowest point of the skeleton at rest."""
    points = np.array([end for bone in body.rig.values() for end in (bone.head, bone.tail)])
    # Roots and controls may lie below the feet; what is far off is none of the body.
    return points[np.argmin(points @ body.up)]


def bench_of(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """Our piano's bench, where there is one."""
    return next((ob for ob in scene.objects if is_ours(ob) and ob.name.startswith(BENCH)), None)


def moves_itself(armature: bpy.types.Object) -> bool:
    """Whether an action moves the object as a whole: then it cannot be placed."""
    return any(not curve.data_path.startswith("pose.") for curve in curves_of(armature))


def fit_bench(scene: bpy.types.Scene, armature: bpy.types.Object, bone_map: BoneMap) -> float | None:
    """Wind the bench to the character and push it under it; returns the seat's height above the floor."""
    stand = placed(armature)
    body = body_of(armature, bone_map, scale=stand.scale)
    bench = bench_of(scene)
    if body is None or bench is None:
        return None
    hips = stand.turn @ body.hips + stand.place
    height = float(np.clip(hips[2] - _SEATED * body.size - FLOOR_Z, _LOWEST, _HIGHEST))
    bench.scale.z = height / _BENCH_SEAT
    bench.location.z = FLOOR_Z * (1.0 - bench.scale.z)
    bench.location.y = hips[1] - _BENCH_BEHIND - _BENCH_Y
    return height


def leg_turns(legs: Legs, side: HandSide) -> Mapping[str, Array]:
    """Turns (1, 4) of the leg's bones from the rest to the world."""
    limb = legs.limbs[side]
    return {"thigh": limb.upper, "shin": limb.lower}


def upright(armature: bpy.types.Object) -> Array:
    """(1, 4) the armature's own turn: of what keeps its rest in the world, such as a foot flat on the floor."""
    return rotation.from_matrix(placed(armature).turn)[None]
