"""Which GPUs there are, by torch and NVML."""

import warnings
from dataclasses import asdict
from typing import Any

from bench.machine import nvml
from kernels.case import Unavailable

KIND_OF_GPU = ("name", "sm_count", "l2_bytes", "memory_bytes")
"""What a GPU has in common with all of its kind, whatever its driver and limits."""


def gpus() -> list[dict[str, Any]]:
    """CUDA devices as torch sees them, with what NVML knows of them; empty where there are none."""
    import torch

    if not torch.cuda.is_available():
        return []
    found = []
    for index in range(torch.cuda.device_count()):
        properties, known = torch.cuda.get_device_properties(index), by_nvml(index)
        found.append(
            {
                "name": properties.name,
                "sm_count": properties.multi_processor_count,
                "l2_bytes": getattr(properties, "L2_cache_size", None),
                "memory_bytes": properties.total_memory,
                **asdict(known.card() if known else nvml.Card()),
            }
        )
    return found


def by_nvml(index: int = 0) -> nvml.Gpu | None:
    """The GPU to which CUDA gives that number, as NVML knows it; None where it cannot be asked."""
    import torch

    try:
        return nvml.Gpu(str(getattr(torch.cuda.get_device_properties(index), "uuid", "")))
    except Unavailable:
        return None


def no_cuda_reason() -> str | None:
    """Why `--device cuda` cannot be measured here, or None."""
    import torch

    if torch.version.cuda is None and torch.version.hip is None:
        return f"this PyTorch ({torch.__version__}) is built without CUDA"
    with warnings.catch_warnings(record=True) as told:  # of a driver that is too old
        warnings.simplefilter("always")
        if torch.cuda.is_available():
            return None
    why = "; ".join(str(one.message).strip().split("\n", 1)[0] for one in told)
    return f"PyTorch finds no CUDA device: {why or 'no GPU, or no driver for it'}"
