# SPDX-License-Identifier: GPL-3.0-or-later
"""On which devices torch can run here, asked of its files and the graphics driver: torch itself takes seconds to import."""

import ctypes
import importlib.util
import platform
import re
import sys
from pathlib import Path


def devices() -> tuple[str, ...]:
    """ "cpu", and "cuda" or "mps" where the installed torch is built for it and the machine has one."""
    if sys.platform == "darwin":
        return ("cpu", "mps") if platform.machine() == "arm64" else ("cpu",)
    return ("cpu", "cuda") if built_for_cuda() and cuda_count() else ("cpu",)


def built_for_cuda() -> bool:
    """What torch/version.py says: `cuda` is None in a build for the CPU."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.search(r"^cuda\b[^=\n]*=\s*['\"]", text, re.MULTILINE) is not None


def cuda_count() -> int:
    """Devices that NVIDIA's driver shows to this process; 0 without a driver. CUDA_VISIBLE_DEVICES counts, as for torch.

    CUDA driver API: cuInit and cuDeviceGetCount, both 0 when all is well. They make no context, so no memory is taken.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value
