# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings to listen to, made from notes: sampled pianos by FluidSynth, and what bad rooms and bad files do to them."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

RATE = 44100
#: Debian: fluid-soundfont-gm and musescore-general-soundfont-small. Two different sets of piano samples.
SOUND_FONTS = {
    "FluidR3": Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    "MuseScore": Path("/usr/share/sounds/sf3/MuseScore_General_Lite.sf3"),
}
_REVERBERATION, _WET, _SNR = 1.2, 0.35, 30.0  # seconds to -60 dB; amplitude against the dry sound; dB


def lacking() -> str | None:
    """What has to be installed, in one sentence; None where all is there."""
    if shutil.which("fluidsynth") and all(path.exists() for path in SOUND_FONTS.values()):
        return None
    return (
        "FluidSynth and two sound fonts are needed: apt-get install --no-install-recommends "
        "fluidsynth fluid-soundfont-gm musescore-general-soundfont-small"
    )


def render(midi: Path, font: str, path: Path) -> None:
    """A 16-bit stereo .wav, without the synthesiser's own reverberation and chorus."""
    command = ["fluidsynth", "-n", "-i", "-q", "-R", "0", "-C", "0", "-g", "0.7", "-r", str(RATE), "-F", str(path)]
    subprocess.run([*command, str(SOUND_FONTS[font]), str(midi)], check=True, capture_output=True)


def degraded(clean: Path, path: Path) -> None:
    """A reverberant room, noise 30 dB below the music, and 48 kb/s of mono MP3."""
    import soundfile

    sound = np.asarray(soundfile.read(str(clean), dtype="float32", always_2d=True)[0]).mean(axis=1)
    random = np.random.default_rng(0)
    time = np.arange(round(_REVERBERATION * RATE)) / RATE
    room = random.standard_normal(len(time)) * 10.0 ** (-3.0 * time / _REVERBERATION)
    size = 1 << (len(sound) + len(room)).bit_length()
    wet = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(room, size), size)[: len(sound)]
    loud = float(np.sqrt(np.mean(sound**2)))
    mixed = sound + _WET * loud * wet / np.sqrt(np.mean(wet**2))
    mixed += loud * 10.0 ** (-_SNR / 20.0) * random.standard_normal(len(mixed))
    write_mp3((mixed / np.abs(mixed).max() * 0.9).astype(np.float32), path, bits=48_000)


def write_mp3(sound: Array, path: Path, *, bits: int) -> None:
    """One channel at `RATE`, `bits` a second."""
    import av

    with av.open(str(path), "w", format="mp3") as container:
        stream = container.add_stream("mp3", rate=RATE, layout="mono")
        stream.bit_rate = bits
        for begin in range(0, len(sound), 1152):
            frame = av.AudioFrame.from_ndarray(sound[None, begin : begin + 1152], format="fltp", layout="mono")
            frame.rate, frame.pts = RATE, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
