"""The steps whose bytes are counted, and the process that runs them, each job once with 1 and once with 5 of them.

    python -m bench.verify.counted_steps JOBS HOW PROGRESS

JOBS is a JSON list of jobs; PROGRESS gets a JSON line as each begins and ends. HOW is the library of requests by which
callgrind is told when to count (bench/verify/callgrind_requests.c). They do nothing where no valgrind runs: so the same
program, run without, compiles and caches what an implementation compiles. Nothing is imported while counting is on, and
the interpreter's own work per step is in both counts alike: what it leaves in the difference is four steps' of it.

Where HOW is a number the jobs are a GPU's: so many steps run between cudaProfilerStart and Stop, for ncu.py.
"""

import ctypes
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import lcm
from pathlib import Path

import torch

from bench.timing import clock
from kernels import implementations
from kernels.case import Case, Unavailable
from kernels.reference.inputs import Arena, draw, set_bytes

ROOT = Path(__file__).parents[2]
FEW, MANY = 1, 5
UNREAD = 0
"""Label of a count that is not used."""
BEGUN = "begun"
"""In PROGRESS, of a job that has not ended; then None, or the reason why it has no count."""
SECONDS_PER_JOB = 90
"""A job that lasts longer is ended by the system's own alarm, in the middle of whatever library code it is in."""


@dataclass(frozen=True, slots=True)
class Job:
    """A step to be counted: by which implementation, over how many sets of weights, beyond how large a last level."""

    case: Case
    implementation: str
    sets: int
    last_level_bytes: int


@dataclass(frozen=True, slots=True)
class Count:
    """Bytes a step fetched from beyond the last level and wrote back to there, or the reason why they are unknown."""

    job: Job
    tool: str
    read: int | None = None
    written: int | None = None
    reason: str | None = None
    died: bool = False
    """Whether this job took the whole process with it."""


def command(jobs: Sequence[Job], folder: Path, how: object, progress: str) -> list[str]:
    """What runs these jobs from ROOT, with all its files in `folder`."""
    file = folder / "jobs.json"
    file.write_text(json.dumps([asdict(job) for job in jobs]), encoding="utf-8")
    child = [sys.executable, "-m", "bench.verify.counted_steps"]
    return [*child, str(file), str(how), str(folder / progress)]


def main(jobs: Path, how: str, progress: Path) -> None:
    """Run every job that can be run; what an implementation refuses is noted with its reason."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    given = [
        Job(**{**each, "case": Case(**each["case"])})
        for each in json.loads(jobs.read_text(encoding="utf-8"))
    ]
    requests = None if how.isdigit() else ctypes.CDLL(how)
    # one for all, so that a job leaves the next one's memory where it was
    arena = Arena(max(map(_arena_bytes, given)), "cpu" if requests else "cuda", seed=0)
    clock.quieten()
    with progress.open("a", encoding="utf-8") as file:
        for number, job in enumerate(given):
            print(json.dumps([number, BEGUN]), file=file, flush=True)
            signal.alarm(SECONDS_PER_JOB)
            reason = None
            try:
                with torch.inference_mode(job.case.phase == "step"):
                    calls = _calls(arena, job)
                    if requests is None:
                        _profile(calls, int(how))
                    else:
                        _count(requests, number, calls)
            except Exception as error:  # noqa: BLE001 - whatever an implementation raises is why it is not counted
                reason = str(error) or type(error).__name__
                reason = reason.strip().split("\n", 1)[0][:300]
            print(json.dumps([number, reason]), file=file, flush=True)
            signal.alarm(0)


def _count(requests: ctypes.CDLL, number: int, calls: list[Callable[[], object]]) -> None:
    """A whole rotation first, and a count that nobody reads: so that the simulated caches hold what both leave there.

    What a first count loads for itself would else be taken off the difference, as would a collection of garbage.
    """

    def run(first: int, count: int) -> int:
        for j in range(first, first + count):
            calls[j % len(calls)]()
        return first + count

    run(0, 1)  # whatever a first call loads or compiles
    with clock.undisturbed():
        requests.start()
        at = run(0, len(calls))
        for label, steps in ((UNREAD, FEW), (FEW, FEW), (MANY, MANY)):
            requests.zero()
            at = run(at, steps)
            requests.dump(f"{number} {label}".encode())
        requests.stop()


def _profile(calls: list[Callable[[], object]], steps: int) -> None:
    """On a GPU: a whole rotation, then `steps` steps that ncu looks at."""
    for call in calls:
        call()
    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    for number in range(steps):
        calls[number % len(calls)]()
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def _calls(arena: Arena, job: Job) -> list[Callable[[], object]]:
    """Steps over all sets of weights and all sets of inputs in rotation, as a point is measured."""
    case, count = job.case, job.sets
    implementation = implementations.load(job.implementation)
    reason = implementation.unavailable(case)
    if reason:
        raise Unavailable(reason)
    sets = arena.sets(implementation.layout(case), case.dtype, count)
    inputs = draw(case, torch.Generator(device=case.device).manual_seed(0))
    bind = implementation.prepare(case, sets, inputs)
    # a rotation of the weights is enough here: the inputs are small beside them
    length = lcm(count, len(inputs)) if count < len(inputs) else count
    return [bind(j % count, j % len(inputs)) for j in range(length)]


def _arena_bytes(job: Job) -> int:
    with suppress(Exception):  # it is told when its turn comes
        layout = implementations.load(job.implementation).layout(job.case)
        return job.sets * set_bytes(layout, job.case.dtype)
    return 1 << 20


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
