# SPDX-License-Identifier: GPL-3.0-or-later
"""On which devices torch can run here, asked of its files and the graphics driver: torch itself takes seconds to import."""

import ctypes
import importlib.util
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR, cuda.h


@dataclass(frozen=True)
class CudaDriver:
    """What NVIDIA's driver says of itself. `version` is 1000 major + 10 minor of the newest CUDA that it runs."""

    version: int
    devices: int
    oldest: tuple[int, int]  # compute capability of the oldest device

    @property
    def words(self) -> str:
        return f"{self.version // 1000}.{self.version % 1000 // 10}"


def devices() -> tuple[str, ...]:
    """ "cpu", and "cuda" or "mps" where the installed torch is built for it and the machine has one."""
    if sys.platform == "darwin":
        return ("cpu", "mps") if platform.machine() == "arm64" else ("cpu",)
    if built_for_cuda() and cuda_count():
        return ("cpu", "cuda")
    return ("cpu", "cuda") if _built_for("hip") and Path("/dev/kfd").exists() else ("cpu",)  # torch says cuda for AMD, too


def built_for_cuda() -> bool:
    """What torch/version.py says: `cuda` is None in a build for the CPU."""
    return _built_for("cuda")


def _built_for(kind: str) -> bool:
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(rf"^{kind}\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


def cuda_count() -> int:
    """Devices that NVIDIA's driver shows to this process; 0 without a driver. CUDA_VISIBLE_DEVICES counts, as for torch."""
    driver = cuda_driver()
    return driver.devices if driver else 0


def cuda_driver() -> CudaDriver | None:
    """NVIDIA's driver, where one answers.

    CUDA driver API: cuInit and the questions after it are 0 when all is well. They make no context, so no memory is taken.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        version, count = ctypes.c_int(0), ctypes.c_int(0)
        if driver.cuInit(0) or driver.cuDriverGetVersion(ctypes.byref(version)) or driver.cuDeviceGetCount(ctypes.byref(count)):
            return None
        abilities = [(_attribute(driver, _MAJOR, number), _attribute(driver, _MINOR, number)) for number in range(count.value)]
    except (OSError, AttributeError):
        return None
    return CudaDriver(version.value, count.value, min(abilities, default=(0, 0)))


def _attribute(driver: ctypes.CDLL, attribute: int, device: int) -> int:
    value = ctypes.c_int(0)
    return value.value if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) == 0 else 0
