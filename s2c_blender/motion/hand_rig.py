# SPDX-License-Identifier: GPL-3.0-or-later
"""The default hand: reads rigs/hand.npz, makes a HandSkeleton of it, and skins it in NumPy (for tests and measurement).

The file holds a right hand (format: rigs/FORMAT.md); the left one is its mirror image, x -> -x.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..wire.archive import read_arrays
from ..wire.clip import Clip
from ..wire.errors import PianoHandsError
from ..wire.hands import FINGER_JOINTS, JOINTS, HandSide
from . import rotation
from .finger_ends import BEHIND, PADS, RIGID, SKIN, extreme_points, finger_frame, spread_points
from .skeleton import HandSkeleton, forward

Array = NDArray[np.float64]

HAND_FILE = Path(__file__).resolve().parents[2] / "rigs" / "hand.npz"
FORMAT = 1
OWN_HANDS = "default"  # name of their skeleton
LARGEST = 100_000_000  # bytes
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class HandRig:
    """A right hand at rest in the keyboard frame (flat, palm down, wrist joint at the origin). Metres.

    vertices (N, 3), quads (F, 4), uvs (F, 4, 2) of the faces' corners, zone (F,): 0 skin, 1 nail;
    weights (N, 16) summing to one; rest (16, 3) joints; tips (5, 3) ends of the flesh along the distal bones;
    nails (5, 3): unit vectors from each finger to where its nail looks; radius (16,): half thickness of the flesh around the
    segment that starts at each joint; span: thumb tip to little fingertip when stretched.
    """

    vertices: Array
    quads: NDArray[np.int32]
    uvs: NDArray[np.float32]
    zone: NDArray[np.uint8]
    weights: Array
    rest: Array
    tips: Array
    nails: Array
    radius: Array
    span: float

    @cached_property
    def mirrored_quads(self) -> NDArray[np.int32]:
        """Faces of the left hand: the same corners the other way round, so that they still face outwards."""
        return np.ascontiguousarray(self.quads[:, ::-1])

    def side_vertices(self, side: HandSide) -> Array:
        """(N, 3) skin of one hand at rest."""
        return self.vertices * MIRROR if side is HandSide.LEFT else self.vertices


def load_hand_rig(path: Path = HAND_FILE) -> HandRig:
    """Read the hand's file. Raises PianoHandsError('bad-rig')."""
    try:
        arrays = read_arrays(path, largest=LARGEST)
        if int(arrays["format"]) != FORMAT or tuple(arrays["joint"]) != JOINTS:
            raise ValueError("another format")
        weights = np.zeros((len(arrays["vertices"]), len(JOINTS)))
        weights[arrays["weight_vertex"], arrays["weight_joint"]] = arrays["weight"]
        return HandRig(
            vertices=arrays["vertices"].astype(float),
            quads=arrays["quads"],
            uvs=arrays["uvs"],
            zone=arrays["zone"],
            weights=weights,
            rest=arrays["rest"],
            tips=arrays["tips"],
            nails=arrays["nails"],
            radius=arrays["radius"],
            span=float(arrays["span"]),
        )
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise PianoHandsError(
            "bad-rig",
            f"The hand in {path} cannot be read: {error}.",
            "Install the extension again.",
        ) from error


def hand_skeleton(rig: HandRig, *, span: float = 0.22) -> HandSkeleton:
    """Both hands for the solve, scaled to a span from thumb tip to little fingertip in metres."""
    flexion, abduction = _axes(rig)
    around, share = (np.stack(parts) for parts in zip(*(finger_skin(rig, finger) for finger in range(5)), strict=True))
    return HandSkeleton(
        name=OWN_HANDS,
        rest=_both(rig.rest),
        tips=_both(rig.tips),
        # An axis is a pseudo-vector: mirrored, it turns the other way, so that positive stays towards palm and thumb.
        flexion=np.stack([flexion, -flexion * MIRROR]),
        abduction=np.stack([abduction, -abduction * MIRROR]),
        pads=_both(np.stack([finger_pad(rig, finger) for finger in range(5)])),
        skin=_both(around),
        skin_share=np.stack([share, share]),
        radius=np.stack([rig.radius, rig.radius]),
    ).scaled(span / rig.span)


@lru_cache(maxsize=8)
def own_skeleton(span: float = 0.22) -> HandSkeleton:
    """Our own hands, read once for each span. Raises PianoHandsError('bad-rig')."""
    return hand_skeleton(load_hand_rig(), span=span)


