"""What a run stands on beside the machine: versions of this suite and of packages, threads and what steers them."""

import os
import platform
from collections.abc import Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.machine import system, topology
from bench.machine.system import output, told

PACKAGES = ("torch", "numpy", "numba", "llvmlite", "pytest-benchmark", "psutil")
GPU_PACKAGES = ("triton", "nvidia-ml-py")
"""Beside them where a GPU is measured."""
VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "KMP_AFFINITY",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMBA_THREADING_LAYER_PRIORITY",
    "ONEDNN_MAX_CPU_ISA",
)


def environment(
    used_threads: int, layer: str | None, packages: Sequence[str] = PACKAGES
) -> dict[str, Any]:
    """Versions, threads and the variables that steer them."""
    return {
        "python": platform.python_version(),
        "packages": {name: told(partial(metadata.version, name)) for name in packages},
        "threads": used_threads,
        "cores": topology.places(system.THIS)[:used_threads],
        "thread_layer": layer,
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


VERSION = "0.1.0"
"""Of this suite."""


def project() -> dict[str, Any]:
    """Version and commit of this suite; None where there is no git checkout."""
    root = Path(__file__).parents[2]
    commit = output(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"])
    changed = output(["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"])
    return {
        "version": VERSION,
        "commit": commit or None,
        "dirty": None if changed is None else bool(changed),
    }
