# SPDX-License-Identifier: GPL-3.0-or-later
"""From the raw hand to the project's rest pose: flat, palm down, fingers along +y, wrist at the origin, 16 joints."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2c_blender.wire.hands import FINGER_JOINTS, FINGERS, JOINTS, PARENTS

from .source import RawHand

Array = NDArray[np.float64]

# MakeHuman's joints lie where its rig wants them, not in the middle of the real ones: the wrist is a bone's length up the
# forearm and the knuckles sit almost at the webs. Moved by these many metres along the limb (positive: towards the tip).
WRIST_SHIFT = 0.018
KNUCKLE_SHIFT = -0.010
KNUCKLE_DEPTH = 0.0095  # metres below the back of the hand
JOINT_DEPTH = 0.43  # share of a finger's thickness below its back
THUMB_SHIFT = (-0.006, 0.006, 0.0)

FINGER_SPREAD = {
    "index": -3.0,
    "middle": 0.0,
    "ring": 3.5,
    "pinky": 8.0,
}  # degrees from +y towards +x
THUMB_AZIMUTH = (
    44.0,
    36.0,
    33.0,
)  # degrees from +y towards -x, of the thumb's three bones
THUMB_DROP = (18.0, 8.0, 6.0)  # degrees below the palm's plane
THUMB_NAIL = np.array([-0.75, -0.15, 0.65])  # where the nail of a resting thumb looks
RIGID_TIP = (
    0.020,
    0.015,
    0.015,
    0.015,
    0.015,
)  # metres at the end of each finger that follow the distal joint alone
BLEND = (
    0.011,
    0.0065,
    0.0055,
)  # half length over which skin passes from one phalanx to the next, at joints 1, 2, 3
THUMB_BLEND = (0.014, 0.009, 0.007)


@dataclass(frozen=True)
class Shape:
    """A hand in the keyboard frame, metres.

    vertices (N, 3), joints (16, 3), tips (5, 3), weights (N, 16), nails (5, 3): their normals.
    """

    vertices: Array
    joints: Array
    tips: Array
    weights: Array
    nails: Array


def unit(vector: Array) -> Array:
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def raw_bone(finger: int, phalanx: int) -> str:
    return f"finger{finger + 1}-{phalanx + 1}.R"


def to_keyboard_axes(raw: RawHand) -> Shape:
    """Turn the raw hand palm down with its middle metacarpal along +y, and put the joints where a hand has them."""
    knuckles = np.array([raw.head(raw_bone(k, 0)) for k in range(1, 5)])
    y = unit(knuckles[1] - raw.head("wrist.R"))
    across = knuckles[3] - knuckles[0]
    x = unit(across - (across @ y) * y)
    turn = np.stack([x, y, np.cross(x, y)])
    wrist = raw.head("wrist.R") + WRIST_SHIFT * y

    joints = np.zeros((len(JOINTS), 3))
    for finger in range(5):
        for phalanx, joint in enumerate(FINGER_JOINTS[finger]):
            joints[joint] = (raw.head(raw_bone(finger, phalanx)) - wrist) @ turn.T
    vertices = (raw.vertices - wrist) @ turn.T
    for finger in range(5):
        first, second, third = FINGER_JOINTS[finger]
        if finger:
            joints[first] += KNUCKLE_SHIFT * unit(joints[second] - joints[first])
        else:
            along = unit(joints[second] - joints[first])
            joints[second] += THUMB_SHIFT[1] * unit(joints[third] - joints[second])
            joints[first] += THUMB_SHIFT[0] * along
    belongs = _belongs(raw)
    _recentre(vertices, joints, belongs)
    weights = _weights(vertices, joints, belongs)
    tips, nails = _tips_and_nails(vertices, joints, belongs)
    return Shape(vertices, joints, tips, _rigid_tips(vertices, joints, tips, weights), nails)


def _belongs(raw: RawHand) -> Array:
    """(N, 5): how much of each vertex the package's artist gave to each finger, its metacarpal included."""
    column = {name: i for i, name in enumerate(raw.bones)}
    belongs = np.zeros((len(raw.vertices), 5))
    for finger in range(5):
        names = [raw_bone(finger, phalanx) for phalanx in range(3)]
        names += [f"metacarpal{finger}.R"] if finger else []
        belongs[:, finger] = raw.weights[:, [column[name] for name in names]].sum(1)
    return belongs


