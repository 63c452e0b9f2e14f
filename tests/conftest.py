"""For tests alone: a warning is an error, and hypothesis repeats itself."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kernels import implementations
from kernels.case import Unavailable

HERE = Path(__file__).parent


def pytest_configure(config):
    """What tests need of their process. pytest loads this file for a run that measures too: that is left as it is."""
    if config.getoption("--benchmark-only"):
        return
    import hypothesis

    hypothesis.settings.register_profile("tests", deadline=None, derandomize=True, database=None)
    hypothesis.settings.load_profile("tests")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # as a shell's background job has it
    for name in [name for name in os.environ if name.startswith("PYTEST_XDIST_")]:
        # a process that a test starts is no worker: pytest-benchmark would not measure in it
        del os.environ[name]


@pytest.fixture(autouse=True)
def _library_is_there(request):
    """A test of an implementation whose library is not installed is skipped, with the reason."""
    given = getattr(request.node, "callspec", None)
    name = given.params.get("name") if given else None
    if name in implementations.names():
        try:
            implementations.load(name)
        except Unavailable as reason:
            pytest.skip(str(reason))


def pytest_collection_modifyitems(items):
    """Warnings are errors, unless a test's own filter says otherwise; whole runs come first.

    Runs wait for one another, and xdist gives one worker the first tests: the others never wait.
    """
    items.sort(key=lambda item: item.path != HERE / "test_runs.py")
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("error"), append=False)


@pytest.fixture
def card():
    """The device of a GPU that does real work; the test is skipped with the reason where there is none."""
    import torch

    from bench.machine import gpus

    if not torch.cuda.is_available():
        pytest.skip(f"needs a CUDA device: {gpus.no_cuda_reason()}")
    return "cuda"