def skeleton_of(clip: Clip) -> HandSkeleton:
    """The hands that a clip was solved on. Raises PianoHandsError('bad-clip')."""
    if clip.hands is None:
        return own_skeleton(clip.hand_size)
    try:
        return HandSkeleton.from_arrays(clip.skeleton, clip.hands)
    except (ValueError, KeyError) as error:
        raise PianoHandsError(
            "bad-clip", f"The take's hands cannot be read: {error}.", "Bake it on the character again."
        ) from error


def _both(right: Array) -> Array:
    return np.stack([right, right * MIRROR])


def _axes(rig: HandRig) -> tuple[Array, Array]:
    """(16, 3) axes of flexion and abduction of the right hand.

    A joint flexes about the line across its nail's side and abducts about the nail's normal, both square to its bone. So the
    thumb, whose nail looks sideways, flexes across the palm.
    """
    flexion, abduction = np.zeros((len(JOINTS), 3)), np.zeros((len(JOINTS), 3))
    flexion[0], abduction[0] = (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)
    for finger, chain in enumerate(FINGER_JOINTS):
        points = [*rig.rest[list(chain)], rig.tips[finger]]
        for phalanx, joint in enumerate(chain):
            along = points[phalanx + 1] - points[phalanx]
            along /= np.linalg.norm(along)
            dorsal = rig.nails[finger] - (rig.nails[finger] @ along) * along
            abduction[joint] = dorsal / np.linalg.norm(dorsal)
            flexion[joint] = np.cross(abduction[joint], along)
    return flexion, abduction


def distal_skin(rig: HandRig, finger: int) -> Array:
    """(M, 3) vertices and face centres that move with the distal joint alone, relative to it (right hand, file's scale)."""
    joint = FINGER_JOINTS[finger][-1]
    weight = rig.weights[:, joint]
    vertices = rig.vertices[weight > RIGID]
    centres = rig.vertices[rig.quads].mean(1)[weight[rig.quads].min(1) > RIGID]
    return np.concatenate([vertices, centres]) - rig.rest[joint]


def distal_frame(rig: HandRig, finger: int) -> Array:
    """(3, 3) columns: sideways, along the distal bone, towards the nail."""
    return finger_frame(rig.tips[finger] - rig.rest[FINGER_JOINTS[finger][-1]], rig.nails[finger])


def finger_pad(rig: HandRig, finger: int, *, count: int = PADS) -> Array:
    """(count, 3) of the points of `distal_skin` that stand for all of them where keys are met."""
    skin = distal_skin(rig, finger)
    return skin[extreme_points(skin, distal_frame(rig, finger), (HandSide.RIGHT, finger), count=count)]


def finger_skin(rig: HandRig, finger: int, *, count: int = SKIN) -> tuple[Array, Array]:
    """(count, 3) points spread evenly over a finger's end, relative to its last joint; how far each follows the last phalanx."""
    middle, last = FINGER_JOINTS[finger][1:]
    places = np.concatenate([rig.vertices, rig.vertices[rig.quads].mean(1)]) - rig.rest[last]
    weights = np.concatenate([rig.weights, rig.weights[rig.quads].mean(1)])
    along = places @ distal_frame(rig, finger)[:, 1]
    chosen = (weights[:, middle] + weights[:, last] > RIGID) & (along > -BEHIND)
    places, share = places[chosen], weights[chosen, last]
    picked = spread_points(places, first=int(np.argmax(along[chosen])), count=count)
    return places[picked], share[picked]


def skin(rig: HandRig, rotations: Array, translation: Array, *, span: float = 0.22) -> Array:
    """Linear blend skinning of both hands: rotations (T, 2, 16, 4), translation (T, 2, 3) to vertices (T, 2, N, 3)."""
    scale = span / rig.span
    skeleton = hand_skeleton(rig, span=span)
    joints, turned = forward(skeleton, np.asarray(rotations, float), np.asarray(translation, float))
    matrices = rotation.to_matrix(turned)  # (T, 2, 16, 3, 3)
    result = np.empty((*matrices.shape[:2], len(rig.vertices), 3))
    for side in HandSide:
        vertices = rig.side_vertices(side) * scale
        shift = joints[:, side] - np.einsum("tjab,jb->tja", matrices[:, side], skeleton.rest[side])
        for frame in range(len(matrices)):
            blended = np.einsum("nj,jab->nab", rig.weights, matrices[frame, side])
            result[frame, side] = np.einsum("nab,nb->na", blended, vertices) + rig.weights @ shift[frame]
    return result
