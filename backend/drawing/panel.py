# SPDX-License-Identifier: GPL-3.0-or-later
"""One take as pictures: its hands as bars, and the keys of its notes. NumPy only."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import rotation
from s2c_blender.motion.hand_rig import skeleton_of
from s2c_blender.motion.resample import places_at, rotations_at
from s2c_blender.motion.skeleton import HandSkeleton, forward
from s2c_blender.wire.clip import Clip
from s2c_blender.wire.hands import FINGER_JOINTS, PARENTS, HandSide
from s2c_blender.wire.keyboard import LOWEST, Keyboard

from .raster import Bars, Picture, View, draw

Array = NDArray[np.floating]

_SKIN = {HandSide.RIGHT: (236, 190, 160), HandSide.LEFT: (214, 172, 148)}
_PRESSED = {HandSide.RIGHT: (255, 150, 70), HandSide.LEFT: (90, 160, 255)}
_AROUND = 0.18  # metres that are seen beside the wrists
_NARROWEST = 0.7
_FOREARM, _FOREARM_RADIUS = 0.11, 0.024  # metres that are seen of it, and half its thickness
_PALM = 0.72  # thickness of the palm's bars, against the wrist's


@dataclass(frozen=True)
class Panel:
    """A take, as it is seen at any moment of it."""

    clip: Clip
    width: int
    height: int

    @cached_property
    def view(self) -> View:
        """As wide as the wrists' ways, at least."""
        board = Keyboard(self.clip.octave)
        places = self.clip.translation[..., 0]
        left, right = float(places.min()) - _AROUND, float(places.max()) + _AROUND
        wide = min(max(right - left, _NARROWEST), board.width)
        middle = float(np.clip((left + right) / 2, (wide - board.width) / 2, (board.width - wide) / 2))
        return View(middle - wide / 2, middle + wide / 2, self.width, self.height, board)

    def bars(self, times: Array) -> list[Bars]:
        """The hands' bars at each time."""
        at = (times - self.clip.start) * self.clip.rate
        turns, places = rotations_at(self.clip.rotation, at).astype(float), places_at(self.clip.translation, at)
        joints, turned = forward(self._skeleton, turns, places)
        last = [chain[-1] for chain in FINGER_JOINTS]
        offset = self._skeleton.tips - self._skeleton.rest[:, last]
        tips = joints[:, :, last] + rotation.rotate(turned[:, :, last], offset)
        elbow = joints[:, :, 0] + rotation.rotate(turned[:, :, 0], np.array([0.0, -_FOREARM, 0.0]))
        return [self._bars(joints[frame], tips[frame], elbow[frame]) for frame in range(len(times))]

    def picture(self, bars: Bars, time: float) -> Picture:
        view = self.view
        picture = view.background.copy()
        for key, side in self._pressed(time):
            view.fill(picture, key, _PRESSED[side])
        draw(picture, view, bars)
        return picture

    @cached_property
    def _skeleton(self) -> HandSkeleton:
        return skeleton_of(self.clip)

    def _bars(self, joints: Array, tips: Array, elbow: Array) -> Bars:
        ends, radius, colour = list[Array](), list[float](), list[tuple[int, int, int]]()
        for side in HandSide:
            thick = self._skeleton.radius[side]
            ends.append(np.stack([elbow[side], joints[side, 0]]))
            radius.append(_FOREARM_RADIUS)
            for finger, chain in enumerate(FINGER_JOINTS):
                points = [joints[side, joint] for joint in chain] + [tips[side, finger]]
                for joint, first, second in zip(chain, points[:-1], points[1:], strict=True):
                    ends.append(np.stack([first, second]))
                    radius.append(thick[joint])
                root = chain[0]
                ends.append(np.stack([joints[side, PARENTS[root]], joints[side, root]]))
                radius.append(_PALM * thick[0])
            colour += [_SKIN[side]] * (len(ends) - len(colour))
        return Bars(np.array(ends), np.array(radius), np.array(colour, float))

    def _pressed(self, time: float) -> list[tuple[int, HandSide]]:
        """Keys that are down, and the hand of each, white ones first: black ones lie over them."""
        clip = self.clip
        down = [
            (note.pitch - LOWEST, HandSide(int(hand)))
            for note, hand in zip(clip.score.notes, clip.fingering.hand, strict=True)
            if note.onset <= time < note.offset
        ]
        return sorted(down, key=lambda pressed: bool(self.view.keyboard.black[pressed[0]]))
