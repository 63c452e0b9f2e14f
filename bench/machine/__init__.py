"""What a machine is, read from the files under a root folder, and this machine's state while measuring."""

from bench.machine.describe import describe
from bench.machine.environment import GPU_PACKAGES, PACKAGES, VARIABLES, environment, project
from bench.machine.gpus import BY_NVML, gpu_by_nvml, gpus, no_cuda_reason
from bench.machine.memory import last_level_bytes, memory_available, memory_taken, page_bytes
from bench.machine.system import System
from bench.machine.telemetry import Load, governors, hottest, on_battery, swapped_bytes

__all__ = (
    "BY_NVML",
    "GPU_PACKAGES",
    "PACKAGES",
    "VARIABLES",
    "Load",
    "System",
    "describe",
    "environment",
    "governors",
    "gpu_by_nvml",
    "gpus",
    "hottest",
    "last_level_bytes",
    "memory_available",
    "memory_taken",
    "no_cuda_reason",
    "on_battery",
    "page_bytes",
    "project",
    "swapped_bytes",
)
