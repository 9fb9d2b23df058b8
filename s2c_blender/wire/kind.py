# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file is, by its first bytes: notes, a recording, a take, or none of them. Its name counts only where they say nothing."""

from enum import Enum
from pathlib import Path

MIDI_SUFFIXES = frozenset({".mid", ".midi", ".rmi"})
SOUND_SUFFIXES = frozenset(
    {
        ".wav",
        ".mp3",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".m4a",
        ".aac",
        ".aif",
        ".aiff",
        ".wma",
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
    }
)

_STARTS = (b"fLaC", b"OggS", b"ID3", b"\x1a\x45\xdf\xa3", b"\x30\x26\xb2\x75")  # the last two: Matroska, Windows Media
_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide")  # MP4 and QuickTime


class Kind(Enum):
    MIDI = "MIDI file"
    RECORDING = "recording"  # any common sound file, or a film
    TAKE = "take"  # a clip's .npz
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
    if start.startswith(b"PK\x03\x04") and path.suffix.lower() == ".npz":
        return Kind.TAKE
    wrapped = start[:4] in (b"RIFF", b"RF64", b"FORM") and start[8:12] in (b"WAVE", b"AIFF", b"AIFC")
    # MP3 and AAC frames begin with eleven or twelve set bits; a text in UTF-16 begins with FF FE.
    mpeg = start[:1] == b"\xff" and start[1:2] in (b"\xfb", b"\xfa", b"\xf3", b"\xf2", b"\xf1", b"\xf9")
    if wrapped or mpeg or start.startswith(_STARTS) or start[4:8] in _ATOMS:
        return Kind.RECORDING
    return Kind.OTHER


def is_recording(path: Path) -> bool:
    """Whether the file is to be listened to, and not read as notes."""
    kind = kind_of(path)
    return kind is Kind.RECORDING or (kind is Kind.OTHER and path.suffix.lower() in SOUND_SUFFIXES)
