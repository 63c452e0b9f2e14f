"""A small bench: points in milliseconds, with figures that mean little."""

from __future__ import annotations

import pytest

from bench.device import cpu, threads
from bench.machine import system as machine_system
from bench.measure.context import Context
from bench.session import crash_record, lock
from bench.timing import clock
from kernels.reference.inputs import Arena
from tests.bench import cheap_roofs


@pytest.fixture(scope="session", autouse=True)
def pools():
    """Pools of threads as a run starts them, and every core for this process again afterwards."""
    threads.start()
    threads.release()


@pytest.fixture
def short_runs(tmp_path, monkeypatch):
    """Whole runs of this process take made-up roofs, short samples and a lock of their own."""
    cheap_roofs.make(monkeypatch)
    monkeypatch.setattr(clock, "SAMPLE_SECONDS", 0.0005)
    monkeypatch.setattr(lock, "PATH", tmp_path / "lock")
    monkeypatch.setattr(crash_record, "MOST_DEATHS", crash_record.MOST_DEATHS)


@pytest.fixture
def context(monkeypatch):
    """A measurement context with a last level of 256 KiB; samples of half a millisecond."""
    import torch

    before = torch.get_num_threads()
    monkeypatch.setattr(clock, "SAMPLE_SECONDS", 0.0005)
    threads.use(1)
    yield Context(
        device=cpu.Cpu(),
        arena=Arena(8 << 20, "cpu", seed=0),
        page_bytes=4096,
        last_level_bytes=256 << 10,
        span_bytes=1 << 20,
        free_bytes=8 << 30,
        arithmetic={},
        precision=0.5,
        budget_seconds=0.01,
        longest_call_seconds=1.0,
        settle_seconds=0.0,
        seed=0,
    )
    threads.use(before)


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A root folder with nothing in it but what a test writes there."""
    monkeypatch.setattr(machine_system, "THIS", machine_system.System(tmp_path))

    def write(path, text):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write
