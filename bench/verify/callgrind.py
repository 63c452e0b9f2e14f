"""Bytes counted, not modelled: real steps under valgrind's cache simulation (METHODOLOGY.md, counted bytes).

Callgrind simulates a first and a last cache level and counts the lines that a data read did not find in the last one.
The same program runs 1 step and 5 steps; the difference, times 64 bytes, over 4, is what a step must fetch from beyond
that last level. The simulator counts alike every time; it knows AVX2, no AVX-512, and one thread is enough.
"""

import json
import os
import platform
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import groupby
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import NamedTuple

from bench.device import threads
from bench.verify import counted_steps, programs
from bench.verify.counted_steps import BEGUN, FEW, MANY, ROOT, SECONDS_PER_JOB, Count, Job
from kernels.case import Unavailable

REQUESTS = Path(__file__).with_name("callgrind_requests.c")
LINE_BYTES = 64
NOT_TRIED_AFTER = "another step by it ended the process"
LEAST_JOBS = 3
"""For a process of their own: importing under the simulator takes as long as counting ten."""
CACHES = ("--I1=32768,8,64", "--D1=32768,8,64")
ENVIRONMENT = {
    # every library to the instructions that the simulator knows, one thread, nothing random
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+avx2,+fma,+f16c,+bmi,+bmi2",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
BINDING = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")


STOP_SECONDS = 0.2
"""Between two looks whether whoever asked for a count has gone."""


class Tool(NamedTuple):
    """What the processes that count share: the tool's name, its requests, and whether all must end."""

    name: str
    requests: Path
    stopped: Event


def missing() -> str | None:
    """Why nothing can be counted here, in one line, or None."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"counting needs valgrind on x86-64 Linux, and this is {platform.system()} on {platform.machine()}"
    if shutil.which("valgrind") is None:
        return "no valgrind: install it (Debian and Ubuntu: the package valgrind) to count bytes"
    try:
        with TemporaryDirectory() as folder:
            programs.compiled(REQUESTS, Path(folder))
    except Unavailable as reason:
        return f"valgrind cannot be told when to count: {reason}"
    return None


def count(wanted: Sequence[Job]) -> Iterator[Count]:
    """Every job's count, those of one last level after the other's. Raises Unavailable where nothing can be counted.

    A process counts for one last level; several count at once, for no time is measured.
    """
    reason = missing()
    if reason:
        raise Unavailable(reason)
    version = programs.run(["valgrind", "--version"], timeout=60).stdout.strip()
    name = version.replace("valgrind-", "callgrind ") or "callgrind"
    with TemporaryDirectory() as folder, ThreadPoolExecutor(threads.available()) as pool:
        tool = Tool(name, programs.compiled(REQUESTS, Path(folder)), Event())
        shares = [
            (share, Path(folder) / str(number), tool)
            for number, share in enumerate(_shares(wanted, threads.available()))
        ]
        try:
            for found in pool.map(lambda each: _counts(*each), shares):
                yield from found
        finally:
            tool.stopped.set()


def _shares(wanted: Sequence[Job], processes: int) -> Iterator[list[Job]]:
    """The jobs of each last level in so many parts at most, but few jobs in one: a process takes long to begin."""

    def level(job: Job) -> int:
        return job.last_level_bytes

    for _, same in groupby(sorted(wanted, key=level), key=level):
        some = list(same)
        each = max(LEAST_JOBS, ceil(len(some) / processes))
        yield from (some[first : first + each] for first in range(0, len(some), each))


def _counts(some: list[Job], folder: Path, tool: Tool) -> list[Count]:
    """Counts of all of these, by as many processes as it takes, unless all must end."""
    found: list[Count] = []
    while some and not tool.stopped.is_set():
        place = folder / str(len(some))
        place.mkdir(parents=True)
        done = _counted(some, place, tool)
        found += done
        some = some[len(done) :]
        last = done[-1]
        if last.died:  # it would again, and every time costs an import under the simulator
            same = [job for job in some if job.implementation == last.job.implementation]
            reason = f"not tried, because {NOT_TRIED_AFTER}: {last.reason}"
            found += [replace(last, job=job, reason=reason) for job in same]
            some = [job for job in some if job not in same]
    return found


def _counted(some: Sequence[Job], folder: Path, tool: Tool) -> list[Count]:
    """Counts of the first of `some`: all, or as far as the process came, its last one the one that ended it."""
    options = (
        "--tool=callgrind",
        "--quiet",
        "--vgdb=no",
        "--instr-atstart=no",
        "--cache-sim=yes",
        "--simulate-wb=yes",
        *CACHES,
        f"--LL={some[0].last_level_bytes},16,{LINE_BYTES}",
        f"--callgrind-out-file={folder / 'callgrind'}",
    )
    # once without, so that what an implementation compiles comes from its cache under the simulator
    for prefix, progress in ((), "plain"), (("valgrind", *options), "counted"):
        command = counted_steps.command(some, folder, tool.requests, progress)
        ended = _run([*prefix, *command], tool.stopped)
    totals = dict(_totals(path.read_text(encoding="utf-8")) for path in folder.glob("callgrind.*"))
    states = _states(folder / "counted")
    if not states:
        return [Count(job, tool.name, reason=ended) for job in some]  # it did not come to the first
    counts = []
    for number, (job, state) in enumerate(zip(some, states, strict=False)):
        one, many = totals.get(f"{number} {FEW}"), totals.get(f"{number} {MANY}")
        if state is None and one and many:
            counts.append(Count(job, tool.name, *difference(one, many)))
        else:
            died = state == BEGUN
            reason = ended if died else state or "callgrind wrote no counts"
            counts.append(Count(job, tool.name, reason=reason, died=died))
    return counts


def difference(one: dict[str, int], many: dict[str, int]) -> tuple[int, int]:
    """Bytes a step read from beyond the last level and wrote back to there, from the totals of FEW and MANY steps.

    Read: DLmr, data reads that missed the last level. Written: ILdmr, DLdmr and DLdmw, misses that drove a changed
    line out of it.
    """
    read = many["DLmr"] - one["DLmr"]
    written = sum(many[event] - one[event] for event in ("ILdmr", "DLdmr", "DLdmw"))
    each = LINE_BYTES / (MANY - FEW)
    return max(0, round(read * each)), max(0, round(written * each))


def _totals(text: str) -> tuple[str | None, dict[str, int]]:
    """The label of a dump, and its events' totals; trailing zeros are not written."""
    label = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    events = re.search(r"^events: (.*)$", text, re.MULTILINE)
    totals = re.search(r"^(?:summary|totals): (.*)$", text, re.MULTILINE)
    if not (label and events and totals):
        return None, {}
    names, values = events[1].split(), [int(word) for word in totals[1].split()]
    values += [0] * (len(names) - len(values))
    return label[1].strip(), dict(zip(names, values, strict=True))


def _run(command: list[str], stopped: Event) -> str:
    """Run it to its end, or until all must end; how it ended, should that be the reason of anything."""
    kept = {name: value for name, value in os.environ.items() if name not in BINDING}
    cache = os.environ.get("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba"))
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**kept, **ENVIRONMENT, "NUMBA_CACHE_DIR": f"{cache}-avx2"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    said = None
    while said is None:
        try:
            _, said = process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if stopped.is_set():
                process.kill()
    code = process.returncode
    if code == -signal.SIGALRM:
        return f"it took longer than {SECONDS_PER_JOB} s under valgrind"
    if code < 0:
        return f"it ended with {signal.Signals(-code).name} under valgrind"
    return f"it ended with exit code {code}: {programs.line(said, -1)}"


def _states(progress: Path) -> list[str | None]:
    """Per job begun: None where it ended well, its reason where not, BEGUN where the process ended within it."""
    lines = progress.read_text(encoding="utf-8").splitlines() if progress.exists() else []
    return [state for _, state in sorted(dict(map(json.loads, lines)).items())]
