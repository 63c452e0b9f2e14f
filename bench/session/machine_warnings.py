"""What is held against this machine while a run measures, points apart: a warning is a function, called further below.

What is called at a run's end is `standing`, `of_cpu`, `of_gpu` and `others`; what cannot be seen costs that look alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from bench.device import threads
from bench.machine import gpus, nvml
from bench.machine.system import as_list, cpu_list
from bench.measure.point import first_line
from bench.profile.records import Profile, RunWarning
from bench.session.folder import BadOutput
from bench.session.survey import Survey
from bench.telemetry import state

if TYPE_CHECKING:  # the first loads numba, which a run on a GPU alone does without
    from bench.device.cpu import Cpu
    from bench.device.cuda import Cuda

Look = Callable[[], Iterable[RunWarning]]
"""What looks at something, and tells what was found: anew each time, and perhaps with an error."""

BUSY_CORES = 0.1
HEAT = 5.0
"""Degrees Celsius below the limit."""

SLOWED = (
    ("heat", "for heat or power", "cool the machine, or lower its clock for good"),
    (
        "quota",
        "because a quota of processor time was spent",
        "raise the quota, or use fewer threads",
    ),
)
"""What slows processors down, in words, and what to do about it."""

FULL_SPEED = ("performance", "schedutil")
"""Clock governors that let a busy core run as fast as it may."""


def seen(what: str, look: Look) -> Sequence[RunWarning]:
    """What a look finds; where it raises, a warning that says so. Raises BadOutput."""
    try:
        return tuple(look())
    except BadOutput:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a machine lacks: the profile is worth more
        message = f"{what} could not be looked at: {type(error).__name__}: {first_line(error)}"
        return (RunWarning("not looked at", "run", message, "report it: nothing else is lost"),)


def of_description(machine: dict[str, Any]) -> Iterator[RunWarning]:
    """What a machine's description alone holds against it."""
    virtual, cpu = machine.get("virtualization"), machine.get("cpu") or {}
    if virtual:
        known = "whether this is a virtual machine is not told: if it is, neighbours share"
        if virtual != "unknown":
            known = f"this is a virtual machine ({virtual}): neighbours share"
        advice = "compare fractions, not times; for publication measure on a machine of your own"
        yield RunWarning("virtual machine", "run", f"{known} its caches and memory", advice)
    yield from _of_kinds(cpu.get("kinds") or [], cpu_list(machine.get("cpus") or ""))
    if cpu and not cpu.get("last_level_bytes"):
        message = "the system tells no size of a cache: how large streamed weights must be follows the curve alone"
        advice = "look up the processor's caches, and hold the curve's levels against them"
        yield RunWarning("caches unknown", "run", message, advice)
    governors = [name for name in machine.get("governors") or () if name not in FULL_SPEED]
    if governors:
        message = f"the clock governor is {', '.join(governors)}"
        yield RunWarning("clock governor", "run", message, "set it to performance while measuring")


def _of_kinds(kinds: list[dict[str, Any]], usable: frozenset[int]) -> Iterator[RunWarning]:
    """Whether the processors that may be used are of several kinds: the slowest would keep all others waiting."""
    mixed = [(kind, cpu_list(kind["cpus"]) & usable) for kind in kinds]
    mixed = [(kind, cpus) for kind, cpus in mixed if cpus]
    if len(mixed) > 1:
        named = ", ".join(f"{kind['cores']} {kind['name'] or 'unnamed'}" for kind, _ in mixed)
        each = " or ".join(
            f"`taskset -c {as_list(cpus)}` ({kind['name'] or 'unnamed'})" for kind, cpus in mixed
        )
        message = (
            f"this processor has cores of {len(mixed)} kinds ({named}): "
            "a step that uses all waits for the slowest"
        )
        yield RunWarning(
            "kinds of cores", "run", message, f"measure on one kind: begin with {each}"
        )


def of_machine(
    machine: dict[str, Any], environment: dict[str, Any], page_bytes: int | None
) -> Iterator[RunWarning]:
    """What is against this machine before anything is measured."""
    yield from of_description(machine)
    if environment.get("thread_layer") == "workqueue":
        message = (
            "numba found no OpenMP and calls its threads through a work queue, some 100 us a call"
        )
        advice = "install libgomp (Debian: libgomp1) or the tbb package"
        yield RunWarning("slow parallel calls", "run", message, advice)
    if page_bytes is not None and page_bytes <= 1 << 16:
        message = f"the weights lie on pages of {page_bytes} bytes: large pages were not granted"
        advice = "allow them: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
        yield RunWarning("small pages", "run", message, advice)


def of_quota(granted: float | None, cores: int) -> Iterator[RunWarning]:
    """Whether a control group grants fewer processors' worth of time than there are cores."""
    if granted is not None and granted < cores:
        message = f"a control group grants {granted:.2f} of {cores} cores: threads beyond that are stopped now and then"
        yield RunWarning(
            "cpu quota", "run", message, "raise the quota, or take a machine of its own"
        )


def of_battery(on_battery: bool | None) -> Iterator[RunWarning]:
    """Whether the machine draws on a battery."""
    if on_battery:
        message = "this machine runs on its battery"
        yield RunWarning("battery", "run", message, "plug it in: clocks are lowered without")


