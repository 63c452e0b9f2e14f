"""Python in a process of its own: with other threads, or as if the processor were another one."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import numba
import pytest

ROOT = Path(__file__).parents[2]
HASWELL = "+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+movbe,+f16c"


def python(code, **variables):
    """The lines that this prints with these variables in its environment."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def with_avx2_alone(code, folder):
    """The same on this processor, with what it has beyond that left aside; compiled into a folder of its own."""
    known = numba.core.codegen.get_host_cpu_features().split(",")
    if platform.machine() not in ("x86_64", "AMD64") or "+avx2" not in known:
        pytest.skip("no x86 processor with AVX2")
    return python(
        code, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=HASWELL, NUMBA_CACHE_DIR=str(folder)
    )
