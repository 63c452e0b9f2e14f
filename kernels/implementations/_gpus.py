"""What our own kernels ask of a GPU: how many processors it has, and whether it is new enough."""

import torch

CAPABILITY = (8, 0)
"""The oldest GPUs that multiply bfloat16 in tensor cores."""
FLOAT8 = (8, 9)
"""The oldest GPUs for which Triton has float8."""
OVERLAPS = (9, 0)
"""The oldest GPUs on which a launch may begin before the last one ends."""


def processors(device: torch.device) -> int:
    """Streaming multiprocessors of a GPU; 1 where Triton's interpreter stands in for one."""
    if device.type != "cuda":
        return 1
    return torch.cuda.get_device_properties(device).multi_processor_count


def shared_memory(device: torch.device) -> int:
    """Bytes of shared memory that a program of a GPU can have; an H100's where Triton's interpreter stands in."""
    if device.type != "cuda":
        return 227 << 10
    told = torch.cuda.get_device_properties(device)
    return int(getattr(told, "shared_memory_per_block_optin", told.shared_memory_per_block))


def overlaps(device: torch.device) -> bool:
    """Whether a launch may begin while the one before it ends (programmatic dependent launch)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= OVERLAPS


def too_old(least: tuple[int, int] = CAPABILITY) -> str | None:
    """Why this machine's GPU cannot run them, or None, also where there is none."""
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < least:
        found, wanted = (
            ".".join(map(str, one)) for one in (torch.cuda.get_device_capability(), least)
        )
        return f"a GPU of compute capability {wanted} or newer is needed, and this is {found}"
    return None
