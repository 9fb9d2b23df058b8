# SPDX-License-Identifier: GPL-3.0-or-later
"""The sound of one struck piano string, by additive synthesis. NumPy only."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LAYERS = 8  # brightness steps between the softest and the hardest touch
UNDAMPED = 90  # from F#6 upwards a grand piano has no dampers


@dataclass(frozen=True)
class Voice:
    """What sets one piano apart from another, each against the usual one."""

    brightness: float = 1.0  # how high the hammers' blow reaches
    stiffness: float = 1.0  # of the strings
    detune: float = 1.0  # between the strings of a key
    decay: float = 1.0  # how soon strings die away
    knock: float = 1.0  # of hammer and key bed


USUAL = Voice()

_CHUNK = 256
_PARTIALS = 44
_STRIKE_POINT = 1.0 / 8.0  # hammers strike at about an eighth of the string, which weakens every eighth partial
_DETUNE = 0.35  # cents between each of the two strings and the note
_INAUDIBLE = 10.0 ** (-66.0 / 20.0)  # against the note's strongest partial


def struck(pitch: int, *, layer: int, seconds: float, sample_rate: int, voice: Voice = USUAL) -> NDArray[np.float32]:
    """The undamped sound (2, samples) of a key struck at brightness `layer` (0 to LAYERS - 1), peak 1.

    It ends after `seconds`, or sooner where it has died away by then.

    Partials follow a stiff string, f_n = n f_1 sqrt(1 + B n^2), with B over the keyboard after Rauhala and Valimaki,
    "Tunable dispersion filter design for piano synthesis", IEEE Signal Processing Letters 13(5), 2006. Each rings on two
    strings tuned slightly apart, and dies first fast, then slowly, as the two polarisations of a real string do.
    """
    force = (layer + 0.5) / LAYERS
    frequency, level = _partials(pitch, force, sample_rate, voice)
    slow = voice.decay * _slow_decay(pitch, frequency)
    samples = int(min(6.5 / slow.min(), 12.0, seconds) * sample_rate)
    rates = np.concatenate([slow, 2.6 * slow])
    weights = np.concatenate([0.3 * level, 0.7 * level])
    apart = 2.0 ** (voice.detune * _DETUNE / 1200.0)
    strings = np.stack(
        [
            _ring(np.tile(frequency * tuning, 2), rates, weights, samples=samples, sample_rate=sample_rate)
            for tuning in (1.0 / apart, apart)
        ]
    )
    pan = 0.5 + 0.4 * (pitch - 64.5) / 87.0
    gain = np.sqrt([1.0 - pan, pan]).astype(np.float32)[:, None]
    # Each string leans a little to one side, so that the beating between them is heard as width.
    sound = gain * (np.array([[1.0, 0.78], [0.78, 1.0]], dtype=np.float32) @ strings)
    knock = voice.knock * gain * _knock(pitch, force, samples=samples, sample_rate=sample_rate)
    sound[:, : knock.shape[1]] += knock
    swell = _attack(force, sample_rate)
    sound[:, : swell.size] *= swell
    fade = min(samples, sample_rate // 10)
    sound[:, samples - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return sound / np.abs(sound).max()


def _partials(pitch: int, force: float, sample_rate: int, voice: Voice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Frequencies and levels of the partials that can be heard."""
    stiffness = voice.stiffness * (np.exp(0.0926 * pitch - 13.64) + np.exp(-0.0847 * pitch - 5.82))
    stretch = 8.0 * ((pitch - 64.5) / 43.5) ** 3  # cents: tuners widen the outer octaves
    first = 440.0 * 2.0 ** ((pitch - 69 + stretch / 100.0) / 12.0)
    number = np.arange(1, _PARTIALS + 1)
    frequency = first * number * np.sqrt((1.0 + stiffness * number**2) / (1.0 + stiffness))
    number, frequency = number[frequency < 0.45 * sample_rate], frequency[frequency < 0.45 * sample_rate]
    # Felt hardens with force, so a harder blow reaches higher; treble hammers are harder and smaller.
    reach = voice.brightness * (420.0 + 5.0 * max(pitch - 21, 0)) * (0.45 + 3.4 * force**1.4) + 0.55 * first
    blow = np.abs(np.sin(np.pi * number * _STRIKE_POINT)) + 0.04
    board = frequency**2 / (frequency**2 + 70.0**2)  # a soundboard hardly radiates the lowest partials
    level = blow * board * np.exp(-frequency / reach) / number**0.7
    heard = level > 1e-4 * level.max()
    return frequency[heard], level[heard]


def _slow_decay(pitch: int, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Late decay rate of each partial in 1/s: higher keys and higher partials die sooner."""
    base = 0.34 * 2.0 ** ((pitch - 45) / 17.5)
    return np.maximum(base, 0.3) + 0.09 * (frequency / 1000.0) ** 1.5


def _ring(
    frequency: NDArray[np.float64], rate: NDArray[np.float64], weight: NDArray[np.float64], *, samples: int, sample_rate: int
) -> NDArray[np.float32]:
    """Sum over partials of weight * exp(-rate t) * sin(2 pi frequency t).

    exp(z (a + b)) = exp(z a) exp(z b): with t = chunk + place in the chunk, the sum over partials is one matrix product.
    Partials that have died away are left out of later chunks.
    """
    life = np.log(weight / (_INAUDIBLE * weight.max())) / rate
    order = np.argsort(life)[::-1]
    life, weight = life[order], weight[order]
    turn = ((2j * np.pi * frequency - rate) / sample_rate)[order]
    place = np.exp(np.outer(turn, np.arange(_CHUNK)))
    first = np.arange(0, samples, _CHUNK)
    sound = np.empty((len(first), _CHUNK), dtype=np.float32)
    begin, step = 0, 16
    while begin < len(first):
        alive = max(1, int(np.sum(life > first[begin] / sample_rate)))
        chunks = np.exp(np.outer(first[begin : begin + step], turn[:alive])) * weight[:alive]
        left = np.concatenate([chunks.imag, chunks.real], axis=1).astype(np.float32)
        right = np.concatenate([place.real[:alive], place.imag[:alive]], axis=0).astype(np.float32)
        sound[begin : begin + step] = left @ right
        begin, step = begin + step, step + step // 2
    return sound.reshape(-1)[:samples]


def _knock(pitch: int, force: float, *, samples: int, sample_rate: int) -> NDArray[np.float32]:
    """The hammer's felt and the key bed, for both ears: a short burst of noise over a dull thud."""
    length = min(samples, int(0.06 * sample_rate))
    time = np.arange(length) / sample_rate
    noise = np.random.default_rng(pitch).standard_normal((2, length))
    soft = np.hanning(max(3, int(sample_rate / (1500.0 + 4000.0 * force))))
    felt = np.stack([np.convolve(row, soft, mode="same") for row in noise]) * np.exp(-time / 0.006)
    thud = np.sin(2.0 * np.pi * 105.0 * time) * np.exp(-time / 0.016)
    sound = (0.10 + 0.30 * force) * felt / max(np.abs(felt).max(), 1e-9) + (0.08 + 0.14 * force) * thud
    return (sound * np.linspace(0.8, 1.6, 88)[pitch - 21]).astype(np.float32)


def _attack(force: float, sample_rate: int) -> NDArray[np.float32]:
    """How the blow swells: about 2 ms when soft, half a millisecond when hard."""
    length = max(4, int((0.002 - 0.0015 * force) * sample_rate))
    return (0.5 - 0.5 * np.cos(np.linspace(0.0, np.pi, length))).astype(np.float32)
