"""What the suite holds against its own figures, as observed while measuring. Pure; each says what to do about it.

Warnings that follow from the stored figures alone (impossible points, missing cases, levels against the system's
caches) are derived on reading, by the report.
"""

from collections.abc import Callable, Iterable
from typing import Any

from bench.device.threads import named
from bench.machine.system import as_list, cpu_list
from bench.profile import roof_times, stats
from bench.profile.records import Point, Roof, RunWarning

DRIFT = 0.05
CLOCK = 0.05
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

SLACK = 1.25
"""A precision missed by less than this factor is not worth a line."""


def of_description(machine: dict[str, Any]) -> list[RunWarning]:
    """What a machine's description alone holds against it."""
    found = []
    virtual, cpu = machine.get("virtualization"), machine.get("cpu") or {}
    if virtual:
        known = "whether this is a virtual machine is not told: if it is, neighbours share"
        if virtual != "unknown":
            known = f"this is a virtual machine ({virtual}): neighbours share"
        advice = "compare fractions, not times; for publication measure on a machine of your own"
        found.append(RunWarning("virtual machine", "run", f"{known} its caches and memory", advice))
    found += _of_kinds(cpu.get("kinds") or [], cpu_list(machine.get("cpus") or ""))
    if cpu and not cpu.get("last_level_bytes"):
        message = "the system tells no size of a cache: how large streamed weights must be follows the curve alone"
        advice = "look up the processor's caches, and hold the curve's levels against them"
        found.append(RunWarning("caches unknown", "run", message, advice))
    governors = [name for name in machine.get("governors") or () if name not in FULL_SPEED]
    if governors:
        message = f"the clock governor is {', '.join(governors)}"
        advice = "set it to performance while measuring"
        found.append(RunWarning("clock governor", "run", message, advice))
    return found


def _of_kinds(kinds: list[dict[str, Any]], usable: frozenset[int]) -> list[RunWarning]:
    """Whether the processors that may be used are of several kinds: the slowest would keep all others waiting."""
    mixed = [(kind, cpu_list(kind["cpus"]) & usable) for kind in kinds]
    mixed = [(kind, cpus) for kind, cpus in mixed if cpus]
    if len(mixed) < 2:
        return []
    named = ", ".join(f"{kind['cores']} {kind['name'] or 'unnamed'}" for kind, _ in mixed)
    each = " or ".join(
        f"`taskset -c {as_list(cpus)}` ({kind['name'] or 'unnamed'})" for kind, cpus in mixed
    )
    message = f"this processor has cores of {len(mixed)} kinds ({named}): a step that uses all waits for the slowest"
    return [RunWarning("kinds of cores", "run", message, f"measure on one kind: begin with {each}")]


def of_machine(
    machine: dict[str, Any], environment: dict[str, Any], page_bytes: int | None
) -> list[RunWarning]:
    """What is against this machine before anything is measured."""
    found = of_description(machine)
    if environment.get("thread_layer") == "workqueue":
        message = (
            "numba found no OpenMP and calls its threads through a work queue, some 100 us a call"
        )
        advice = "install libgomp (Debian: libgomp1) or the tbb package"
        found.append(RunWarning("slow parallel calls", "run", message, advice))
    if page_bytes is not None and page_bytes <= 1 << 16:
        message = f"the weights lie on pages of {page_bytes} bytes: large pages were not granted"
        advice = "allow them: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
        found.append(RunWarning("small pages", "run", message, advice))
    return found


def of_quota(granted: float | None, cores: int) -> list[RunWarning]:
    """Whether a control group grants fewer processors' worth of time than there are cores."""
    if granted is None or granted >= cores:
        return []
    message = f"a control group grants {granted:.2f} of {cores} cores: threads beyond that are stopped now and then"
    advice = "raise the quota, or take a machine of its own"
    return [RunWarning("cpu quota", "run", message, advice)]


def of_battery(on_battery: bool | None) -> list[RunWarning]:
    """Whether the machine draws on a battery."""
    if not on_battery:
        return []
    message = "this machine runs on its battery"
    return [RunWarning("battery", "run", message, "plug it in: clocks are lowered without")]


