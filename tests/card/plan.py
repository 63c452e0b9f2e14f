"""What is run on a card, in order of worth."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from tests.card.steps import Step

PYTHON = sys.executable
SUITE = "card"
MEASURING = "tests/test_on_a_card.py"
"""Its tests but those of small cases hold the suite's run to what must be shown; without one they measure a minute."""
TIMING = "own_timing"
"""In the name of a test that times: alone, and later."""
HANG_SECONDS = 50
"""A kernel that waits for ever sits in C: a thread of pytest-timeout ends the process, where that is installed."""


def steps(folder, scratch):
    """The steps; results go into `folder`, the run's folder and what is built into `scratch`."""
    limit = ("--timeout", str(HANG_SECONDS), "--timeout-method", "thread")
    gpu = (PYTHON, "-m", "pytest", "-q", "-m", "gpu")
    gpu += limit if find_spec("pytest_timeout") else ()
    all_of_them = ("-n", "9", "--dist=worksteal", "tests/kernels", "tests/bench")
    measure = (PYTHON, "-m", "pytest", "--benchmark-only", "--device", "cuda")
    probe = str(scratch / "probe")
    # each tensor a block of its own, with an end
    unpooled = (("PYTORCH_NO_CUDA_MEMORY_CACHING", "1"),)
    small = (*gpu, MEASURING, "-k", "small and lstm and (fused or persistent)")
    # cuda.bindings asks the driver for functions that it lacks: no error of memory
    sanitizer = (
        "compute-sanitizer",
        "--report-api-errors",
        "no",
        "--error-exitcode",
        "9",
        "--tool",
    )
    return (
        Step("answers", 20, (PYTHON, "-m", "tests.card.answers", str(folder))),
        Step("right", 80, (*gpu, *all_of_them, "-k", f"not {TIMING}")),
        Step("small", 70, (*gpu, "-n", "3", MEASURING, "-k", "small"), beside=True),
        Step("build", 60, (PYTHON, "-m", "tests.card.probe", "build", probe), beside=True),
        Step(
            "suite",
            150,
            (*measure, "--suite", SUITE, "--out", str(scratch / "run")),
            least=40,
        ),
        Step(
            "shown",
            25,
            (*gpu, "-s", MEASURING, "-k", "not small"),
            environment=(("CARD_RUN", str(scratch / "run")),),
        ),
        Step("probe", 30, (PYTHON, "-m", "tests.card.probe", "run", probe, str(folder)), least=15),
        Step("bytes", 100, (PYTHON, "-m", "tests.card.counted", str(folder)), least=30),
        Step("clock", 30, (PYTHON, "-m", "tests.card.clock"), least=15),
        Step("timing", 20, (*gpu, "tests/bench/timing", "-k", TIMING)),
        Step("memcheck", 60, (*sanitizer, "memcheck", *small), environment=unpooled, least=30),
        Step(
            "racecheck",
            60,
            (*sanitizer, "racecheck", *small[:-1], "small and lstm and fused"),
            least=30,
        ),
    )
