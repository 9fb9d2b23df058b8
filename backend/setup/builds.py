# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of torch fits this machine: the one table of builds, where they are published, and how large they are."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from .. import devices


@dataclass(frozen=True)
class Build:
    """A build of torch. `download` and `disk` are bytes of all packages together, roughly."""

    name: str
    words: str
    index: str | None  # None: where pip looks anyway
    download: int
    disk: int


_PYTORCH = "https://download.pytorch.org/whl"

#: Those of torch 2.13 (https://github.com/pytorch/pytorch/blob/main/RELEASE.md). The sizes of "cpu" are measured, others estimated.
BUILDS = {
    build.name: build
    for build in (
        Build("cpu", "for the processor alone", f"{_PYTORCH}/cpu", 320_000_000, 1_300_000_000),
        Build("apple", "for Apple's chips", None, 250_000_000, 1_100_000_000),
        Build("cuda13", "for NVIDIA, CUDA 13.0", f"{_PYTORCH}/cu130", 2_500_000_000, 6_500_000_000),
        Build("cuda12", "for NVIDIA, CUDA 12.6: older drivers and cards", f"{_PYTORCH}/cu126", 3_000_000_000, 7_500_000_000),
        Build("rocm", "for AMD, ROCm 7.2", f"{_PYTORCH}/rocm7.2", 4_500_000_000, 16_000_000_000),
    )
}

_CUDA13, _CUDA12 = 13000, 12000  # as the driver numbers them
_TURING = (7, 5)  # the oldest cards of CUDA 13


@dataclass(frozen=True)
class Machine:
    """What decides: the system, what NVIDIA's driver says, and whether AMD's is there."""

    system: str  # sys.platform
    processor: str  # platform.machine()
    cuda: devices.CudaDriver | None = None
    amd: bool = False

    @staticmethod
    def this() -> "Machine":
        amd = sys.platform == "linux" and Path("/dev/kfd").exists()
        return Machine(sys.platform, platform.machine(), devices.cuda_driver(), amd)


def fitting(machine: Machine) -> tuple[Build, str]:
    """The build for a machine, and why, in words."""
    if machine.system == "darwin":
        if machine.processor == "arm64":
            return BUILDS["apple"], "this is a Mac with an Apple chip"
        return BUILDS["cpu"], "this is a Mac with an Intel processor"
    driver = machine.cuda
    if driver is not None and driver.devices:
        if driver.version >= _CUDA13 and driver.oldest >= _TURING:
            return BUILDS["cuda13"], f"NVIDIA's driver is there, for CUDA {driver.words}"
        if driver.version >= _CUDA12:
            return BUILDS["cuda12"], f"NVIDIA's driver is there, for CUDA {driver.words}"
        return BUILDS["cpu"], f"NVIDIA's driver knows only CUDA {driver.words}: update it, then run this again"
    if machine.amd:
        return BUILDS["rocm"], "AMD's compute driver is there"
    return BUILDS["cpu"], "no driver of a graphics card that torch can use was found"
