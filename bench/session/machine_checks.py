"""What holds against a machine whatever is measured on it: looked at for the warnings of every run, and by doctor."""

from typing import Any

from bench.device import threads
from bench.device.cpu import Cpu
from bench.machine import nvml
from bench.profile.records import Profile, RunWarning
from bench.session import warnings
from bench.telemetry import state


def standing(
    described: dict[str, Any],
    environment: dict[str, Any],
    page_bytes: int | None,
    pools: threads.Pools,
) -> list[RunWarning]:
    """What is against this machine, of that description and environment, with an arena on pages of so many bytes."""
    return [
        *warnings.of_machine(described, environment, page_bytes),
        *warnings.of_quota(described["quota"], len(threads.cores())),
        *warnings.of_threads(threads.available(), pools.workers),
        *warnings.of_binding(threads.bound(), threads.available()),
        *warnings.of_battery(state.on_battery()),
        *warnings.of_heat(state.hottest()),
        *warnings.of_gpu_processes(nvml.processes_of_others()),
    ]


def of_run(cpu: Cpu, header: Profile, page_bytes: int | None) -> list[RunWarning]:
    """What is against the CPU of a run, whose arena lies on pages of so many bytes."""
    assert cpu.pools is not None
    return [
        *standing(header.machine, header.environment, page_bytes, cpu.pools),
        *warnings.of_throttling(cpu.throttled, state.throttled()),
    ]
