"""The software of a machine with a GPU, tried on one without: `make rehearse-gpu`, with a venv that holds it.

Tests marked gpu are collected, so that none fails to import there; the stand-in runs are run; and all kernels are
compiled ahead for 8.0, 9.0 and 10.0 by that Triton. Its interpreter is left out: 3.6 fails with NumPy 2.5.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

from tests.card.steps import ROOT

PYTEST = (sys.executable, "-m", "pytest", "-q")
STEPS = {
    "every test marked gpu is collected": (*PYTEST, "-m", "gpu", "--collect-only", "tests"),
    "runs on a stand-in for a GPU": (
        *PYTEST,
        "tests/bench/session/test_gpu_runs.py",
        "tests/bench/timing",
    ),
    "the minutes on a card, with stand-ins": (*PYTEST, "tests/test_card.py"),
    "kernels and probes compiled ahead": (
        *PYTEST,
        *("tests/kernels/gpu", "tests/kernels/implementations", "tests/bench/roofs/test_triton.py"),
        *("-k", "compiled or ahead or machine_code"),
    ),
}


def main(more):
    """0 where all passed."""
    named = ("torch", "triton", "numpy")
    print("rehearsed with", *(f"{name} {metadata.version(name)}" for name in named), flush=True)
    wrong = []
    for name, command in STEPS.items():
        print(f"== {name}", flush=True)
        environment = {**os.environ, "EVERY_COMPILE": os.environ.get("EVERY_COMPILE", "")}
        if subprocess.run((*command, *more), cwd=ROOT, env=environment, check=False).returncode:
            wrong.append(name)
    print("rehearsed: " + ("all well" if not wrong else f"wrong: {'; '.join(wrong)}"))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
