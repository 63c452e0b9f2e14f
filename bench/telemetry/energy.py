"""Energy of a step, from counters that a machine keeps: NVML's of a GPU, RAPL's of a CPU's packages.

Both count everything that the chip spends, its idle power too; a step's share is what the counter rises by during a
long block of steps, over their number. RAPL's counters start again at zero after some time; one turn is allowed for.
Read with stand-ins in tests; no machine at hand has let its counters be read.
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
LEAST_SECONDS = {"cpu": 0.1, "cuda": 1.0}
"""Of a block, by device: RAPL's counters move every millisecond, NVML's some ten times a second."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Counters of energy that are read together: each in joules, and where it starts again at zero (0: never).

    A block of less than `least_seconds` is too short for them.
    """

    read: Callable[[], tuple[float, ...]]
    ends: tuple[float, ...]
    least_seconds: float

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
    return Meter(lambda: (gpu.energy_j() or 0.0,), (0.0,), LEAST_SECONDS["cuda"])


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
    meter: Meter | None, run: Callable[[int], object], seconds: float, wait: Callable[[], None]
) -> float | None:
    """Joules of one call that takes so many seconds, from a block that lasts as long as the counters need.

    `wait` comes back when all of a block's work is done. None without counters,
    or where they stood still or could be read no more.
    """
    if meter is None:
        return None
    count = max(1, ceil(meter.least_seconds / seconds))
    before = after = None
    with suppress(OSError, ValueError):
        before = meter.read()
    run(count)
    wait()
    with suppress(OSError, ValueError):
        after = meter.read()
    if before is None or after is None:
        return None
    return meter.joules(before, after) / count or None
