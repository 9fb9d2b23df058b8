# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts what tests/torch/recorded holds out of a whole folder of recorded numbers: python -m tests.tools.cut_recorded DIR.

One hand, so that it stays small; what it takes from the other hand, the numbers hold as inputs.
"""

import argparse
import json
import lzma
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

OUT = Path(__file__).parents[1] / "torch" / "recorded"
SIDE, OTHER = "left", "right"
EVERY = 8  # frames, of what is only compared
# The denoiser's condition transformer is the same class as the position predictor's; the others nothing uses.
LEFT_OUT = ("model.transformer_", "model.cross_attn.", "piano2posi.pos_feature_map.")
LEFT_OUT += tuple(f"piano2posi.audio_encoder_cont.{name}" for name in ("lm_head.", "masked_spec_embed"))
STEPS = (999, 500, 1, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="weights_*.safetensors and the recorded .npz and .json files")
    folder = parser.parse_args().folder
    weights = load_file(folder / f"weights_{SIDE}.safetensors")
    kept = {name: value for name, value in weights.items() if "." in name and not name.startswith(LEFT_OUT)}
    OUT.mkdir(exist_ok=True)
    (OUT / "weights.safetensors.xz").write_bytes(lzma.compress(_apart(save(kept)), preset=9))
    for name, numbers in (("numbers", _numbers(folder)), ("dataset", _dataset(folder)), ("metrics", _metrics(folder))):
        with open(OUT / f"{name}.npz.xz", "wb") as file, lzma.open(file, "wb", preset=9) as packed:
            np.savez(packed, **numbers)
    for path in OUT.iterdir():
        print(f"{path.name:24} {path.stat().st_size / 1e6:.2f} MB")
    return 0


def _apart(data: bytes) -> bytes:
    """First every even byte, then every odd one: the latter hold sign and exponent of fp16 and pack well."""
    return data[::2] + data[1::2]


def _numbers(folder: Path) -> dict[str, NDArray[np.generic]]:
    """What goes in and what comes out, under the names they were recorded by; `:` says which part is kept."""
    given, found, train = (dict(np.load(folder / f"{name}.npz")) for name in ("inputs", "outputs", "train_inputs"))
    own = f"b1/{SIDE}/"
    numbers: dict[str, NDArray[np.generic]] = {"pcm": given["pcm"][:1], "x_t": given[f"x_t_{SIDE}"][:1]}
    for name in ("conv_mid", "position", "t_emb", "init_conv_head", "skip_means", "xcond"):
        numbers[own + name] = found[own + name]
    numbers[own + "hubert"] = found[own + "hubert"][:, ::EVERY]
    for name in ("bottleneck", "hcaa"):
        numbers[own + name] = found[own + name]
    numbers[own + "v_t500"] = found[own + "v_t500"][..., ::EVERY]
    numbers["b1/audio_norm_stats"] = found["b1/audio_norm_stats"]
    numbers[f"b1/{OTHER}/bottleneck"] = found[f"b1/{OTHER}/bottleneck"]
    numbers[f"b1/{OTHER}/position"] = found[f"b1/{OTHER}/position"]
    numbers["b2/hubert"] = found[f"b2/{SIDE}/hubert"][:1]
    numbers["b2/position"] = found[f"b2/{SIDE}/position"]
    numbers["step_noise"] = given["step_noise"][0, 0, :, :, ::EVERY]
    for step in STEPS:
        for name in ("x0", "x_prev"):
            numbers[f"step_t{step}/{name}"] = found[f"step_t{step}/{SIDE}/{name}"][..., ::EVERY]
    numbers |= {name: value for name, value in found.items() if name.startswith(("schedule20/", "biased_mask"))}
    numbers["run20"] = found[f"run20/{SIDE}"][0, :6]
    numbers["post/pose"] = found["post/pose_right_left_96"][:, 48:54]
    numbers["post/trans"] = found["post/trans_right_left_6"][:, 3:]
    numbers["train/gt"] = train[f"gt_{SIDE}"][..., :4]
    numbers["train/stage1_rec_vel"] = found[f"train/{SIDE}/stage1_rec_vel"]
    return numbers


def _dataset(folder: Path) -> dict[str, NDArray[np.generic]]:
    """What the data set's class was given and gave: the flag, the position and the first two joints of each hand."""
    given, found = (dict(np.load(folder / f"dataset_{name}.npz")) for name in ("inputs", "outputs"))
    return {name: value[..., :10] if value.ndim == 2 else value for name, value in {**given, **found}.items()}


def _metrics(folder: Path) -> dict[str, NDArray[np.generic]]:
    """One pair of clips, the clouds of Frechet's distance, one clip of the autoencoder, and what was measured of them."""
    given = dict(np.load(folder / "metrics_inputs.npz"))
    found = json.loads((folder / "metrics_outputs.json").read_text(encoding="utf-8"))
    numbers = {name: given[name] for name in ("real0", "fake0", "treal0", "tfake0", "fd_A", "fd_B")} | {"ae": given["ae_real"][:1]}
    measured = ("fid0", "fid64_0", "mw2_0", "loc0", "smooth0", "frechet_16d", "ae_mu_real_row0")
    return numbers | {name: np.array(found[name]) for name in measured}


if __name__ == "__main__":
    raise SystemExit(main())