def of_threads(asked: int, workers: int) -> Iterator[RunWarning]:
    """Whether fewer threads share a parallel region than it was given."""
    if workers < asked:
        message = f"{asked} threads were asked for and {workers} came: every point of more threads ran with these"
        advice = "look for OMP_THREAD_LIMIT, OMP_DYNAMIC or a limit on processes, and measure again"
        yield RunWarning("fewer threads", "run", message, advice)


def of_binding(bound: int | None, asked: int) -> Iterator[RunWarning]:
    """Whether threads are free to share a core now and then; None where the system does not tell."""
    if bound is not None and bound < asked:
        message = (
            f"{bound} of {asked} threads are bound to a core of their own: "
            "two may meet on one, which halves a sample"
        )
        advice = "leave OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY to the suite: unset them"
        yield RunWarning("threads not bound", "run", message, advice)


def of_heat(hottest: tuple[float, float] | None) -> Iterator[RunWarning]:
    """Whether a processor has nearly its critical temperature, in degrees Celsius."""
    if hottest is not None and hottest[0] >= hottest[1] - HEAT:
        now, most = hottest
        message = f"a processor is at {now:.0f} of {most:.0f} degrees Celsius that it bears"
        advice = "let it cool down, look after its fans, and measure again"
        yield RunWarning("hot", "run", message, advice)


def of_gpu_processes(others: int) -> Iterator[RunWarning]:
    """Whether other processes compute on the GPUs of this machine."""
    if others:
        message = (
            f"{others} other processes compute on the GPUs here, and use this machine's memory too"
        )
        advice = "end them: nvidia-smi names them; measure again"
        yield RunWarning("gpu in use", "run", message, advice)


def standing(
    described: dict[str, Any],
    environment: dict[str, Any],
    page_bytes: int | None,
    pools: threads.Pools,
) -> list[RunWarning]:
    """What is against this machine, of that description and environment, with an arena on pages of so many bytes."""
    return [
        *of_machine(described, environment, page_bytes),
        *of_quota(described["quota"], len(threads.cores())),
        *of_threads(threads.available(), pools.workers),
        *of_binding(threads.bound(), threads.available()),
        *of_battery(state.on_battery()),
        *of_heat(state.hottest()),
        *of_gpu_processes(nvml.processes_of_others()),
    ]


def of_throttling(before: dict[str, int], after: dict[str, int]) -> Iterator[RunWarning]:
    """Whether processors were slowed down during the run, and for what."""
    slowed = [
        (f"{after[cause] - before[cause]} times during the run, {why}", how)
        for cause, why, how in SLOWED
        if after[cause] > before[cause]
    ]
    if slowed:
        times, mends = (" and ".join(words) for words in zip(*slowed, strict=True))
        message = f"processors were slowed down {times}"
        yield RunWarning("throttled", "run", message, f"{mends}, and measure again")


def of_cpu(cpu: Cpu, header: Profile, page_bytes: int | None) -> list[RunWarning]:
    """What is against the CPU of a run, whose arena lies on pages of so many bytes."""
    assert cpu.pools is not None
    return [
        *standing(header.machine, header.environment, page_bytes, cpu.pools),
        *of_throttling(cpu.throttled, state.throttled()),
    ]


def of_gpu(device: Cuda, survey: Survey | str) -> Iterator[RunWarning]:
    """What is against a GPU: others on it, how it is cut up, what it does not tell, why it has no roofs or was lost."""
    yield from of_gpu_processes(nvml.processes_of_others())
    remarks = nvml.remarks(torch.cuda.device_count(), device.gpu.card() if device.gpu else None)
    if remarks:
        yield RunWarning("gpu", "run", "; ".join(remarks), "nothing, if that is meant")
    if isinstance(survey, str):
        why = f"no point of the GPU was measured: {survey}"
        yield RunWarning("gpu", "cuda", why, "mend that and measure again")
        return
    if device.gpu is None:
        message = "NVML cannot be asked: throttling, power and energy of the GPU are unknown"
        yield RunWarning("gpu unwatched", "run", message, "install nvidia-ml-py")
    if lost := device.lost():
        message = f"the GPU was lost to this process: {lost}"
        yield RunWarning("gpu lost", "run", message, "continue with --resume")


def of_no_gpu(reason: str | None) -> Iterator[RunWarning]:
    """That no GPU was measured, and why: there is none, or no point asked for it."""
    message = f"no GPU was measured: {reason or 'the points of the suite are of the CPU'}"
    yield RunWarning("cpu only", "run", message, "nothing, if that is known")


def of_load(cores: float | None) -> Iterator[RunWarning]:
    """Whether other processes (or the hypervisor) took processor time over the whole run."""
    if cores is not None and cores >= BUSY_CORES:
        message = f"others kept {cores:.2f} cores busy on average while this run measured"
        yield RunWarning("load", "run", message, "stop them and measure again")


def of_swap(before: int | None, after: int | None) -> Iterator[RunWarning]:
    """Whether bytes were written to or read from swap space between two readings of their number."""
    if before is not None and after is not None and after > before:
        message = f"{after - before} bytes went through swap space during the run"
        yield RunWarning("swap", "run", message, "free memory and measure again")


def others(load: state.Load, swapped: int | None, *, on_gpu: bool) -> dict[str, Look]:
    """What other processes did during the run, and whether a GPU was left alone."""
    found: dict[str, Look] = {
        "what others do": lambda: of_load(load.cores_taken_by_others()),
        "swap space": lambda: of_swap(swapped, state.swapped_bytes()),
    }
    if not on_gpu:
        found["the GPU"] = lambda: of_no_gpu(gpus.no_cuda_reason())
    return found
