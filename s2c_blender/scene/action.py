# SPDX-License-Identifier: GPL-3.0-or-later
"""F-curves in bulk. The one module that knows slotted, layered actions (Blender 4.5 to 5.2).

An action written here is marked as the take's; a person's own actions are neither changed nor lost.
"""

from collections.abc import Mapping
from typing import NamedTuple

import bpy
import numpy as np
from numpy.typing import NDArray

from .marks import is_ours, mark

Array = NDArray[np.floating]

#: (data path, array index, name of the channel group)
Channel = tuple[str, int, str]

BELOW = "Below Piano Hands"  # NLA track of a person's action over which a take plays
_LINEAR, _BEZIER = 1, 2  # values of Keyframe.interpolation
_FREE = 0  # of Keyframe.handle_left_type


class Keys(NamedTuple):
    """K keyframes of one channel. With handles, each (K, 2) of (frame, value), they are Bezier, else linear."""

    frames: Array  # (K,), rising; fractions allowed
    values: Array  # (K,)
    left: Array | None = None
    right: Array | None = None


def write_curves(
    id_block: bpy.types.ID, action_name: str, channels: Mapping[Channel, Keys | tuple[Array, Array]]
) -> bpy.types.Action:
    """Animate `id_block` with `channels`, in a slot of the take's action `action_name`, replacing what that slot held.

    Several objects may share one action; each has its own slot. A person's action on `id_block` is kept in the file.
    """
    action = _take_action(action_name)
    _set_aside(id_block, action)
    slot = _slot(action, id_block)
    bag = action.layers[0].strips[0].channelbag(slot, ensure=True)
    bag.fcurves.clear()
    groups = {} if bpy.app.version >= (5, 0) else {name: _group(bag, name) for _, _, name in channels}
    for (path, index, group), keys in channels.items():
        if groups:
            curve = bag.fcurves.new(path, index=index)
            curve.group = groups[group]
        else:
            curve = bag.fcurves.new(path, index=index, group_name=group)
        _fill(curve, Keys(*keys))
    data = id_block.animation_data_create()
    data.action = action
    data.action_slot = slot
    return action


def clear_curves(id_block: bpy.types.ID) -> None:
    """Take the take's curves off `id_block`, and the action out of the file when nothing else uses it."""
    data = id_block.animation_data
    if data is None or data.action is None or not is_ours(data.action):
        return
    action, slot = data.action, data.action_slot
    data.action = None
    if slot is not None:
        action.slots.remove(slot)
    if not action.slots:
        bpy.data.actions.remove(action)


def lay_over(id_block: bpy.types.ID) -> None:
    """Push the person's own action down into an NLA track, so that a take's action plays over it."""
    data = id_block.animation_data
    if data is None or data.action is None or is_ours(data.action):
        return
    action, slot = data.action, data.action_slot
    track = data.nla_tracks.new()
    track.name = BELOW
    strip = track.strips.new(action.name, round(action.frame_range[0]), action)
    if slot is not None:
        strip.action_slot = slot
    data.action = None


def below(id_block: bpy.types.ID) -> bpy.types.NlaTrack | None:
    """The track into which `lay_over` pushed the person's action."""
    data = id_block.animation_data
    tracks = data.nla_tracks if data is not None else ()
    return next((track for track in tracks if track.name == BELOW and len(track.strips) == 1), None)


def take_off(id_block: bpy.types.ID) -> None:
    """Undo `lay_over` and the take's curves: the person's own action is active again."""
    data = id_block.animation_data
    if data is None or (data.action is not None and not is_ours(data.action)):
        return
    clear_curves(id_block)
    track = below(id_block)
    if track is None:
        return
    action, slot = track.strips[0].action, track.strips[0].action_slot
    data.nla_tracks.remove(track)
    data.action = action
    if slot is not None:
        data.action_slot = slot


def curves_of(id_block: bpy.types.ID) -> list[bpy.types.FCurve]:
    """F-curves that move `id_block`, whoever made them."""
    data = id_block.animation_data
    if data is None or data.action is None or data.action_slot is None:
        return []
    bags = (strip.channelbag(data.action_slot) for layer in data.action.layers for strip in layer.strips)
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def _take_action(name: str) -> bpy.types.Action:
    action = next((a for a in bpy.data.actions if is_ours(a) and a.get("s2c_name") == name), None)
    if action is None:
        action = mark(bpy.data.actions.new(name))
        action["s2c_name"] = name
    if not action.layers:
        action.layers.new("Take").strips.new(type="KEYFRAME")
    return action


def _set_aside(id_block: bpy.types.ID, action: bpy.types.Action) -> None:
    data = id_block.animation_data
    if data is None or data.action is None or data.action == action:
        return
    if is_ours(data.action):
        clear_curves(id_block)
    else:
        data.action.use_fake_user = True


def _slot(action: bpy.types.Action, id_block: bpy.types.ID) -> bpy.types.ActionSlot:
    data = id_block.animation_data
    if data is not None and data.action == action and data.action_slot is not None:
        return data.action_slot
    return action.slots.new(id_type=id_block.id_type, name=id_block.name)


def _group(bag: bpy.types.ActionChannelbag, name: str) -> bpy.types.ActionGroup:
    return bag.groups.get(name) or bag.groups.new(name)


def _fill(curve: bpy.types.FCurve, keys: Keys) -> None:
    count = len(keys.frames)
    points = curve.keyframe_points
    points.add(count)
    co = _interleaved(keys.frames, keys.values)
    points.foreach_set("co", co)
    if keys.left is None or keys.right is None:
        points.foreach_set("interpolation", np.full(count, _LINEAR, dtype=np.int32))
        # Linear keys are sorted already and use no handles: `update` would work out handles, at twice the cost of all the rest.
        points.foreach_set("handle_left", co)
        points.foreach_set("handle_right", co)
        return
    points.foreach_set("interpolation", np.full(count, _BEZIER, dtype=np.int32))
    for side, handles in (("left", keys.left), ("right", keys.right)):
        points.foreach_set(f"handle_{side}_type", np.full(count, _FREE, dtype=np.int32))
        points.foreach_set(f"handle_{side}", _interleaved(*np.transpose(handles)))
    curve.update()


def _interleaved(frames: Array, values: Array) -> NDArray[np.float32]:
    pairs = np.empty((len(frames), 2), dtype=np.float32)
    pairs[:, 0], pairs[:, 1] = frames, values
    return pairs.ravel()
