"""Energy of a step, from counters that a machine keeps: NVML's of a GPU, RAPL's of a CPU's packages.

Both count everything that the chip spends, its idle power too; a step's share is what the counter rises by during a
long block of steps, over their number. RAPL's counters start again at zero after some time; one turn is allowed for.

NVML's moves some ten times a second. So a GPU's block lasts from one of its moves to another, and is enqueued in parts
of a tenth of that. A step that the CPU launches more slowly than the GPU computes has no energy: what would be counted
is a GPU that waits. RAPL's was read with stand-ins in tests alone, for no machine at hand has let it be read.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import ceil

from bench.machine import system
from bench.machine.nvml import Gpu
from kernels.case import Unavailable

PACKAGES = "sys/class/powercap/intel-rapl:[0-9]*"
"""AMD's processors are found under this name too."""
LEAST_SECONDS = {"cpu": 0.1, "cuda": 0.3}
"""Of a block, by device."""
GPU_MOVES_SECONDS = 0.1
"""NVML's counter may stand still for so long: seen on an H100. RAPL's move every millisecond."""
PARTS = 10
"""Into which the work of one move of a counter is cut, to see when it moves."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Counters of energy that are read together: each in joules, and where it starts again at zero (0: never).

    A block of less than `least_seconds` is too short for them. They may stand still for `moves_seconds`; 0 where that
    is nothing beside a block.
    """

    read: Callable[[], tuple[float, ...]]
    ends: tuple[float, ...]
    least_seconds: float
    moves_seconds: float = 0.0

    def now(self) -> tuple[float, ...] | None:
        """A reading; None where they can be read no more."""
        with suppress(OSError, ValueError):
            return self.read()
        return None

    def joules(self, before: tuple[float, ...], after: tuple[float, ...]) -> float:
        """From one reading to another, at most one turn of a counter later."""
        rises = zip(before, after, self.ends, strict=True)
        return sum(b - a + (end if b < a else 0.0) for a, b, end in rises)


def of_gpu(gpu: Gpu | None) -> Meter:
    """A GPU's. Raises Unavailable where it has no such counter (before Volta, or a slice), or NVML cannot be asked."""
    if gpu is None:
        raise Unavailable("NVML cannot be asked")
    if gpu.energy_j() is None:
        raise Unavailable("this GPU or its driver has no counter of energy")
    return Meter(lambda: (gpu.energy_j() or 0.0,), (0.0,), LEAST_SECONDS["cuda"], GPU_MOVES_SECONDS)


def of_cpu() -> Meter:
    """All packages of this machine. Raises Unavailable with the reason."""
    of = system.THIS
    packages = [path for path in of.found(PACKAGES) if path.name.count(":") == 1]
    if not packages:
        raise Unavailable(
            "this system shows no energy counters (RAPL): a virtual machine, or no driver"
        )

    def joules(name: str = "energy_uj") -> tuple[float, ...]:
        return tuple(int((of.root / package / name).read_text()) / 1e6 for package in packages)

    try:
        joules()
        return Meter(joules, joules("max_energy_range_uj"), LEAST_SECONDS["cpu"])
    except PermissionError as error:
        raise Unavailable(
            f"energy counters (RAPL) are kept to administrators: {error.strerror}"
        ) from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"energy counters (RAPL) cannot be read: {error}") from error


def of_calls(
    meter: Meter | None,
    run: Callable[[int], object],
    seconds: float,
    wait: Callable[[], None],
    launch_seconds: float | None = None,
) -> float | None:
    """Joules of one call that takes so many seconds, from a block that lasts as long as the counters need.

    `wait` comes back when all of a block's work is done; `launch_seconds` is what a call costs the CPU that goes on
    meanwhile. None without counters, where they stood still or could be read no more, and where launching takes longer
    than computing.
    """
    if meter is None or (launch_seconds is not None and launch_seconds >= seconds):
        return None
    if meter.moves_seconds:
        return _between_moves(meter, run, seconds, wait)
    count = max(1, ceil(meter.least_seconds / seconds))
    before = meter.now()
    run(count)
    wait()
    after = meter.now()
    if before is None or after is None:
        return None
    return meter.joules(before, after) / count or None


def _between_moves(
    meter: Meter, run: Callable[[int], object], seconds: float, wait: Callable[[], None]
) -> float | None:
    """Joules of one call, from one move of the counters to another that comes `least_seconds` later or more."""
    part = max(1, ceil(meter.moves_seconds / PARTS / seconds))
    most = ceil(2 * (meter.least_seconds + 2 * meter.moves_seconds) / (part * seconds))
    last, calls = meter.now(), 0
    first: tuple[float, ...] | None = None
    for _ in range(most):
        if last is None:
            break
        run(part)
        wait()
        calls += part
        now = meter.now()
        if now == last or now is None:
            last = now
        elif first is None:
            first, last, calls = now, now, 0
        elif calls * seconds < meter.least_seconds:
            last = now
        else:
            return meter.joules(first, now) / calls
    return None