def of_threads(asked: int, workers: int) -> list[RunWarning]:
    """Whether fewer threads share a parallel region than it was given."""
    if workers >= asked:
        return []
    message = f"{asked} threads were asked for and {workers} came: every point of more threads ran with these"
    advice = "look for OMP_THREAD_LIMIT, OMP_DYNAMIC or a limit on processes, and measure again"
    return [RunWarning("fewer threads", "run", message, advice)]


def of_binding(bound: int | None, asked: int) -> list[RunWarning]:
    """Whether threads are free to share a core now and then; None where the system does not tell."""
    if bound is None or bound >= asked:
        return []
    message = f"{bound} of {asked} threads are bound to a core of their own: two may meet on one, which halves a sample"
    advice = "leave OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY to the suite: unset them"
    return [RunWarning("threads not bound", "run", message, advice)]


def of_heat(hottest: tuple[float, float] | None) -> list[RunWarning]:
    """Whether a processor has nearly its critical temperature, in degrees Celsius."""
    if hottest is None or hottest[0] < hottest[1] - HEAT:
        return []
    now, most = hottest
    message = f"a processor is at {now:.0f} of {most:.0f} degrees Celsius that it bears"
    advice = "let it cool down, look after its fans, and measure again"
    return [RunWarning("hot", "run", message, advice)]


def of_gpu_processes(others: int) -> list[RunWarning]:
    """Whether other processes compute on the GPUs of this machine."""
    if not others:
        return []
    message = (
        f"{others} other processes compute on the GPUs here, and use this machine's memory too"
    )
    advice = "end them: nvidia-smi names them; measure again"
    return [RunWarning("gpu in use", "run", message, advice)]


def of_gpu(
    remarks: list[str], failed: str | None, lost: str | None, *, watched: bool
) -> list[RunWarning]:
    """What its driver tells of a GPU, why it has no roofs, whether NVML watches it, and why it was lost."""
    found = []
    if remarks:
        found.append(RunWarning("gpu", "run", "; ".join(remarks), "nothing, if that is meant"))
    if failed:
        why = f"no point of the GPU was measured: {failed}"
        return [*found, RunWarning("gpu", "cuda", why, "mend that and measure again")]
    if not watched:
        message = "NVML cannot be asked: throttling, power and energy of the GPU are unknown"
        found.append(RunWarning("gpu unwatched", "run", message, "install nvidia-ml-py"))
    if lost:
        message = f"the GPU was lost to this process: {lost}"
        found.append(RunWarning("gpu lost", "run", message, "continue with --resume"))
    return found


def of_no_gpu(reason: str | None) -> list[RunWarning]:
    """That no GPU was measured, and why: there is none, or no point asked for it."""
    message = f"no GPU was measured: {reason or 'the points of the suite are of the CPU'}"
    return [RunWarning("cpu only", "run", message, "nothing, if that is known")]


def of_throttling(before: dict[str, int], after: dict[str, int]) -> list[RunWarning]:
    """Whether processors were slowed down during the run, and for what."""
    found = []
    for cause, why, how in SLOWED:
        if after[cause] > before[cause]:
            times = after[cause] - before[cause]
            message = f"processors were slowed down {times} times during the run, {why}"
            found.append(RunWarning("throttled", "run", message, f"{how}, and measure again"))
    return found


def of_clock(points: Iterable[Point]) -> list[RunWarning]:
    """Whether the core ticked at different speeds beside the points of a run."""
    clocks = [hz for point in _good(points) if (hz := (point.state or {}).get("clock_hz"))]
    if not clocks or max(clocks) <= (1 + CLOCK) * min(clocks):
        return []
    message = f"the core ran at {min(clocks) / 1e9:.2f} to {max(clocks) / 1e9:.2f} GHz beside the points of this run"
    advice = (
        "compare fractions, not times; fix the clock for figures of steps that stay in the caches"
    )
    return [RunWarning("clock changed", "run", message, advice)]


