# SPDX-License-Identifier: GPL-3.0-or-later
"""The two stages as modules whose forward is the loss: what is wrapped for many processes."""

from typing import Protocol

import torch
from torch import Tensor, nn

from s2c_blender.wire.hands import HandSide

from ..s2c.losses import denoiser_loss, position_losses
from ..s2c.model import S2CModel
from ..s2c.schedule import NoiseSchedule
from ..s2c.transformer import set_dropout
from .batches import Batch
from .config import Stage, TrainingConfig

Losses = dict[str, Tensor]


class TrainingStage(Protocol):
    """`losses["loss"]` is what is made small; the others are only told."""

    def trainable(self) -> dict[str, nn.Parameter]: ...

    def __call__(self, batch: Batch, generator: torch.Generator, *, ready: bool) -> Losses: ...


class PositionStage(nn.Module):
    """Encoders and position predictors (train.py of the published code)."""

    def __init__(self, model: S2CModel, *, train_encoder: bool) -> None:
        super().__init__()
        self.model = model
        model.requires_grad_(False)
        model.positions.requires_grad_(True)
        if train_encoder:
            model.encoders.requires_grad_(True)
            for encoder in model.encoders:
                convolutions = getattr(encoder, "convolutions", None)
                if isinstance(convolutions, nn.Module):
                    convolutions.requires_grad_(False)

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: value for name, value in self.model.named_parameters() if value.requires_grad}

    def train(self, mode: bool = True) -> "PositionStage":
        super().train(False)
        set_dropout(self.model.positions, mode)
        return self

    def forward(self, batch: Batch, generator: torch.Generator, *, ready: bool) -> Losses:
        features = batch.heard.unbind(1) if ready else self.model.features(batch.heard)
        positions, _ = self.model.place(features)
        losses = Losses(position=positions.new_zeros(()), velocity=positions.new_zeros(()))
        for side in HandSide:
            position, velocity = position_losses(positions[:, side].float(), batch.positions[:, side], batch.visible[:, side])
            losses["position"] = losses["position"] + position
            losses["velocity"] = losses["velocity"] + velocity
        return losses | {"loss": losses["position"] + losses["velocity"]}


class GestureStage(nn.Module):
    """Denoisers of both hands; encoders and position predictors are frozen (train_diffusion.py of the published code)."""

    def __init__(self, model: S2CModel, *, motion: float) -> None:
        super().__init__()
        self.denoiser = model.denoiser
        self._frozen = (model,)  # in a tuple, so that its parts are no parts of this module
        self._motion = motion
        self._schedule = NoiseSchedule.cosine(model.config.diffusion_steps)
        model.requires_grad_(False).eval()
        self.denoiser.requires_grad_(True)

    def trainable(self) -> dict[str, nn.Parameter]:
        return {f"denoiser.{name}": value for name, value in self.denoiser.named_parameters()}

    def train(self, mode: bool = True) -> "GestureStage":
        super().train(False)
        set_dropout(self.denoiser, mode)
        return self

    def forward(self, batch: Batch, generator: torch.Generator, *, ready: bool) -> Losses:
        """Steps of the diffusion are shared by the hands, noise is drawn apart: on the CPU, the same on every device."""
        (model,) = self._frozen
        clean = batch.pose
        step = torch.randint(0, len(self._schedule), clean.shape[:1], generator=generator).to(clean.device)
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        with torch.no_grad():
            features = batch.heard.unbind(1) if ready else model.features(batch.heard)
            positions, conditions = model.place(features)
        return self.losses(clean, step, noise, positions=positions, conditions=conditions)

    def losses(self, clean: Tensor, step: Tensor, noise: Tensor, *, positions: Tensor, conditions: list[Tensor]) -> Losses:
        kept = self._schedule.kept.to(clean.device)[step].to(clean.dtype)[:, None, None, None]
        conditioning = self.denoiser.guide(self.denoiser.prepare(conditions), positions)
        v = self.denoiser(kept.sqrt() * clean + (1 - kept).sqrt() * noise, step, conditioning).float()
        hands = {
            side.word: denoiser_loss(
                self._schedule, v[:, side], clean=clean[:, side], noise=noise[:, side], step=step, motion=self._motion
            )
            for side in HandSide
        }
        return hands | {"loss": sum(hands.values(), clean.new_zeros(()))}


class NoteStage(nn.Module):
    """All of a model that reads notes, at once: denoisers are guided by the positions that are predicted meanwhile.

    v's error counts alike at every step of the diffusion: a small network that is trained for a short time has to learn the noisy
    steps first, which the published weights leave to the end.
    """

    def __init__(self, model: S2CModel) -> None:
        super().__init__()
        self.model = model.requires_grad_(True)
        self._schedule = NoiseSchedule.cosine(model.config.diffusion_steps)

    def trainable(self) -> dict[str, nn.Parameter]:
        return dict(self.model.named_parameters())

    def train(self, mode: bool = True) -> "NoteStage":
        return super().train(False)  # without dropout: what is learned from does not repeat itself soon

    def forward(self, batch: Batch, generator: torch.Generator, *, ready: bool) -> Losses:
        pose, positions = self.model.own_numbers(batch.pose, batch.positions)
        step = torch.randint(0, len(self._schedule), pose.shape[:1], generator=generator).to(pose.device)
        noise = torch.randn(pose.shape, generator=generator).to(pose.device)
        predicted, conditions = self.model.place(self.model.features(batch.heard))
        conditioning = self.model.denoiser.guide(self.model.denoiser.prepare(conditions), predicted.detach())
        kept = self._schedule.kept.to(pose.device)[step].to(pose.dtype)[:, None, None, None]
        signal, rest = kept.sqrt(), (1 - kept).sqrt()
        v = self.model.denoiser(signal * pose + rest * noise, step, conditioning).float()
        error = (v - (signal * noise - rest * pose)).square()
        seen = batch.visible[..., None]
        losses = Losses(
            position=((predicted.float() - positions).abs() * seen).mean(),
            velocity=(predicted.float() - positions).diff(dim=2).abs().mean(),
            gesture=(error * seen).mean(),
        )
        return losses | {"loss": losses["position"] + losses["velocity"] + losses["gesture"]}


def make_stage(model: S2CModel, config: TrainingConfig) -> PositionStage | GestureStage | NoteStage:
    if config.stage is Stage.NOTES:
        return NoteStage(model)
    if config.stage is Stage.POSITION:
        return PositionStage(model, train_encoder=config.train_encoder)
    return GestureStage(model, motion=config.motion)
