# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, by its first bytes: notes, a recording, or neither. Its name is not believed."""

from enum import Enum
from pathlib import Path


class Kind(Enum):
    MIDI = "MIDI file"
    RECORDING = "recording"  # WAV or any other common sound file
    OTHER = "other"


def kind_of(path: Path) -> Kind:
    """OTHER also where there is nothing to read: whoever opens the file says why."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except OSError:
        return Kind.OTHER
    if start.startswith(b"MThd") or (start.startswith(b"RIFF") and start[8:12] == b"RMID"):
        return Kind.MIDI
    wrapped = start[:4] in (b"RIFF", b"RF64", b"FORM") and start[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    mpeg = start[:1] == b"\xff" and start[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2", b"\xf1", b"\xf9")  # MP3 and AAC frames
    if wrapped or mpeg or start.startswith((b"fLaC", b"OggS", b"ID3")) or start[4:8] == b"ftyp":
        return Kind.RECORDING
    return Kind.OTHER
