"""The steps whose bytes are counted, and the program that runs them.

    python -m bench.verify.counted_steps JOBS REQUESTS OUTCOMES AT_ONCE
    python -m bench.verify.counted_steps JOBS STEPS

JOBS is a JSON list of jobs. REQUESTS is the library by which callgrind is told when to count
(bench/verify/callgrind_requests.c): each job runs once with 1 and once with 5 steps, so many jobs at once, and OUTCOMES
gets a JSON line as each ends. The requests do nothing where no valgrind runs: so the same program, run without,
compiles and caches what an implementation compiles. Nothing is imported while counting is on, and the interpreter's
own work per step is in both counts alike: what it leaves in the difference is four steps' of it.

With STEPS alone the one job is a GPU's: so many steps run between cudaProfilerStart and Stop, for ncu.py.
"""

import ctypes
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import lcm
from pathlib import Path

import msgspec
import torch

from bench.timing import clock, interrupts
from kernels import implementations
from kernels.case import Case, Unavailable
from kernels.reference.inputs import Arena, draw, set_bytes

ROOT = Path(__file__).parents[2]
FEW, MANY = 1, 5
UNREAD = 0
"""Label of a count that is not used."""
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


def command(jobs: Sequence[Job], folder: Path, *how: object) -> list[str]:
    """What runs these jobs from ROOT, told of in a file in `folder`."""
    file = folder / "jobs.json"
    file.write_bytes(msgspec.json.encode(jobs))
    return [sys.executable, "-m", "bench.verify.counted_steps", str(file), *map(str, how)]


def count(jobs: Sequence[Job], requests: ctypes.CDLL, outcomes: Path, at_once: int) -> None:
    """Count each job in a fork of this process, so many at once; None is its outcome, or why it has no count.

    A fork has imported what takes the simulator as long as counting ten jobs. One that dies takes no other along.
    """
    for job in jobs:
        with suppress(Exception):  # its fork meets it again, and says so
            implementations.load(job.implementation).unavailable(job.case)
    running: dict[int, int] = {}
    with outcomes.open("a", encoding="utf-8") as file:

        def note(number: int, reason: str | None) -> None:
            print(json.dumps([number, reason]), file=file, flush=True)

        def await_one() -> None:
            process, status = os.wait()
            if (number := running.pop(process, None)) is None:
                return  # of a library, not ours
            code = os.waitstatus_to_exitcode(status)
            if code == -signal.SIGALRM:
                note(number, f"it took longer than {SECONDS_PER_JOB} s under valgrind")
            elif code:
                note(number, f"it ended with {interrupts.ended(code)} under valgrind")

        for number, job in enumerate(jobs):
            while len(running) == at_once:
                await_one()
            try:
                process = os.fork()
            except OSError as error:
                note(number, f"it has no process: {error.strerror}")
                continue
            if process:
                running[process] = number
                continue
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SECONDS_PER_JOB)
            code = 1
            try:
                note(number, _counted(requests, number, job))
                code = 0
            finally:
                os._exit(code)
        while running:
            await_one()


def _counted(requests: ctypes.CDLL, number: int, job: Job) -> str | None:
    try:
        with torch.inference_mode(job.case.phase == "step"):
            _count(requests, number, _calls(job))
    except Exception as error:  # noqa: BLE001 - whatever an implementation raises is why it is not counted
        reason = str(error) or type(error).__name__
        return reason.strip().split("\n", 1)[0][:300]
    return None


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


def profile(job: Job, steps: int) -> None:
    """On a GPU: a whole rotation, then `steps` steps that ncu looks at."""
    with torch.inference_mode(job.case.phase == "step"):
        calls = _calls(job)
        for call in calls:
            call()
        torch.cuda.synchronize()
        torch.cuda.profiler.start()
        for number in range(steps):
            calls[number % len(calls)]()
        torch.cuda.synchronize()
        torch.cuda.profiler.stop()


def _calls(job: Job) -> list[Callable[[], object]]:
    """Steps over all sets of weights and all sets of inputs in rotation, as a point is measured."""
    case, count = job.case, job.sets
    implementation = implementations.load(job.implementation)
    reason = implementation.unavailable(case)
    if reason:
        raise Unavailable(reason)
    layout = implementation.layout(case)
    arena = Arena(count * set_bytes(layout, case.dtype), case.device, seed=0)
    sets = arena.sets(layout, case.dtype, count)
    inputs = draw(case, torch.Generator(device=case.device).manual_seed(0))
    bind = implementation.prepare(case, sets, inputs)
    # a rotation of the weights is enough here: the inputs are small beside them
    length = lcm(count, len(inputs)) if count < len(inputs) else count
    return [bind(j % count, j % len(inputs)) for j in range(length)]


if __name__ == "__main__":
    told, how, *more = sys.argv[1:]
    given = msgspec.json.decode(Path(told).read_bytes(), type=list[Job])
    torch.set_num_threads(1)
    clock.quieten()
    if more:
        count(given, ctypes.CDLL(how), Path(more[0]), int(more[1]))
    else:
        profile(given[0], int(how))