def _recentre(vertices: Array, joints: Array, belongs: Array) -> None:
    """Sink the joints, which the package has just below the back of the fingers, to where bones' heads turn. In place."""
    tips, nails = _tips_and_nails(vertices, joints, belongs)
    moved = joints.copy()
    for finger in range(5):
        chain = FINGER_JOINTS[finger]
        points = [*joints[list(chain)], tips[finger]]
        for phalanx in range(1 if finger == 0 else 0, 3):
            x, y, z = frame(points[phalanx + 1] - points[phalanx], nails[finger]).T
            offset = vertices - points[phalanx]
            near = (np.abs(offset @ y) < 0.005) & (belongs[:, finger] > 0.3)
            if phalanx == 0 or (finger == 0 and phalanx == 1):  # no ring of skin of its own: look at the back of the hand only
                near &= np.abs(offset @ x) < 0.007
                moved[chain[phalanx]] += ((offset[near] @ z).max() - KNUCKLE_DEPTH) * z
                continue
            top, bottom = (offset[near] @ z).max(), (offset[near] @ z).min()
            moved[chain[phalanx]] += (top - JOINT_DEPTH * (top - bottom)) * z
            moved[chain[phalanx]] += 0.5 * ((offset[near] @ x).max() + (offset[near] @ x).min()) * x
    joints[:] = moved


def _weights(vertices: Array, joints: Array, belongs: Array) -> Array:
    """The artist's weights say which finger a vertex belongs to; where along it one joint hands over to the next is ours."""
    weights = np.zeros((len(vertices), len(JOINTS)))
    for finger in range(5):
        chain = FINGER_JOINTS[finger]
        points = [
            *joints[list(chain)],
            _end(vertices, joints, belongs[:, finger] > 0.5, finger),
        ]
        share = belongs[:, finger].copy()
        blend = BLEND if finger else THUMB_BLEND
        passed = []
        for phalanx in range(3):
            before = joints[PARENTS[chain[phalanx]]] if phalanx == 0 else points[phalanx - 1]
            normal = unit(unit(points[phalanx + 1] - points[phalanx]) + unit(points[phalanx] - before))
            if phalanx == 0:  # the thumb's saddle joint keeps the artist's soft transition
                normal = unit(points[1] - points[0])
            along = (vertices - points[phalanx]) @ normal / (2.0 * blend[phalanx]) + 0.5
            passed.append(smooth_step(along))
        if finger == 0:
            passed[0] = np.ones(len(vertices))
        for phalanx in range(3):
            rest = passed[phalanx + 1] if phalanx < 2 else 0.0
            weights[:, chain[phalanx]] = share * np.prod(passed[: phalanx + 1], axis=0) * (1.0 - rest)
    weights[:, 0] = 1.0 - weights[:, 1:].sum(1)
    return weights


def smooth_step(t: Array) -> Array:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _end(vertices: Array, joints: Array, mine: NDArray[np.bool_], finger: int) -> Array:
    """End of the flesh along the distal bone."""
    _, second, third = FINGER_JOINTS[finger]
    along = unit(joints[third] - joints[second])
    distal = mine & ((vertices - joints[third]) @ along > 0.004)
    middle = vertices[distal].mean(0)
    direction = unit(middle - joints[third])
    return joints[third] + direction * ((vertices[distal] - joints[third]) @ direction).max()


def _tips_and_nails(vertices: Array, joints: Array, belongs: Array) -> tuple[Array, Array]:
    """Fingertips, and which way each nail looks: the flattest side of the distal phalanx' far half, away from the palm."""
    tips, nails = np.zeros((5, 3)), np.zeros((5, 3))
    for finger in range(5):
        third = FINGER_JOINTS[finger][-1]
        mine = belongs[:, finger] > 0.5
        tips[finger] = _end(vertices, joints, mine, finger)
        along = unit(tips[finger] - joints[third])
        # The fingertip is wider than thick: the nail's normal is the thin direction.
        far = mine & ((vertices - joints[third]) @ along > 0.45 * np.linalg.norm(tips[finger] - joints[third]))
        flat = vertices[far] - vertices[far].mean(0)
        flat -= np.outer(flat @ along, along)
        normal = np.linalg.eigh(flat.T @ flat)[1][:, 1]
        nails[finger] = normal * np.sign(normal @ (np.array([-1.0, 0.0, 0.3]) if finger == 0 else np.array([0.0, 0.0, 1.0])))
    return tips, nails


