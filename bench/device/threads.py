"""How many threads measure, and on which cores: explicit, one thread per core, stated in the profile.

`settle` must run before torch or numba are imported, because their OpenMP library reads its settings once. Threads that
are not bound share a core now and then, which halves a sample; OpenMP binds the threads it makes itself, so a pool that
shrinks and grows again stays bound.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from time import sleep
from typing import NamedTuple

import psutil

from bench.machine import cgroups, system, topology
from bench.machine.system import told
from kernels.case import Unavailable

SPUN_ELEMENTS, SPUN_SECONDS, SPUN_TURNS = 1 << 20, 0.025, 3
"""What torch adds to, how long workers are then watched, and how often: to see for how long they spin."""

_ORIGINAL_CORES: list[int] = list(system.THIS.allowed or ())


def cores() -> list[int]:
    """One logical processor per physical core this process may use, then their siblings; empty where unknown."""
    return topology.places(system.THIS)


def available() -> int:
    """Threads worth using: one per physical core this process may use, and at least 1.

    At most a container's CPU quota, and at most what OMP_NUM_THREADS or NUMBA_NUM_THREADS ask for.
    """
    mine = len(topology.usable_cores(system.THIS)) or told(lambda: psutil.cpu_count(logical=False))
    limits = [mine or os.cpu_count() or 1]
    granted = cgroups.cpus(system.THIS)
    if granted:
        limits.append(int(granted))
    asked = (os.environ.get(name, "") for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"))
    # OpenMP takes a list: a number per level of nesting
    outermost = (text.partition(",")[0].strip() for text in asked)
    limits += [int(text) for text in outermost if text.isdigit() and int(text) > 0]
    return max(1, min(limits))


def settle() -> None:
    """Tell OpenMP and numba how many threads there are and where they go. A user's own settings win."""
    count = available()
    os.environ.setdefault("NUMBA_NUM_THREADS", str(count))
    os.environ.setdefault("NUMBA_THREADING_LAYER_PRIORITY", "omp tbb workqueue")
    os.environ.setdefault("OMP_NUM_THREADS", str(count))
    if (
        sys.platform == "linux"
        and not {"OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"} & os.environ.keys()
    ):
        os.environ["OMP_PROC_BIND"] = "close"
        os.environ["OMP_PLACES"] = ",".join(f"{{{core}}}" for core in cores()[:count])


def libraries(device: str | None = None) -> None:
    """Import what nothing is measured without: on a GPU alone no numba. Raises Unavailable naming what is missing."""
    for name in ("numpy", "torch") if device == "cuda" else ("numpy", "numba", "torch"):
        try:
            import_module(name)
        except Exception as error:  # a broken library raises whatever it likes
            why = str(error).strip().split("\n", 1)[0] or type(error).__name__
            raise Unavailable(
                f"{name} cannot be imported ({why}): make venv installs what is needed"
            ) from error


def named(count: int | str | None) -> str:
    """So many threads, or "all", in words."""
    return "1 thread" if count == 1 else f"{count} threads"


def use(count: int) -> None:
    """Run torch and numba with `count` threads from here on. Raises ValueError for more than `settle` prepared."""
    import numba
    import torch

    most = numba.config.NUMBA_NUM_THREADS
    if not 1 <= count <= most:
        raise ValueError(f"threads {count} is out of range: this process may use 1 to {most}")
    torch.set_num_threads(count)
    numba.set_num_threads(count)


def used() -> int:
    """The most threads that torch or numba run with now; numba where it was loaded."""
    import torch

    numba = sys.modules.get("numba")
    return max(torch.get_num_threads(), numba.get_num_threads() if numba else 1)


class Pools(NamedTuple):
    """numba's threading layer, whether torch and numba share one OpenMP library's pool, and its threads as counted.

    `before`: how many threads torch and numba used until then, for `restore`. `spin_seconds`: how long the workers of
    either pool went on spinning after their work; None where the system does not tell.
    """

    layer: str
    shared: bool
    workers: int
    before: tuple[int, int]
    spin_seconds: float | None = None


def start() -> Pools:
    """Import both libraries and start their pools on all cores. Raises Unavailable where numba has no threads."""
    import torch

    if _ORIGINAL_CORES:
        # torch's OpenMP has bound this thread to the first core; a second library would take that for all there is.
        os.sched_setaffinity(0, _ORIGINAL_CORES)
    import numba

    from bench.roofs import call

    region = call.prepare(numba.config.NUMBA_NUM_THREADS)
    torch.zeros(1 << 20).add_(1)
    count = told(lambda: psutil.Process().num_threads())
    try:
        region(1)
    except ValueError as error:  # numba's, where it has not the threading layer that is asked for
        why = str(error).strip().split("\n", 1)[0]
        raise Unavailable(
            f"numba starts no threads ({why}): unset NUMBA_THREADING_LAYER"
        ) from error
    shared = count is not None and told(lambda: psutil.Process().num_threads()) == count
    workers = call.workers(numba.config.NUMBA_NUM_THREADS)
    if _ORIGINAL_CORES and "OMP_PLACES" in os.environ:
        os.sched_setaffinity(0, cores()[:1])
    before = torch.get_num_threads(), numba.get_num_threads()
    spun = None
    if not shared:
        block = torch.zeros(SPUN_ELEMENTS)
        spun = _spun((lambda: block.add_(1), lambda: region(1)))
    return Pools(str(numba.threading_layer()), shared, workers, before, spun)


def _spun(works: Sequence[Callable[[], object]]) -> float | None:
    """The longest that a worker ran on while nothing was left to do, after these works; None where nothing tells."""
    found = 0.0
    for work in (*works,) * SPUN_TURNS:
        sleep(SPUN_SECONDS)
        work()
        before = _run_seconds()
        sleep(SPUN_SECONDS)
        after = _run_seconds()
        if not before or not after:
            return None
        found = max(
            found, *(after[one] - seconds for one, seconds in before.items() if one in after)
        )
    return found


def _run_seconds() -> dict[str, float]:
    """How long each other thread of this process has run on a core so far, as Linux's scheduler counts it."""
    found = {}
    with suppress(OSError, ValueError):
        for task in Path("/proc/self/task").iterdir():
            if int(task.name) != os.getpid():
                found[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
    return found


def restore(pools: Pools) -> None:
    """As many threads as before `start`, and every core again."""
    import numba
    import torch

    torch.set_num_threads(pools.before[0])
    numba.set_num_threads(pools.before[1])
    release()


def bound() -> int | None:
    """To how many different cores threads of this process are bound, each to one alone; None where nothing tells."""
    if not _ORIGINAL_CORES:
        return None
    alone = set()
    tasks: list[Path] = []
    with suppress(OSError):
        tasks = list(Path("/proc/self/task").iterdir())
    for task in tasks:
        with suppress(OSError):  # a thread that ended meanwhile
            allowed = os.sched_getaffinity(int(task.name))
            if len(allowed) == 1:
                alone |= allowed
    return len(alone) if tasks else None


@contextmanager
def unbound() -> Iterator[None]:
    """Let this thread run on every core for a while: threads that a library makes meanwhile inherit that.

    OpenMP binds the threads that it makes itself. Those of other libraries would share the one core of their maker:
    ONNX Runtime's step took 1.7 times as long so.
    """
    if not _ORIGINAL_CORES:
        yield
        return
    before = os.sched_getaffinity(0)
    release()
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def release() -> None:
    """Let this thread run on every core again, as before `start`: for child processes, and when done."""
    if _ORIGINAL_CORES:
        os.sched_setaffinity(0, _ORIGINAL_CORES)
