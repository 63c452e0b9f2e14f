"""What is looked at when a run ends, each look apart: what cannot be seen is a warning itself, and costs no profile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from bench.device import threads
from bench.device.cuda import Cuda
from bench.device.device import Device
from bench.machine import gpus, nvml
from bench.measure.point import first_line
from bench.profile.records import SENTINEL, Point, Profile, Roof, RunWarning
from bench.session import warnings
from bench.session.folder import BadOutput
from bench.session.survey import Survey
from bench.telemetry import state

if TYPE_CHECKING:  # it loads numba, which a run on a GPU alone does without
    from bench.device.cpu import Cpu

Look = Callable[[], Iterable[RunWarning]]


def seen(what: str, look: Look) -> Sequence[RunWarning]:
    """What a look finds; where it raises, a warning that says so. Raises BadOutput."""
    try:
        return tuple(look())
    except BadOutput:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a machine lacks: the profile is worth more
        message = f"{what} could not be looked at: {type(error).__name__}: {first_line(error)}"
        return (RunWarning("not looked at", "run", message, "report it: nothing else is lost"),)


def looks(
    device: Device,
    survey: Survey | str,
    points: Sequence[Point],
    standing: Callable[[int | None], Iterable[RunWarning]],
    keep: Callable[[Roof], None],
) -> dict[str, Look]:
    """What is against the figures of a device, its points among them: what is looked at, and how.

    `survey` is the reason where there is none. `standing` tells what is against the device whatever is measured, given
    the page size of its arena; `keep` is given the sentinel's last look.
    """
    if isinstance(survey, str) or device.lost():
        return {f"the {device.name}": lambda: standing(None)}
    context, curve = survey.context, survey.curve

    def drift() -> Iterable[RunWarning]:
        last = device.sentinel(context.arena, context.span_bytes)
        keep(replace(last, kind=SENTINEL))
        return warnings.of_sentinel(survey.sentinel, last)

    least = device.clock.SAMPLE_SECONDS / 2
    told: dict[str, Look] = {
        "machine": lambda: standing(device.page_bytes(context.arena)),
        "drift": drift,
        "paired roofs": lambda: warnings.of_paired_roofs(points),
        "clock": lambda: warnings.of_clock(points),
        "points": lambda: warnings.of_points(
            points, context.precision, least, context.write_seconds
        ),
        "small sets": lambda: warnings.of_small_sets(points),
        "pages": lambda: warnings.of_own_weights(points, context.page_bytes),
        "launches": lambda: warnings.of_launches(points),
        "memory": lambda: warnings.of_memory(curve.unsure, curve.largest),
        "streamed points": lambda: warnings.of_streaming(points, curve.nearly_flat),
    }
    return {f"{what} ({device.name})": look for what, look in told.items()}


def of_gpu(device: Cuda, survey: Survey | str) -> list[RunWarning]:
    """What is against a GPU whatever is measured: others on it, how it is cut up, and what it does not tell."""
    why = survey if isinstance(survey, str) else None
    remarks = nvml.remarks(torch.cuda.device_count(), device.gpu.card() if device.gpu else None)
    others = warnings.of_gpu_processes(nvml.processes_of_others())
    lost = None if why else device.lost()
    return [*others, *warnings.of_gpu(remarks, why, lost, watched=device.gpu is not None)]


def others(load: state.Load, swapped: int | None, *, on_gpu: bool) -> dict[str, Look]:
    """What other processes did during the run, and whether a GPU was left alone."""
    found: dict[str, Look] = {
        "what others do": lambda: warnings.of_load(load.cores_taken_by_others()),
        "swap space": lambda: warnings.of_swap(swapped, state.swapped_bytes()),
    }
    if not on_gpu:
        found["the GPU"] = lambda: warnings.of_no_gpu(gpus.no_cuda_reason())
    return found


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


def of_cpu(cpu: Cpu, header: Profile, page_bytes: int | None) -> list[RunWarning]:
    """What is against the CPU of a run, whose arena lies on pages of so many bytes."""
    assert cpu.pools is not None
    return [
        *standing(header.machine, header.environment, page_bytes, cpu.pools),
        *warnings.of_throttling(cpu.throttled, state.throttled()),
    ]