def of_sentinel(start: Roof, end: Roof) -> list[RunWarning]:
    """Whether the same probe over the same memory ran at another speed at the end than at the start."""
    before, after = stats.median(start.samples), stats.median(end.samples)
    change = after / before - 1
    if abs(change) <= DRIFT:
        return []
    message = f"the read probe ran {change:+.0%} at the end of the run against its start"
    advice = "trust the paired fractions; times of different points are not comparable to better than this"
    return [RunWarning("drift", "run", message, advice)]


def of_paired_roofs(points: Iterable[Point]) -> list[RunWarning]:
    """Whether the read probe beside streamed points, over memory all alike, ran at different speeds in one run.

    Not beside training: there it reads each set twice in a row, the second time from a cache where one set fits it. Nor
    where the sets are too small for the probe, which then walks otherwise.
    """
    medians = [
        stats.median(point.roof_bytes_per_s)
        for point in _good(points)
        if (point.case.residency, point.case.phase) == ("streamed", "step")
        and point.roof_walk is None
    ]
    if not medians or max(medians) <= (1 + 2 * DRIFT) * min(medians):
        return []
    low, high = min(medians) / 1e9, max(medians) / 1e9
    message = (
        f"beside streamed points the read probe over memory ran at {low:.0f} to {high:.0f} GB/s"
    )
    advice = (
        "points are held against the roof of their own moment; only steps that do not wait for memory come out "
        "with another percentage at another moment"
    )
    return [RunWarning("moving roof", "run", message, advice)]


def of_load(cores: float | None) -> list[RunWarning]:
    """Whether other processes (or the hypervisor) took processor time over the whole run."""
    if cores is None or cores < BUSY_CORES:
        return []
    message = f"others kept {cores:.2f} cores busy on average while this run measured"
    return [RunWarning("load", "run", message, "stop them and measure again")]


def of_swap(before: int | None, after: int | None) -> list[RunWarning]:
    """Whether bytes were written to or read from swap space between two readings of their number."""
    if before is None or after is None or after <= before:
        return []
    message = f"{after - before} bytes went through swap space during the run"
    return [RunWarning("swap", "run", message, "free memory and measure again")]


def of_memory(unsure: bool, largest: int) -> list[RunWarning]:
    """Whether the read curve, up to its largest set in bytes, left it unsure where memory begins."""
    if not unsure:
        return []
    message = (
        f"the read curve, up to {largest / 2**20:.4g} MiB, does not tell where memory begins: it falls to its end, or "
        "ends where a cache larger than the reported one would be flat too. Its last level is called the largest set, "
        "and a cache may serve a part of it"
    )
    advice = "free memory, or take a machine with more, and measure again; until then trust no bandwidth of memory"
    return [RunWarning("memory not reached", "run", message, advice)]


def of_streaming(points: Iterable[Point], least_bytes: int) -> list[RunWarning]:
    """Streamed points whose sets of weights turned out smaller than those that are as slow as memory."""
    small = [
        point.key
        for point in _good(points)
        if point.case.residency == "streamed" and (point.working_set_bytes or 0) < least_bytes
    ]
    if not small:
        return []
    where = f"{least_bytes / 2**20:.4g} MiB, from where the read curve was flat"
    message = f"{_count(small)}, streamed, spanned less than {where}"
    advice = "measure again: part of them may lie in a cache"
    return [RunWarning("not streamed for sure", ", ".join(small), message, advice)]


def of_small_sets(points: Iterable[Point]) -> list[RunWarning]:
    """Points whose weights are too small for the read probe at their threads, by how it walked instead."""
    found = []
    walked = _keys_by(points, lambda point: point.roof_walk and tuple(point.roof_walk.items()))
    for walk, keys in walked.items():
        one = dict(walk)
        message = (
            f"the weights of {_count(keys)} are too small for the read probe: their read roof is that of "
            f"{named(one['threads'] or 'all')} over sets of {one['set_bytes']} bytes"
        )
        advice = "look at the time of the call, which such a step is"
        found.append(RunWarning("small weights", ", ".join(keys), message, advice))
    return found


