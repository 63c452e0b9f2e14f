"""`make report-gpu` where packages are missing, on a stand-in: `python -m tests.bench.without_packages OPTION...`.

A process of its own, because what is imported cannot be taken away.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

MISSING = ("numba", "llvmlite", "pandas", "plotly", "matplotlib", "onnxruntime")


class Posing:
    """A plugin that puts the GPU in before anything is planned, and its lock where nobody measures."""

    def __init__(self, folder):
        """With a folder for the lock."""
        self._folder, self._patch = folder, pytest.MonkeyPatch()

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self):
        """Torch is imported by now, or here."""
        from bench.session import lock
        from kernels import roofline_model
        from tests import fake_gpu

        self._patch.setattr(lock, "PATH", self._folder / "lock")
        self._patch.setattr(roofline_model, "IMPOSSIBLE", 1e6)  # its roofs are a busy CPU's
        fake_gpu.pose(self._patch)


if __name__ == "__main__":
    for name in MISSING:
        sys.modules[name] = None
    options = ["--benchmark-only", "--device=cuda", *sys.argv[1:]]
    code = pytest.main(options, plugins=[Posing(Path(sys.argv[-1]).parent)])
    present = sorted(name for name in MISSING if sys.modules.get(name))
    assert not present, present
    sys.exit(code)
