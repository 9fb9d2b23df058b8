# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a model runs, and in which precision: resolved once, here."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from s2c_blender.wire.errors import PianoHandsError


@dataclass(frozen=True)
class Device:
    """`precision` is that of encoders and position predictors, whose one answer must have the digits for millimetres; `denoiser`
    that of the denoiser, asked anew at every step, if it is another. Sampling itself always works in single precision.

    Tried and left: torch.compile. On an H100 the first window then takes 70 s, each after it 0.3 s instead of 0.8; and a C compiler
    must be there.
    """

    torch: torch.device
    precision: torch.dtype  # pyright: ignore[reportInvalidTypeForm] - the field above is named torch
    denoiser: torch.dtype | None = None  # pyright: ignore[reportInvalidTypeForm]

    def free_memory(self) -> None:
        """Give cached memory back, after it ran out and when idle."""
        if self.torch.type == "cuda":
            torch.cuda.empty_cache()
        elif self.torch.type == "mps":
            torch.mps.empty_cache()


def resolve(name: str = "auto") -> Device:
    """ "auto", "cpu", "cuda", "cuda:1" or "mps". Raises PianoHandsError('no-device')."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}.get(kind)
    if not there:
        raise PianoHandsError("no-device", f"There is no device {name} here.", "Choose cpu, or leave the choice to auto.")
    if kind == "cuda":
        torch.backends.cudnn.allow_tf32 = False  # which is single precision in name alone: ten bits
        wide = torch.cuda.is_bf16_supported()
        return Device(torch.device(name), torch.float32, denoiser=torch.bfloat16 if wide else torch.float16)
    if kind == "cpu":
        set_threads()
        return Device(torch.device(name), torch.float32, denoiser=torch.bfloat16 if multiplies_bf16() else None)
    # MPS in single precision: half precision there has not been tried.
    return Device(torch.device(name), torch.float32)


def multiplies_bf16() -> bool:
    """Whether the processor has instructions for it: twice as fast as single precision then, and slower without."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def set_threads() -> int:
    """Let torch use as many threads as there are cores for this process; more would wait for each other."""
    count = int(os.environ.get("OMP_NUM_THREADS", "0") or 0) or allowed_cores()
    torch.set_num_threads(count)
    return count


def allowed_cores() -> int:
    """Cores that the process may use: by affinity, and by the control group's quota where there is one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no control group, or no limit
        return cores
