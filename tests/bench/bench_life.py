# SPDX-License-Identifier: GPL-3.0-or-later
"""How hands move over a folder of MIDI files, beside how people's hands do: speeds, spread, offsets, preparation, jitter.

python -m tests.bench.bench_life FOLDER [--seconds 60]
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from collections import defaultdict
from pathlib import Path

import numpy as np

from backend.perform import perform
from backend.score import read_midi
from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import hand_skeleton, load_hand_rig
from s2c_blender.motion.joint_limits import hinge_angles
from s2c_blender.motion.skeleton import forward
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import FINGER_JOINTS
from s2c_blender.wire.notes import Score

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Tracks of 419 pieces from overhead video, 20 Hz; right hand, left hand (percentiles 5 25 50 75 95 99).
HUMAN = {
    "wrist speed sideways m/s": ((0, 0.02, 0.06, 0.15, 0.62, 1.66), (0, 0.02, 0.02, 0.06, 0.21, 0.49)),
    "wrist speed in depth m/s": ((0, 0.02, 0.04, 0.07, 0.22, 0.39), (0, 0.02, 0.04, 0.06, 0.19, 0.41)),
    "tip speed sideways m/s": ((0, 0, 0.04, 0.15, 0.89, 2.4), (0, 0, 0.02, 0.08, 0.29, 0.80)),
    "thumb to little tip m": ((0.08, 0.12, 0.14, 0.16, 0.17, 0.18), (0.08, 0.10, 0.13, 0.16, 0.17, 0.18)),
    "wrist to middle tip m": ((0.147, 0.165, 0.171, 0.176, 0.184, 0.190),) * 2,
    "thumb behind middle tip m": ((np.nan, np.nan, 0.05, np.nan, np.nan, np.nan),) * 2,
    "wrist to thumb's side m": ((np.nan, np.nan, 0.02, np.nan, np.nan, np.nan),) * 2,
    "wrist to wrist m": ((np.nan, 0.17, 0.21, 0.27, 0.35, 0.50),) * 2,
}


def hand_figures(clip: Clip) -> dict[str, list[np.ndarray]]:
    """Samples of each figure for (right, left), at 20 Hz while the piece lasts."""
    skeleton = hand_skeleton(load_hand_rig(), span=clip.hand_size)
    joints, turned = forward(skeleton, clip.rotation.astype(float), clip.translation.astype(float))
    distal = [chain[-1] for chain in FINGER_JOINTS]
    ends = skeleton.tips - skeleton.rest[:, distal]
    tips = joints[:, :, distal] + rotation.rotate(turned[:, :, distal], ends)
    times = np.arange(0.0, clip.score.duration, 0.05)
    pick = np.clip(np.round((times - clip.start) * clip.rate).astype(int), 0, len(joints) - 1)
    wrist, tips = joints[pick][:, :, 0], tips[pick]
    outward = np.array([1.0, -1.0])  # from the thumb's side to the little finger's
    speed = np.abs(np.diff(wrist, axis=0)) / 0.05
    tip_speed = np.abs(np.diff(tips[..., 0], axis=0)) / 0.05
    flat = tips[..., :2]
    figures = {
        "wrist speed sideways m/s": speed[..., 0],
        "wrist speed in depth m/s": speed[..., 1],
        "tip speed sideways m/s": tip_speed,
        "thumb to little tip m": np.linalg.norm(flat[:, :, 0] - flat[:, :, 4], axis=-1),
        "wrist to middle tip m": np.linalg.norm(flat[:, :, 2] - wrist[..., :2], axis=-1),
        "thumb behind middle tip m": flat[:, :, 2, 1] - flat[:, :, 0, 1],
        "wrist to thumb's side m": (flat[:, :, 2, 0] - wrist[..., 0]) * outward,
        "wrist to wrist m": np.repeat((wrist[:, 0, 0] - wrist[:, 1, 0])[:, None], 2, axis=1),
    }
    return {name: [values[:, side].ravel() for side in (0, 1)] for name, values in figures.items()}


def preparation(clip: Clip) -> list[float]:
    """For melodic runs (onsets 60 to 400 ms apart in a hand): the fingertip's highest point before the strike, in tones."""
    skeleton = hand_skeleton(load_hand_rig(), span=clip.hand_size)
    joints, _ = forward(skeleton, clip.rotation.astype(float), clip.translation.astype(float))
    times, fingering = clip.times, clip.fingering
    found = []
    for side in (0, 1):
        notes = np.flatnonzero(fingering.played & (fingering.hand == side))
        notes = notes[np.argsort(fingering.strike[notes])]
        tone = np.diff(fingering.strike[notes], prepend=-np.inf)
        last_of = {}
        for note, gap in zip(notes, tone, strict=True):
            finger = fingering.finger[note] - 1
            since = last_of.get(finger, -np.inf)
            last_of[finger] = fingering.release[note]
            if not 0.06 <= gap <= 0.4:
                continue
            begin = max(since + 0.02, fingering.strike[note] - 2.0 * gap)
            window = slice(*np.searchsorted(times, (begin, fingering.strike[note])))
            height = joints[window, side, FINGER_JOINTS[finger][-1], 2]
            if len(height) > 2 and since < fingering.strike[note] - 1.3 * gap:
                found.append((fingering.strike[note] - times[window][np.argmax(height)]) / gap)
    return found


def fast_energy(clip: Clip) -> float:
    """Share of the joint angles' spectral energy above 10 Hz (mean removed)."""
    angles = hinge_angles(hand_skeleton(load_hand_rig(), span=clip.hand_size), clip.rotation)
    power = np.abs(np.fft.rfft(angles - angles.mean(axis=0), axis=0)) ** 2
    fast = np.fft.rfftfreq(len(angles), 1.0 / clip.rate) > 10.0
    return float(power[fast].sum() / power.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    samples: dict[str, list[list[np.ndarray]]] = defaultdict(lambda: [[], []])
    tones: list[float] = []
    for path in sorted(options.folder.glob("*.mid")):
        whole = read_midi(path)
        clip = perform(Score(tuple(n for n in whole.notes if n.onset < options.seconds), whole.pedal))
        own = preparation(clip)
        tones += own
        good = np.mean([0.7 <= t <= 1.3 for t in own]) if own else np.nan
        prepared = f"prepared in time {good:.2f} of {len(own)}"
        print(f"{path.stem:40s} above 10 Hz {100 * fast_energy(clip):5.2f} %   {prepared}", flush=True)
        for name, values in hand_figures(clip).items():
            for side in (0, 1):
                samples[name][side].append(values[side])
    print(f"prepared in time {np.mean([0.7 <= t <= 1.3 for t in tones]):.3f} of {len(tones)}; percentiles", QUANTILES)
    for name, hands in samples.items():
        for side, word in enumerate(("right", "left")):
            ours = np.quantile(np.concatenate(hands[side]), QUANTILES)
            print(f"{name:28s} {word:5s} ours " + " ".join(f"{x:6.3f}" for x in ours), end="")
            print("   people " + " ".join(f"{x:6.3f}" for x in HUMAN[name][side]))


if __name__ == "__main__":
    main()
