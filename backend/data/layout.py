# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands where: the columns of an annotated frame, and the folders of the data set. Named once, here."""

from dataclasses import dataclass
from pathlib import Path

# Columns of one hand's frame. Both hands are written as right ones, the left one as in the mirror x -> -x.
VISIBLE = 0  # 1 where the hand was seen
POSITION = slice(1, 4)  # MANO's translation in the camera's frame, its metres
POSE = slice(4, 52)  # rotation vectors of MANO's 16 joints, radians
COLUMNS = 52
ANNOTATED = 62  # with ten numbers of the hand's shape, which are not used

FPS = 30  # frames a second of what is learned, whatever the film has
SPLITS = ("train", "valid", "test")
ANNOTATION, AUDIO, MIDI = "annotation", "audio", "midi"  # folders

#: Its annotation does not belong to its sound; the published code leaves it out by name.
KNOWN_BROKEN = frozenset({("676539782", "BV1QY411T7Xg", "BV1QY411T7Xg_seq_0003")})


@dataclass(frozen=True, order=True)
class Item:
    """One sequence: some seconds of one video of one person (`uploader`)."""

    uploader: str
    video: str
    name: str

    def annotation(self, root: Path) -> Path:
        return root / ANNOTATION / self.uploader / self.video / f"{self.name}.json"

    def audio(self, root: Path) -> Path:
        return root / AUDIO / self.uploader / self.video / f"{self.name}.mp3"

    def midi(self, root: Path) -> Path:
        """The whole video's notes; `Annotation.start` says where in them the sequence begins."""
        return root / MIDI / self.uploader / f"{self.video}.mid"

    def __str__(self) -> str:
        return f"{self.uploader}/{self.video}/{self.name}"
