# SPDX-License-Identifier: GPL-3.0-or-later
"""From the published checkpoints' tensor names and layouts to ours, hand by hand; and which of them nothing uses."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

ENCODER = "piano2posi.audio_encoder_cont."
_NORM = re.compile(re.escape(ENCODER) + r"encoder\.pos_conv_embed\.conv\.(parametrizations\.weight\.original[01]|weight_[gv])$")
#: Old and new spelling of weight normalisation's length and direction.
_SPELLINGS = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))

_UNUSED = (
    (re.compile(r"model\.cross_attn\."), "another way to couple the hands, not in use"),
    (re.compile(r"piano2posi\.pos_feature_map\."), "never called"),
    (re.compile(re.escape(ENCODER) + r"(lm_head\.|masked_spec_embed$)"), "only for training the audio encoder"),
    (re.compile(r"[a-z_0-9]+$"), "the noise schedule, which follows from its number of steps"),
)

_ATTENTION = {
    "in_proj_weight": "project.weight",
    "in_proj_bias": "project.bias",
    "out_proj.weight": "out.weight",
    "out_proj.bias": "out.bias",
}
_BLOCK = {
    "mlp.1": "modulation",
    "block1.proj": "first.convolution",
    "block1.norm": "first.norm",
    "block2.proj": "second.convolution",
    "block2.norm": "second.norm",
    "res_conv": "shortcut",
}
_COORDINATION = {
    "out_proj": "project",
    "subln": "norm",
    "mlp.0": "inner",
    "mlp.2": "outer",
    **{
        f"{published}{side}": f"{stream}.{ours}"
        for side, stream in (("left", "own"), ("right", "other"))  # in both hands' networks "left" means own
        for published, ours in (
            ("q_proj_", "query"),
            ("k_proj_", "key"),
            ("v_proj_", "value"),
            ("lambda_q_", "share_query"),
            ("lambda_k_", "share_key"),
        )
    },
}
_LINEAR_ATTENTION = {
    "fn.fn.to_qkv": "project",
    "fn.fn.to_out.0": "out",
    "fn.fn.to_out.1.g": "out_norm.gain",
    "fn.norm.g": "norm.gain",
}
_FULL_ATTENTION = {"fn.fn.to_qkv": "project", "fn.fn.to_out": "out", "fn.norm.g": "norm.gain"}
_PARTS = {
    "cond_feature_map": "remap",
    "init_conv": "entry",
    "time_mlp.1": "time.inner",
    "time_mlp.3": "time.outer",
    "final_conv": "exit",
}

Change = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Source:
    """A tensor of ours: from which published ones, and how."""

    names: tuple[str, ...]
    change: Callable[..., Tensor]

    def read(self, tensors: Mapping[str, Tensor]) -> Tensor:
        return self.change(*(tensors[name] for name in self.names))


def unused(name: str) -> str | None:
    """Why nothing uses the published tensor; None if something does."""
    return next((reason for pattern, reason in _UNUSED if pattern.match(name)), None)


def translate(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Source], list[str]]:
    """Our names with their sources, and published names that nobody knows. Hand's parts: encoder., position., denoiser."""
    sources, unknown = dict[str, Source](), list[str]()
    for name in tensors:
        if unused(name) or _NORM.match(name):
            continue
        found = _ours(name)
        if found is None:
            unknown.append(name)
        else:
            sources[found[0]] = Source((name,), found[1])
    norm = _weight_norm(tensors)
    if norm is not None:
        sources["encoder.encoder.pos_conv_embed.conv.weight"] = norm
    return sources, unknown


