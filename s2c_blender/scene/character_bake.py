# SPDX-License-Identifier: GPL-3.0-or-later
"""A take on a character: rotations of its own bones, or of its animator's controls, in an action of the take's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ..motion import arm_reach, gaze, rotation
from ..motion.arm_reach import Arm, Bend, Moved, solve_arm
from ..motion.bone_map import BoneMap, Rig, Switch
from ..motion.character_hand import CharacterHands
from ..motion.key_motion import KeyStrokes, key_motion
from ..motion.skeleton import forward
from ..motion.thin_out import in_contact, kept_frames
from ..wire.clip import Clip
from ..wire.hands import PARENTS, HandSide
from . import seat
from .action import Channel, Keys, curves_of, lay_over, take_off, write_curves
from .action_edit import replace_span
from .bone_values import ROTATIONS, as_quaternion, channel_path, in_mode
from .character import Placed, placed, read_rig
from .contact_posing import bones_over_time
from .marks import is_ours
from .pedal import pedal_curve
from .timing import frame_at, rate

Array = NDArray[np.float64]

TAKE = "s2c_take"  # on the armature: the clip's file
_GROUP = "Piano Hands"
_CONTACT_MARGIN = 0.02  # seconds around a contact in which every key is kept
_BONES_IN_CHAIN = 6  # from the spine to the fingertip, as far as each adds to the error there
#: Metres from a bone to the fingertips of a usual body.
_LEVERS = {"spine": 1.0, "clavicle": 0.85, "upper_arm": 0.7, "forearm": 0.45, "wrist": 0.2}


@dataclass(frozen=True)
class BakeReport:
    """What was baked. short: (side, begin, end, metres) where an arm does not reach."""

    action: str
    keys: int
    short: list[tuple[HandSide, float, float, float]] = field(default_factory=list)


def bake(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    bone_map: BoneMap,
    hands: CharacterHands,
    clip: Clip,
    *,
    seated: bool = True,
    error: float = 0.0,
) -> BakeReport:
    """Put the clip, solved on `hands`, on the armature, in place of the take it has; what else animates it stays below.

    seated: legs and torso sit, where nothing animates them. error: metres by which fingertips may be off in the air, for fewer
    keys; on keys they are never off. 0 sets a key at every frame.
    """
    remove_bake(armature)
    baking = _Baking(scene, armature, bone_map, hands, clip)
    if seated:
        baking.sit()
    for side in HandSide:
        baking.arm(side)
        baking.fingers(side)
    if error > 0.0:
        baking.thin_out(clip, error)
    lay_over(armature)
    action = write_curves(armature, f"Piano Hands {armature.name}", baking.channels)
    return BakeReport(action.name, sum(len(keys.frames) for keys in baking.channels.values()), baking.short)


def bake_changes(
    scene: bpy.types.Scene,
    armature: bpy.types.Object,
    bone_map: BoneMap,
    hands: CharacterHands,
    clip: Clip,
    *,
    changed: NDArray[np.bool_],
    error: float = 0.0,
) -> list[tuple[HandSide, float, float, float]]:
    """Bring frames of another clip of the take onto the armature that plays it; returns `BakeReport.short` of them.

    changed: (T, 2) frames and hands that differ. Torso and legs stay as they are, and so does every key elsewhere.
    """
    frames = np.flatnonzero(changed.any(axis=1))
    if not len(frames):
        return []
    curves = {(curve.data_path, curve.array_index): curve for curve in curves_of(armature)}
    baking = _Baking(scene, armature, bone_map, hands, clip, slice(int(frames[0]), int(frames[-1]) + 1), curves)
    for side in HandSide:
        if changed[:, side].any():
            baking.arm(side)
            baking.fingers(side)
    if error > 0.0:
        baking.thin_out(clip, error)
    for (path, index, _), keys in baking.channels.items():
        curve = curves.get((path, index))
        if curve is not None and len(keys.frames) > 1:
            replace_span(curve, keys, beside=rate(scene) / clip.rate)
    return baking.short


def remove_bake(armature: bpy.types.Object) -> None:
    """Take the take off the armature: its bones are at rest where nothing else moves them."""
    data = armature.animation_data
    ours = data is not None and data.action is not None and is_ours(data.action)
    moved = {curve.data_path.split('"')[1] for curve in curves_of(armature) if '"' in curve.data_path} if ours else set()
    take_off(armature)
    for name in moved & set(armature.pose.bones.keys()):
        armature.pose.bones[name].matrix_basis.identity()
    bpy.context.view_layer.update()


class _Baking:
    """The channels of one take, on their way. Motion of a bone: from its rest in the armature's space (metres) to the world.

    span: frames of the clip. there: curves of the take that these frames go on from.
    """

    def __init__(
        self,
        scene: bpy.types.Scene,
        armature: bpy.types.Object,
        bone_map: BoneMap,
        hands: CharacterHands,
        clip: Clip,
        span: slice = slice(None),
        there: Mapping[tuple[str, int], bpy.types.FCurve] = MappingProxyType({}),
    ) -> None:
        self.armature, self.map, self.hands, self.there = armature, bone_map, hands, there
        self.stand: Placed = placed(armature)
        self.rig: Rig = read_rig(armature, scale=self.stand.scale)
        self.times, self.rate = clip.times[span], clip.rate
        self.frames = frame_at(scene, 0.0) + self.times * rate(scene)
        self.pedal = clip.score.pedal
        joints, turned = forward(hands.skeleton, clip.rotation[span].astype(float), clip.translation[span].astype(float))
        self.wrist = joints[:, :, 0]  # (T, 2, 3)
        self.turned = rotation.multiply(turned, rotation.from_matrix(hands.fit)[None])  # (T, 2, 16, 4)
        self.channels: dict[Channel, Keys] = {}
        self.short: list[tuple[HandSide, float, float, float]] = []
        self.body = seat.body_of(armature, bone_map, scale=self.stand.scale)
        self.animated = {curve.data_path.split('"')[1] for curve in curves_of(armature) if '"' in curve.data_path}
        self.chest: Moved | None = None
        self._above = self._motions(scene)

    # ---- the body -------------------------------------------------------------------------------------------------------

    def sit(self) -> None:
        """Torso and legs, where neither an action nor the person's own pose has them."""
        if self.body is None:
            return
        if self.map.spine and not self._taken(*self.map.spine):
            self._lean()
            self._look()
        legs = seat.seated_legs(self.armature, self.map, pedal=bool(self.pedal))
        leg_bones = [self.map.parts[side][part] for side in HandSide for part in ("thigh", "shin", "foot") if legs]
        if legs is None or self._taken(*leg_bones, *filter(None, [self.map.ik[side].foot for side in HandSide])):
            return
        for side in HandSide:
            controls = self.map.ik[side]
            flat = seat.upright(self.armature)
            if legs.on_pedal and side is HandSide.RIGHT:
                flat = seat.foot_on_pedal(legs, np.interp(self.times, *pedal_curve(self.pedal)), flat)
            if controls.foot:
                foot = self.map.parts[side]["foot"]
                ankle = np.broadcast_to(legs.ankles[side], (len(flat), 3))
                self._carry(controls.foot, Moved.about(flat, self.rig[foot].head, ankle))
                self._switch(controls.foot_switch)
                continue
            before = self._motion_of_parent(self.map.parts[side]["thigh"]).turn
            for part, turn in (*seat.leg_turns(legs, side).items(), ("foot", flat)):
                self._turn(self.map.parts[side][part], before, turn)
                before = turn

    def _taken(self, *bones: str) -> bool:
        """Whether something else poses one of them."""
        poses = [self.armature.pose.bones[bone] for bone in bones if bone in self.armature.pose.bones]
        return any(pose.name in self.animated or not _at_rest(pose) for pose in poses)

    def _lean(self) -> None:
        """Each bone of the spine takes an even share."""
        spine = self.map.spine
        whole = arm_reach.lean(self.wrist, rate=self.rate, size=self.body.size) - (seat.tilt(), 0.0, 0.0)
        moved = self._motion_of_parent(spine[0])
        for number, bone in enumerate(spine, 1):
            before = moved
            head = self.rig[bone].head
            share = rotation.from_axis_angle(whole * (number / len(spine)))
            turn = rotation.multiply(share, np.broadcast_to(self._motion_of_parent(spine[0]).turn, share.shape))
            moved = Moved.about(turn, head, np.broadcast_to(before(head), (len(turn), 3)))
            self._turn(bone, before.turn, moved.turn)
        self.chest = moved

    def _look(self) -> None:
        """Neck and head share the turn towards the hands."""
        neck, head = (self.map.centre.get(part) for part in ("neck", "head"))
        if self.chest is None or head not in self.rig or self._taken(*filter(None, (neck, head))):
            return
        upright = seat.upright(self.armature)
        turn = gaze.look_at(self.chest(self.rig[head].head), self.wrist, rate=self.rate)
        turn = rotation.multiply(turn, np.broadcast_to(upright, turn.shape))
        before = self.chest.turn
        if neck in self.rig:
            half = gaze.between(before, turn)
            self._turn(neck, before, half)
            before = half
        self._turn(head, before, turn)

    def _motion_of_parent(self, bone: str) -> Moved:
        """Of the bone's parent, as pose and other actions have it; (1, ...) where it stands still."""
        data = self.armature.data.bones[bone]
        if data.parent is None or not data.use_inherit_rotation:
            return Moved(rotation.from_matrix(self.stand.turn)[None], self.stand.place[None])
        return self._above[data.parent.name]

    def _motions(self, scene: bpy.types.Scene) -> dict[str, Moved]:
        """Of all bones on which something hangs that is posed here: read once, for a rig of controls is slow to move."""
        roots = [*self.map.spine[:1]]
        for side in HandSide:
            parts, ik = self.map.parts[side], self.map.ik[side]
            roots += filter(
                None, (parts.get("clavicle") or parts.get("upper_arm"), parts.get("thigh"), ik.hand, ik.hand_pole, ik.foot)
            )
            roots.append(self._carrier(parts["wrist"]))
        parents = {bone: self.armature.data.bones[bone].parent for bone in roots if bone in self.rig}
        names = sorted({parent.name for parent in parents.values() if parent is not None})
        if not names:
            return {}
        matrices = bones_over_time(scene, self.armature, names, self.frames)
        turns = rotation.from_matrix(matrices[..., :3, :3] / self.stand.scale)
        return {name: Moved(turns[:, number], matrices[:, number, :3, 3]) for number, name in enumerate(names)}

    # ---- arms and hands -------------------------------------------------------------------------------------------------

    def hand(self, side: HandSide) -> Moved:
        return Moved.about(self.turned[:, side, 0], self.hands.joints[side, 0], self.wrist[:, side])

    def arm(self, side: HandSide) -> None:
        """The hand where it has to be, by its arm, its IK control, or by itself."""
        parts, hand = self.map.parts[side], self.hand(side)
        wrist, controls = parts["wrist"], self.map.ik[side]
        arm = self._solved_arm(side, hand) if self.body is not None else None
        if arm is not None:
            found = arm_reach.spans(arm.limb.missing, self.times)
            self.short += [(side, *span) for span in found]
        before = self._chest(side).turn if arm is not None else None
        if arm is not None and arm.clavicle is not None:
            self._turn(parts["clavicle"], before, arm.clavicle)
            before = arm.clavicle
        if controls.hand and controls.hand in self.rig:
            self._carry(controls.hand, hand)
            self._switch(controls.hand_switch)
            if arm is not None and controls.hand_pole and controls.hand_pole in self.rig:
                self._point(controls.hand_pole, arm.limb.pole)
                self._switch(controls.hand_pole_switch)
            return
        if arm is None:
            self._carry(self._carrier(wrist), hand)
            return
        for bone, turn in ((parts["upper_arm"], arm.limb.upper), (parts["forearm"], arm.limb.lower), (wrist, hand.turn)):
            self._turn(bone, before, turn)
            before = turn

    def _chest(self, side: HandSide) -> Moved:
        parts = self.map.parts[side]
        return self.chest or self._motion_of_parent(parts.get("clavicle") or parts["upper_arm"])

    def _solved_arm(self, side: HandSide, hand: Moved) -> Arm:
        parts = self.map.parts[side]
        shoulder, elbow, wrist = (self.rig[parts[part]].head for part in ("upper_arm", "forearm", "wrist"))
        bend = Bend.of(shoulder, elbow, wrist, towards=self.body.ahead)
        clavicle = self.rig[parts["clavicle"]].head if "clavicle" in parts else None
        return solve_arm(side, bend, self._chest(side), hand, clavicle=clavicle)

    def _carrier(self, wrist: str) -> str:
        """The bone that can move a hand without an arm: the nearest above it that is not connected."""
        bone = self.armature.data.bones[wrist]
        while bone.use_connect and bone.parent is not None:
            bone = bone.parent
        return bone.name

    def fingers(self, side: HandSide) -> None:
        turned = self.turned[:, side]
        for joint, bone in enumerate(self.hands.bones[side]):
            if joint and bone:
                self._turn(bone, turned[:, PARENTS[joint]], turned[:, joint])

    # ---- channels -------------------------------------------------------------------------------------------------------

    def _turn(self, bone: str, before: Array, turn: Array) -> None:
        """The bone turned as it should be, on a bone turned like `before`: as values of its rotation."""
        if not self.armature.data.bones[bone].use_inherit_rotation:
            before = rotation.from_matrix(self.stand.turn)[None]
        rest = rotation.from_matrix(np.array(self.armature.data.bones[bone].matrix_local.to_3x3()))
        local = rotation.multiply(rotation.conjugate(before), turn)
        local = rotation.multiply(rotation.multiply(rotation.conjugate(rest), local), rest)
        self._rotate(bone, rotation.normalize(local))

    def _rotate(self, bone: str, local: Array) -> None:
        mode = self.armature.pose.bones[bone].rotation_mode
        name = ROTATIONS.get(mode, "rotation_euler")
        before = self._before(bone, name)
        local = rotation.continuous(local)
        local = -local if local[0] @ as_quaternion(before, mode) < 0.0 else local
        self._write(bone, name, in_mode(local, mode, before))

    def _before(self, bone: str, name: str) -> Array | None:
        """What the curves from which these frames go on have at the first of them."""
        path = channel_path(bone, name)
        if (path, 0) not in self.there:
            return None
        ways = (self.there.get((path, index)) for index in range(len(getattr(self.armature.pose.bones[bone], name))))
        return np.array([curve.evaluate(float(self.frames[0])) if curve is not None else 0.0 for curve in ways])

    def _point(self, bone: str, places: Array) -> None:
        """A bone that moves freely is at `places` (T, 3) in the world."""
        above = self._motion_of_parent(bone)
        data = self.armature.data.bones[bone]
        away = rotation.rotate(rotation.conjugate(above.turn), places - above.place) - self.rig[bone].head
        # A bone's location is counted along its own axes at rest, in the armature's unit.
        rest = np.array(data.matrix_local.to_3x3()) if data.use_local_location else np.eye(3)
        self._write(bone, "location", away @ rest / self.stand.scale)

    def _carry(self, bone: str, moved: Moved) -> None:
        """Place and turn of a bone that moves freely."""
        self._point(bone, moved(self.rig[bone].head))
        turn = rotation.multiply(rotation.conjugate(self._motion_of_parent(bone).turn), moved.turn)
        quaternion = rotation.from_matrix(np.array(self.armature.data.bones[bone].matrix_local.to_3x3()))
        self._rotate(bone, rotation.multiply(rotation.multiply(rotation.conjugate(quaternion), turn), quaternion))

    def _switch(self, switch: Switch | None) -> None:
        if switch is None or switch.name not in self.armature.pose.bones[switch.bone]:
            return
        path = f'pose.bones["{bpy.utils.escape_identifier(switch.bone)}"]["{bpy.utils.escape_identifier(switch.name)}"]'
        self.channels[(path, 0, switch.bone)] = Keys(self.frames[:1], np.array([switch.value]))

    def thin_out(self, clip: Clip, error: float) -> None:
        """Keep the keys that hold fingertips within `error` metres; all of them while a finger of the hand is on a key."""
        strokes, hand = key_motion(clip.score, clip.fingering).strokes, clip.fingering.hand
        touching = [
            in_contact(self.times, _spans(strokes, clip.fingering.played & (hand == side)), margin=_CONTACT_MARGIN)
            for side in HandSide
        ]
        owners = {bone: side for side in HandSide for bone in self._side_bones(side)}
        for owner in (*HandSide, None):
            chosen = {c: k for c, k in self.channels.items() if owners.get(c[2]) is owner and len(k.frames) == len(self.times)}
            if not chosen:
                continue
            contact = touching[0] | touching[1] if owner is None else touching[owner]
            limits = np.array([self._tolerance(channel, error) for channel in chosen])
            curves = np.stack([keys.values for keys in chosen.values()], axis=1)
            kept = kept_frames(curves, np.where(contact[:, None], 0.0, limits))
            self.channels |= {channel: Keys(keys.frames[kept], keys.values[kept]) for channel, keys in chosen.items()}

    def _side_bones(self, side: HandSide) -> set[str]:
        ik = self.map.ik[side]
        return {*self.map.parts[side].values(), *filter(None, (ik.hand, ik.hand_pole, ik.foot))}

    def _tolerance(self, channel: Channel, error: float) -> float:
        """Of a channel's values: so that all of a chain together stay within the error at its end."""
        part = next((part for side in HandSide for part, bone in self.map.parts[side].items() if bone == channel[2]), "spine")
        share = error / _BONES_IN_CHAIN
        if channel[0].endswith("location"):
            return share / self.stand.scale
        lever = 0.11 - 0.03 * int(part[-1]) if part[-1] in "123" else _LEVERS.get(part, _LEVERS["spine"])
        return 0.5 * share / lever  # a quaternion's parts change half as fast as the angle

    def _write(self, bone: str, name: str, values: Array) -> None:
        path = channel_path(bone, name)
        for index in range(values.shape[1]):
            self.channels[(path, index, bone)] = Keys(self.frames[: len(values)], values[:, index])


def _spans(strokes: KeyStrokes, chosen: NDArray[np.bool_]) -> list[tuple[float, float]]:
    return list(zip(strokes.touch[chosen].tolist(), strokes.up[chosen].tolist(), strict=True))


def _at_rest(pose: bpy.types.PoseBone) -> bool:
    return (
        max(abs(a - b) for ours, rest in zip(pose.matrix_basis, Matrix(), strict=True) for a, b in zip(ours, rest, strict=True))
        < 1e-4
    )