def of_own_weights(points: Iterable[Point], page_bytes: int | None) -> list[RunWarning]:
    """Points of libraries whose own copies of the weights lie on other pages than everyone else's."""
    found = []
    other = [p for p in _good(points) if p.own_weights and p.page_bytes != page_bytes]
    for (size,), keys in _keys_by(other, lambda point: (point.page_bytes,)).items():
        message = (
            f"the library of {_count(keys)} packs weights of its own, on pages of {size or 'unknown'} bytes where the "
            f"arena has {page_bytes or 'unknown'}; their roofs were read from such pages"
        )
        advice = "compare their times with other implementations'; their percentages say what such pages allow"
        found.append(RunWarning("page sizes differ", ", ".join(keys), message, advice))
    return found


def of_points(
    points: Iterable[Point],
    precision: float,
    least: float,
    write_seconds: Callable[[int, int], float],
) -> list[RunWarning]:
    """One warning per kind, naming the points it is about: noisy, of short samples, or beside a busy process.

    Samples of less than `least` seconds are short. `write_seconds` is what so many bytes take so many threads at the
    surveyed roof.
    """
    noisy, short, busy = [], [], []
    slowed: dict[str, list[str]] = {}
    for point in _good(points):
        assert point.bytes is not None
        state = point.state or {}
        written = write_seconds(point.bytes["written"], point.case.threads)
        if stats.estimate(roof_times.roof_fractions(point, written)).half_width > SLACK * precision:
            noisy.append(point.key)
        if point.steps_per_sample and stats.median(point.seconds) * point.steps_per_sample < least:
            short.append(point.key)
        if (state.get("load") or 0.0) >= BUSY_CORES:
            busy.append(point.key)
        for cause in state.get("throttle") or ():
            slowed.setdefault(cause, []).append(point.key)
    found = []
    for cause, keys in slowed.items():
        message = f"processors were slowed down beside {_count(keys)} ({cause})"
        advice = "measure them again on a machine that keeps its speed"
        found.append(RunWarning("throttled", ", ".join(keys), message, advice))
    if noisy:
        message = f"{_count(noisy)} did not reach +-{precision:.0%} before their time was spent"
        advice = "measure on a quieter machine, or with a larger budget_seconds"
        found.append(RunWarning("noisy", ", ".join(noisy), message, advice))
    if short:
        message = f"{_count(short)} had samples shorter than {least * 1e3:.3g} ms"
        advice = "measure them again: the machine sped up midway"
        found.append(RunWarning("short sample", ", ".join(short), message, advice))
    if busy:
        message = f"another process ran beside {_count(busy)}"
        found.append(RunWarning("load", ", ".join(busy), message, "stop it and measure again"))
    return found


def of_launches(points: Iterable[Point]) -> list[RunWarning]:
    """Points whose calls cost the CPU more than the GPU: one by one they take that long."""
    bound = [
        point.key
        for point in _good(points)
        if (point.launch_seconds or 0.0) / point.case.steps > stats.median(point.seconds)
    ]
    if not bound:
        return []
    message = (
        f"{_count(bound)} cost the CPU more to launch than the GPU to compute; timed is the GPU"
    )
    advice = (
        "record them in a graph, or look at launch_seconds for what a call made by itself takes"
    )
    return [RunWarning("launch bound", ", ".join(bound), message, advice)]


def _good(points: Iterable[Point]) -> list[Point]:
    return [point for point in points if point.status == "ok"]


def _keys_by(points: Iterable[Point], what: Callable[[Point], Any]) -> dict[Any, list[str]]:
    """Keys of the good points by something about each, of which that is something."""
    found: dict[Any, list[str]] = {}
    for point in _good(points):
        if (about := what(point)) is not None:
            found.setdefault(about, []).append(point.key)
    return found


def _count(keys: list[str]) -> str:
    return "1 point" if len(keys) == 1 else f"{len(keys)} points"