def partly_unused(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Published tensors of which only a part is used, and which."""
    return {
        name: "queries and keys have no effect where each frame may look at one frame alone; its values are used"
        for name in tensors
        if ".multihead_attn.in_proj_" in name
    }


def _weight_norm(tensors: Mapping[str, Tensor]) -> Source | None:
    base = f"{ENCODER}encoder.pos_conv_embed.conv."
    for length, direction in _SPELLINGS:
        if base + length in tensors and base + direction in tensors:
            return Source((base + length, base + direction), join_weight_norm)
    return None


def join_weight_norm(length: Tensor, direction: Tensor) -> Tensor:
    """Weight normalisation over every axis but the taps' (Salimans & Kingma 2016): length (1, 1, K), direction (O, I, K)."""
    if length.shape != (1, 1, direction.shape[-1]):
        raise ValueError(f"weight normalisation of shapes {tuple(length.shape)} and {tuple(direction.shape)}")
    direction = direction.float()
    return length.float() * direction / direction.norm(dim=(0, 1), keepdim=True)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _convolution(tensor: Tensor) -> Tensor:
    """(O, I, K) to (O, K I)."""
    return tensor.permute(0, 2, 1).flatten(1)


def _flat(tensor: Tensor) -> Tensor:
    """(1, C, 1) to (C,)."""
    return tensor.flatten()


def _squeeze(tensor: Tensor) -> Tensor:
    """(O, I, 1) to (O, I)."""
    return tensor.squeeze(-1)


def _values(tensor: Tensor) -> Tensor:
    """The last third: values of queries, keys and values."""
    return tensor[2 * len(tensor) // 3 :]


def _ours(name: str) -> tuple[str, Change] | None:
    if name.startswith(ENCODER):
        return _encoder(name.removeprefix(ENCODER))
    if name.startswith("piano2posi."):
        return _position(name.removeprefix("piano2posi."))
    return _denoiser(name.removeprefix("model.")) if name.startswith("model.") else None


def _encoder(rest: str) -> tuple[str, Change] | None:
    for published, ours in (("feature_extractor", "convolutions"), ("feature_projection", "projection"), ("encoder", "encoder")):
        if rest.startswith(published + "."):
            return f"encoder.{ours}{rest.removeprefix(published)}", _same
    return None


def _position(rest: str) -> tuple[str, Change] | None:
    for published, ours in (("audio_feature_map_cont.", "project."), ("bs_map_r.", "head.")):
        if rest.startswith(published):
            return f"position.{ours}{rest.removeprefix(published)}", _same
    found = _transformer(rest)
    return found and (f"position.transformer.{found[0]}", found[1])


def _transformer(rest: str) -> tuple[str, Change] | None:
    match = re.fullmatch(r"transformer_(encoder|decoder)\.layers\.(\d+)\.(\w+)\.?(.*)", rest)
    if match is None:
        return None
    kind, layer, part, tail = match.groups()
    place = f"{kind}.{layer}."
    if part == "self_attn" and tail in _ATTENTION:
        return f"{place}attention.{_ATTENTION[tail]}", _same
    if part == "multihead_attn" and tail in _ATTENTION:
        ours = _ATTENTION[tail]
        return (f"{place}memory.{ours}", _same) if ours.startswith("out.") else (f"{place}memory.value.{ours[8:]}", _values)
    last = "norm3" if kind == "decoder" else "norm2"
    parts = {"linear1": "feed_forward.inner", "linear2": "feed_forward.outer", "norm1": "attention_norm", "norm2": "memory_norm"}
    parts[last] = "feed_forward_norm"
    return (f"{place}{parts[part]}.{tail}", _same) if part in parts and tail in ("weight", "bias") else None


def _denoiser(rest: str) -> tuple[str, Change] | None:
    found = _transformer(rest)
    if found:
        return f"denoiser.condition.{found[0]}", found[1]
    level = re.fullmatch(r"(down|up)s\.(\d+)\.([0-3])\.(.*)", rest)
    if level:
        return _level(*level.groups())
    for published, ours, table in (
        ("mid_block1.", "middle_first.", _BLOCK),
        ("mid_block2.", "middle_second.", _BLOCK),
        ("final_res_block.", "exit_block.", _BLOCK),
        ("mid_attn.", "middle_attention.", _FULL_ATTENTION),
        ("diff_attn.", "coordination.", _COORDINATION),
        ("", "", _PARTS),
    ):
        if rest.startswith(published):
            found = _renamed(rest.removeprefix(published), table)
            return found and (f"denoiser.{ours}{found[0]}", found[1])
    return None


def _level(way: str, number: str, part: str, rest: str) -> tuple[str, Change] | None:
    place = f"denoiser.{way}.{number}."
    if part == "3":
        tail = rest.removeprefix("1.")
        doubled = "convolution." if tail != rest else ""
        return f"{place}rate.{doubled}{tail}", _convolution if tail == "weight" else _same
    found = _renamed(rest, _LINEAR_ATTENTION if part == "2" else _BLOCK)
    return found and (f"{place}{('first', 'second', 'attention')[int(part)]}.{found[0]}", found[1])


def _renamed(rest: str, table: Mapping[str, str]) -> tuple[str, Change] | None:
    """Rename the longest known beginning; the change of layout goes by what the tensor is."""
    for published in sorted(table, key=len, reverse=True):
        ours = table[published]
        if rest == published:
            return ours, _flat if ours.endswith("gain") else _same
        if rest == f"{published}.bias":
            return f"{ours}.bias", _same
        if rest == f"{published}.weight":
            return f"{ours}.weight", _layout(published)
    return None


def _layout(published: str) -> Change:
    if published.endswith(("proj", "conv")) and published not in _COORDINATION:
        return _convolution
    return _squeeze if ".to_" in published else _same
