# SPDX-License-Identifier: GPL-3.0-or-later
"""The trajectory solve of some windows of time: a sparse non-linear least-squares problem for each hand, by Gauss-Newton.

Unknown is every degree of freedom at every frame. The terms: contact (fingertips on their keys, at their heights), clearance
(idle skin above keys), collision (with fingers, the other hand, keys), joint limits, nearness to the prior, and smoothness
(acceleration of the difference from the prior).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from s2c_blender.motion import anatomy
from s2c_blender.motion.skeleton import HandSkeleton
from s2c_blender.wire.keyboard import BLACK_FRONT

from . import block_solver, kinematics
from .collisions import Collisions
from .key_walls import KeyWalls, own_keys
from .normal_equations import Softness, System
from .targets import Targets, black_steepness, black_top

Array = NDArray[np.float64]

_PIN = 1e12  # weight of a frame that is to stay as it is
_MISSED = 0.5  # of a metre that a finger is beside its place on its key counts as wrong: it may do without some;
_LATE = 2.0  # and of one that it is too high or too low there: a little, and the note is late
_LAST = 99  # an iteration by which wishes are as tight as they get


def _per_dof(place: float, height: float, turn: float, thumb: tuple[float, ...], finger: tuple[float, ...]) -> Array:
    return np.array([place, place, height, *(3 * [turn]), *thumb, *(4 * finger)])


@dataclass(frozen=True)
class SolveSettings:
    """Weights, as standard deviations: what counts as one unit of unhappiness. Metres, radians, seconds.

    Tried and left: blocks of two frames (twice as slow as the pentadiagonal elimination); a steep edge at the black keys' fronts
    (steps swing to and fro); the middle of the pad in place of its flanks (neighbours get pressed); more iterations for every frame
    (no better than `rounds` for the few that need them, and dearer); tighter or farther-reaching wishes for depth (fingers leave
    their keys); to let idle fingers rest before they are at rest (a fifth less work in rounds, but what crosses stays crossed);
    Levenberg damping of each hand that falls where its steps go on (fewer rounds here, more there).

    prior: how far a degree of freedom may stray from the prior. The knuckles (MCP) stray most: they make most of a
      fingertip's vertical motion (Goebl & Palmer 2013, doi 10.1371/journal.pone.0050901).
    acceleration: of the difference from the prior; heavy wrist, light fingers.
    """

    iterations: int = 6  # of every frame: 8 give the same contact for an eighth more work
    skin_from: int = 4  # iteration from which not only spheres but the skin itself is kept out of keys
    # Frames a second that are enough before it (the same contact for an eighth less work). 20, or 15 or 20 for an iteration or two,
    # take another twentieth away, but what is found then depends on where a window begins, and stretched hands shake.
    rough_rate: float = 30.0
    prior: Array = field(
        default_factory=lambda: _per_dof(
            0.02, 0.012, np.radians(9), tuple(np.radians((14, 14, 12, 14))), tuple(np.radians((7, 18, 14)))
        )
    )
    acceleration: Array = field(
        default_factory=lambda: _per_dof(8.0, 6.0, 40.0, (150.0, 150.0, 200.0, 250.0), (120.0, 250.0, 250.0))
    )
    limit: float = np.radians(0.3)  # beyond what joints can do,
    beyond: float = np.radians(1.5)  # and never farther than this (2 degrees count as out of range: `joint_limits`)
    clearance: float = 0.0006
    collision: float = 0.0008
    outlier_collision: float = 0.009  # metres of overlap beyond which pushing gets no stronger
    bound: float = 0.005  # sideways spread of a wish (metres) from which on a finger has something to do
    on_key: float = 0.003  # metres beside its place on the key at which a finger is not on the key
    edge: float = 0.002  # metres from its key's front up to which a finger that presses has to go in, as it has to be on the key
    largest_turn: float = 0.35  # per iteration: the linearisation holds no farther
    damping: float = 1.0  # Levenberg's, as a share of the prior's weights
    first_spread: float = 0.006  # tightest wish of the first iteration (metres),
    tighten: float = 0.45  # and by how much it tightens from one to the next
    outlier: float = 0.003  # metres beyond which a wish pulls with constant force;
    outlier_on_key: float = 0.009  # sideways and in front, where a finger presses: what pushes it off its key must not win
    restless: float = 0.1  # a frame that still moves so much (standard deviations from the prior) is not done
    around: float = 0.12  # seconds on both sides that go on with it: with 0.15, more work, and as much is left wrong at last
    # More iterations, round for round, for what is not done, and how many times as strictly as near the prior it then stays near
    # what it has on the mean of the moments around, where
    rounds: tuple[tuple[int, float], ...] = ((2, 0.0), (2, 0.0), (3, 3.0), (3, 10.0), (4, 30.0), (4, 100.0))
    quiet: float = np.radians(1.5)  # the prior's fingers turn no more
    quiet_time: float = 0.1  # within so many seconds: a hand that holds its keys holds still


class Problem:
    """The windows of one batch. Arrays lead with (N, H), N = windows x frames."""

    def __init__(
        self,
        skeleton: HandSkeleton,
        prior: Array,
        targets: Targets,
        settings: SolveSettings,
        pinned: NDArray[np.bool_] | None = None,
    ) -> None:
        """pinned (windows, frames): what stays as it is."""
        self.skeleton, self.settings = skeleton, settings
        self.pinned = np.zeros(prior.shape[0] * prior.shape[1], dtype=bool) if pinned is None else pinned.reshape(-1)
        self.windows, self.frames = prior.shape[:2]
        self.prior = prior.reshape(-1, 2, anatomy.DOFS)
        self.targets = targets.flat()
        self.smoothness = (targets.rate**2 / settings.acceleration) ** 2
        self.forget_steps()
        self.stay_near(self.prior, np.zeros(self.prior.shape[:2]))
        self.collisions = Collisions(skeleton, Softness(settings.collision, settings.outlier_collision), self.frames)
        self.walls = KeyWalls(skeleton, self.targets.keyboard, self.frames)
        self.own = own_keys(self.targets)
        self.idle = self.targets.x_weight < settings.bound**-2
        self.presses = np.isinf(self.targets.clearance)
        black = self.presses & (self.targets.on_top > 0.5)
        self.inside = np.where(black, BLACK_FRONT, 0.0) + settings.edge  # y from which a finger that presses is over its key

    @cached_property
    def quiet(self) -> Array:
        """(N, H) from 1, where the prior's fingers hardly turn, to 0, where they do. In quiet moments a hand must not shake because
        its contacts contradict each other."""
        around = max(round(0.5 * self.settings.quiet_time * self.targets.rate), 1)
        fingers = self.prior[..., anatomy.FINGER_DOFS[0].start :].reshape(self.windows, self.frames, -1)
        fingers = np.pad(fingers, ((0, 0), (around, around), (0, 0)), mode="edge")
        turned = np.abs(fingers[:, 2 * around :] - fingers[:, : -2 * around]).reshape(len(self.prior), 2, -1).max(axis=-1)
        return np.clip(2.0 - turned / self.settings.quiet, 0.0, 1.0)

    def run(self, dofs: Array, iterations: range, look: Callable[[], None]) -> Array:
        """Poses (N, H, D) from where they are now. The first iterations are for the hand as a whole: see `SolveSettings`."""
        lowest, highest = anatomy.LOWEST - self.settings.beyond, anatomy.HIGHEST + self.settings.beyond
        for iteration in iterations:
            dofs = np.clip(dofs + self._step(dofs, iteration, look), lowest, highest)
        return dofs

    def part(self, index: NDArray[np.intp], pinned: NDArray[np.bool_] | None = None, *, apart: int = 1) -> "Problem":
        """Frames `index` (windows, frames) alone, `apart` frames from each other, as a problem of its own."""
        targets = self.targets.take(index)
        made = Problem(self.skeleton, self.prior[index], replace(targets, rate=targets.rate / apart), self.settings, pinned)
        made.swing, made.last_step = self.swing[index.reshape(-1)], self.last_step[index.reshape(-1)]
        return made

    def take_back(self, part: "Problem", index: NDArray[np.intp], chosen: NDArray[np.bool_]) -> None:
        """What a part's `chosen` frames, `index` of these, have come to; all others are at rest."""
        self.last_step[:] = 0.0
        self.last_step[index], self.swing[index] = part.last_step[chosen], part.swing[chosen]
        self.wrong[index] = part.wrong[chosen]

    def forget_steps(self) -> None:
        """As before the first iteration."""
        self.swing, self.last_step = np.zeros(self.prior.shape[:2]), np.zeros_like(self.prior)
        self.wrong = np.zeros(len(self.prior))  # `faults` where the last iteration began

    def stay_near(self, poses: Array, share: Array) -> None:
        """From now on also stay near `poses` (N, H, D), `share` (N, H) times as strictly as near the prior."""
        self.near, self.near_weight = poses, share[..., None] * self.settings.prior**-2

    def keep_apart(self, firmly: float) -> None:
        """From now on fingers, hands and keys keep off each other so many times as much as is usual."""
        for kept in (self.collisions, self.walls):
            kept.soft = replace(kept.soft, firmly=firmly)

    def restless(self) -> NDArray[np.bool_]:
        """(N,) frames that the last iteration still moved."""
        return np.abs(self.last_step).max(axis=(1, 2)) > self.settings.restless

    def faults(self, dofs: Array, look: Callable[[], None]) -> Array:
        """(N,) metres by which what is worst at each frame is not as it should be: fingers off their keys, in keys, in hands."""
        return self._asked_for(dofs, _LAST, look).wrong.max(axis=-1)

    def _step(self, dofs: Array, iteration: int, look: Callable[[], None]) -> Array:
        """One Gauss-Newton step. Wishes tighten from one to the next, so that the hand comes as a whole before its fingers fit."""
        settings = self.settings
        system = self._asked_for(dofs, iteration, look)
        self.wrong = system.wrong.max(axis=-1)
        matrix, slope = system.matrix, system.slope
        away = dofs - self.prior
        over = dofs - np.clip(dofs, anatomy.LOWEST, anatomy.HIGHEST)
        diagonal = np.arange(anatomy.DOFS)
        matrix[..., diagonal, diagonal] += (1.0 + settings.damping) * settings.prior**-2 + (over != 0.0) * settings.limit**-2
        matrix[..., diagonal, diagonal] += self.near_weight
        slope += away * settings.prior**-2 + over * settings.limit**-2 + (dofs - self.near) * self.near_weight
        matrix[..., diagonal, diagonal] *= 1.0 + self.swing[..., None]
        matrix[..., diagonal, diagonal] += _PIN * self.pinned[:, None, None]
        slope[self.pinned] = 0.0
        right = -self._in_time(slope) - self.smoothness * block_solver.apply_second_differences(self._in_time(away))
        step = block_solver.solve(self._in_time(matrix), self.smoothness, right, look).reshape(dofs.shape)
        self._note_swings(step)
        turn = np.abs(step[..., 3:]).max(axis=-1, keepdims=True)
        return step * np.minimum(1.0, settings.largest_turn / np.maximum(turn, 1e-9))

    def _asked_for(self, dofs: Array, iteration: int, look: Callable[[], None]) -> System:
        """What keys and hands ask for: contact, clearance, collisions."""
        settings = self.settings
        loosest = settings.first_spread * settings.tighten**iteration
        look()
        posed = kinematics.pose(self.skeleton, dofs)
        system = self._fingertips(posed, loosest, settled=iteration >= settings.skin_from)
        look()
        self.collisions.add(posed, self.idle, system)
        self.collisions.beside_black(posed, self.targets.keyboard, self.own, system)
        look()
        if iteration >= settings.skin_from:
            self.walls.add(posed, self.targets, self.own, system)
        return system

    def _note_swings(self, step: Array) -> None:
        """Where a step takes back the last one, the next is damped more; where it goes on, less."""
        scaled = step / self.settings.prior
        back = np.sum(scaled * self.last_step, axis=-1)
        size = np.sqrt(np.sum(scaled**2, axis=-1) * np.sum(self.last_step**2, axis=-1))
        swings = back < -0.3 * size
        self.swing = np.where(swings, np.minimum(np.maximum(4.0 * self.swing, 0.1), 10.0), 0.3 * self.swing)
        self.last_step = scaled

    def _in_time(self, values: Array) -> Array:
        """(N, H, ...) as (windows, frames, H, ...)."""
        return values.reshape(self.windows, self.frames, *values.shape[1:])

    def _fingertips(self, posed: kinematics.Posed, loosest: float, *, settled: bool) -> System:
        """Contact and clearance; no wish counts for more than a standard deviation of `loosest` metres allows.

        settled: whether fingers should have found their keys by now.
        """
        wish = self.targets
        over = np.moveaxis(wish.over_black, 0, -1)[:, :, None].astype(np.float32)
        bottom, flanks = kinematics.lowest(self.skeleton, posed, lambda y: over * black_top(y))
        jacobian = kinematics.jacobian(posed, bottom)
        y, z = bottom[..., 1], bottom[..., 2]
        top = black_top(y)
        off_x = _off_sideways(wish, bottom, flanks)
        off_y = y - np.clip(y, wish.y_low, wish.y_high)
        # A finger that may touch may do so on its own key only; one that has got to another goes over what is between.
        astray = np.maximum(bottom[..., 0] - wish.x_high, wish.x_low - bottom[..., 0]) > self.settings.on_key
        height = wish.height + wish.tilt * y
        if settled:
            height = np.where(astray & self.presses, np.maximum(height, top), height)
        off_z = z - (height + wish.over_black * top)
        clearance = np.where(astray, np.maximum(wish.clearance, 0.0), wish.clearance)
        short = np.minimum(z - (clearance + top), 0.0)
        clear_weight = np.where(short < 0.0, max(self.settings.clearance, loosest) ** -2, 0.0)
        residuals = np.stack([off_x, off_y, off_z], axis=-1)
        presses, in_front = self.presses, self.inside - y
        missed = np.maximum(_MISSED * np.maximum(np.abs(off_x), in_front), _LATE * np.abs(off_z))
        missed = np.where(presses, missed, 0.0).max(axis=-1)
        # What is in front of its key does not press it at all.
        y_weight = np.where(presses & (in_front > 0.0), wish.x_weight, wish.y_weight)
        weight = np.minimum(np.stack([wish.x_weight, y_weight, wish.height_weight], axis=-1), loosest**-2)
        # Huber: what is far out of reach pulls, but not with all its might (wishes may contradict each other).
        outlier = np.full(residuals.shape, self.settings.outlier)
        outlier[..., 0][presses] = outlier[..., 1][presses & (off_y < 0.0)] = self.settings.outlier_on_key
        weight = weight / np.maximum(1.0, np.abs(residuals) / outlier)
        # Height and clearance are both about z: one row with the sum of their weights.
        both = weight[..., 2] + clear_weight
        residuals[..., 2] = (weight[..., 2] * off_z + clear_weight * short) / both
        # Without the tilt of a pressed key: a finger that something holds up would slide in for it.
        rise = (weight[..., 2] * wish.over_black + clear_weight) / both * black_steepness(y)
        jacobian[..., 2, :] -= rise[..., None] * jacobian[..., 1, :]
        weight[..., 2] = both
        weight = np.sqrt(weight)
        rows = (jacobian * weight[..., None]).reshape(*weight.shape[:2], 15, -1)
        residuals = (residuals * weight).reshape(*weight.shape[:2], 15)
        across = np.swapaxes(rows, -1, -2)
        return System(across @ rows, (across @ residuals[..., None])[..., 0], missed)


def _off_sideways(wish: Targets, bottom: Array, flanks: kinematics.Flanks) -> Array:
    """How far fingertips (N, H, 5) stand over the edges of their place; one that is too wide for it belongs in the middle."""
    on_top = wish.on_top > 0.5
    right, left = (np.where(on_top, bottom[..., 0], flank) for flank in (flanks.right, flanks.left))
    beyond = np.maximum(np.maximum(right - wish.x_high, flanks.inner_right - wish.tail_high), 0.0)
    before = np.minimum(np.minimum(left - wish.x_low, flanks.inner_left - wish.tail_low), 0.0)
    share = np.where((beyond > 0.0) & (before < 0.0), 0.5, 1.0)
    return np.multiply(share, beyond + before)
