# SPDX-License-Identifier: GPL-3.0-or-later
"""The two training losses, as published. Batches B, frames N."""

from torch import Tensor

from .schedule import NoiseSchedule


def position_losses(predicted: Tensor, true: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Mean absolute error of positions (B, N, 3) on visible frames (B, N) bool, and of their change on all frames.

    Where nothing is visible there is no error of the first kind (the published code's is no number then).
    """
    velocity = predicted.diff(dim=1) - true.diff(dim=1)
    error = (predicted - true)[visible].abs()
    return error.sum() / max(error.numel(), 1), velocity.abs().mean()


def denoiser_loss(
    schedule: NoiseSchedule, predicted: Tensor, *, clean: Tensor, noise: Tensor, step: Tensor, motion: float = 0.0
) -> Tensor:
    """Squared error of v (B, N, C) weighted by the signal's share; `motion` weighs that of x0's first and second differences."""
    kept = schedule.kept.to(step.device)[step].to(clean.dtype)
    signal, rest = kept.sqrt()[:, None, None], (1 - kept).sqrt()[:, None, None]
    loss = (predicted - (signal * noise - rest * clean)).square().mean((1, 2))
    if motion:
        error = (signal * (signal * clean + rest * noise) - rest * predicted - clean).diff(dim=1)
        loss = loss + motion * (error.square().mean((1, 2)) + error.diff(dim=1).square().mean((1, 2)))
    return (loss * kept).mean()