def _rigid_tips(vertices: Array, joints: Array, tips: Array, weights: Array) -> Array:
    """Give the end of each finger to its distal joint alone, so that a fingertip keeps its form while it touches."""
    weights = weights.copy()
    for finger in range(5):
        chain = list(FINGER_JOINTS[finger])
        length = np.linalg.norm(tips[finger] - joints[chain[-1]])
        along = (vertices - joints[chain[-1]]) @ unit(tips[finger] - joints[chain[-1]])
        rigid = min(RIGID_TIP[finger], 0.62 * length)
        start = length - rigid
        pull = smooth_step((along - start + 0.004) / 0.004) * (weights[:, chain].sum(1) > 0.5)
        weights *= 1.0 - pull[:, None]
        weights[:, chain[-1]] += pull
    return weights


def frame(direction: Array, dorsal: Array) -> Array:
    """Columns x, y, z of a bone whose y runs along it and whose z looks where the nail looks."""
    y = unit(direction)
    z = unit(dorsal - (dorsal @ y) * y)
    return np.stack([np.cross(y, z), y, z], axis=1)


def flatten(shape: Shape) -> Shape:
    """Straighten and turn every bone into the rest pose and bake it into the skin."""
    turns = np.broadcast_to(np.eye(3), (len(JOINTS), 3, 3)).copy()
    nails = shape.nails.copy()
    for finger in range(5):
        chain = FINGER_JOINTS[finger]
        points = [*shape.joints[list(chain)], shape.tips[finger]]
        nails[finger] = THUMB_NAIL if finger == 0 else (0.0, 0.0, 1.0)
        for phalanx, joint in enumerate(chain):
            now = frame(points[phalanx + 1] - points[phalanx], shape.nails[finger])
            turns[joint] = frame(_rest_direction(finger, phalanx), nails[finger]) @ now.T
    joints = np.zeros_like(shape.joints)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            joints[joint] = joints[parent] + turns[parent] @ (shape.joints[joint] - shape.joints[parent])
    moved = np.einsum("jab,njb->nja", turns, shape.vertices[:, None] - shape.joints) + joints
    vertices = np.einsum("nj,nja->na", shape.weights, moved)
    distal = [chain[-1] for chain in FINGER_JOINTS]
    tips = joints[distal] + np.einsum("fab,fb->fa", turns[distal], shape.tips - shape.joints[distal])
    return Shape(vertices, joints, tips, shape.weights, nails)


def _rest_direction(finger: int, phalanx: int) -> Array:
    if finger:
        angle = np.radians(FINGER_SPREAD[FINGERS[finger]])
        return np.array([np.sin(angle), np.cos(angle), 0.0])
    azimuth, drop = np.radians(THUMB_AZIMUTH[phalanx]), np.radians(THUMB_DROP[phalanx])
    return np.array([-np.sin(azimuth) * np.cos(drop), np.cos(azimuth) * np.cos(drop), -np.sin(drop)])


#: Breadth of the outer phalanges of each finger against the source's, which is that of a man: fingers of women are some 13 %
#: slimmer (hand breadths in NASA-STD-3000 and ANSUR differ likewise); this hand is between both, like its length. The source's
#: index finger is 7 % broader at its last joint than its middle finger; this hand's is hardly broader.
SLENDER = (0.92, 0.87, 0.92, 0.92, 0.92)


def slender(vertices: Array, weights: Array, joints: Array, tips: Array) -> Array:
    """(N, 3) with the last two phalanges of every finger slimmer about their bones; weights (N, 16)."""
    moved = vertices.copy()
    for finger, chain in enumerate(FINGER_JOINTS):
        points = [*joints[list(chain)], tips[finger]]
        for phalanx in (1, 2):
            begin = points[phalanx]
            along = unit(points[phalanx + 1] - begin)
            offset = vertices - begin
            off_bone = offset - np.outer(offset @ along, along)
            moved += weights[:, chain[phalanx], None] * (SLENDER[finger] - 1.0) * off_bone
    return moved
