"""What NVIDIA's management library tells; nothing where it, its driver or a GPU is missing."""

from __future__ import annotations

import os
from contextlib import suppress


def processes_of_others() -> int:
    """How many processes but this one compute on the GPUs here."""
    found: set[int] = set()
    with suppress(
        Exception
    ):  # not installed, half installed, no driver, not allowed: there is nothing to tell
        import pynvml

        pynvml.nvmlInit()
        try:
            for index in range(pynvml.nvmlDeviceGetCount()):
                gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
                found |= {one.pid for one in pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)}
        finally:
            pynvml.nvmlShutdown()
    return len(found - {os.getpid()})
