"""Bytes counted, not modelled: real steps under valgrind's cache simulation (METHODOLOGY.md, counted bytes).

Callgrind simulates a first and a last cache level and counts the lines that a data read did not find in the last one.
The same program runs 1 step and 5 steps; the difference, times 64 bytes, over 4, is what a step must fetch from beyond
that last level. The simulator counts alike every time; it knows AVX2, no AVX-512, and one thread is enough.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from bench.device import threads
from bench.verify.counted_steps import FEW, MANY, SECONDS_PER_JOB
from kernels.case import Case, Unavailable

ROOT = Path(__file__).parents[2]
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


class Children:
    """The processes that count. They end with their parent's interest in them, and no more begin then."""

    def __init__(self) -> None:
        self.ended = False
        self._lock = Lock()
        self._running: set[subprocess.Popen[str]] = set()

    def run(self, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Its exit code, negative for a signal, and what it said on standard error."""
        with self._lock:
            if self.ended:
                return -signal.SIGKILL, ""
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            self._running.add(process)
        _, said = process.communicate()
        with self._lock:
            self._running.remove(process)
        return process.returncode, said

    def end(self) -> None:
        """Kill those at work."""
        with self._lock:
            self.ended = True
            for process in self._running:
                process.kill()


def missing() -> str | None:
    """Why nothing can be counted here, in one line, or None."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"counting needs valgrind on x86-64 Linux, and this is {platform.system()} on {platform.machine()}"
    if shutil.which("valgrind") is None:
        return "no valgrind: install it (Debian and Ubuntu: the package valgrind) to count bytes"
    return None


def tool() -> str:
    """Name and version of what counts."""
    told = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=False)
    return told.stdout.strip().replace("valgrind-", "callgrind ") or "callgrind"


def count(wanted: Sequence[Job]) -> Iterator[Count]:
    """Every job's count, those of one last level after the other's. Raises Unavailable where nothing can be counted.

    A process counts for one last level; several count at once, for no time is measured.
    """
    reason = missing()
    if reason:
        raise Unavailable(reason)
    name, children = tool(), Children()
    shares = [share for some in _by_level(wanted) for share in _shares(some, threads.available())]
    with TemporaryDirectory() as folder, ThreadPoolExecutor(threads.available()) as pool:
        try:
            for found in pool.map(
                lambda each: _counts(each[1], Path(folder) / str(each[0]), name, children),
                enumerate(shares),
            ):
                yield from found
        finally:
            children.end()


def _by_level(wanted: Sequence[Job]) -> list[list[Job]]:
    found: dict[int, list[Job]] = {}
    for job in sorted(wanted, key=lambda job: job.last_level_bytes):
        found.setdefault(job.last_level_bytes, []).append(job)
    return list(found.values())


def _shares(some: list[Job], processes: int) -> list[list[Job]]:
    """In so many parts at most, but few jobs in one: a process takes long to begin."""
    each = max(LEAST_JOBS, ceil(len(some) / processes))
    return [some[first : first + each] for first in range(0, len(some), each)]


def _counts(some: list[Job], folder: Path, name: str, children: Children) -> list[Count]:
    """Counts of all of these, by as many processes as it takes, unless no more may begin."""
    found: list[Count] = []
    while some and not children.ended:
        place = folder / str(len(some))
        place.mkdir(parents=True)
        done = _counted(some, place, name, children)
        found += done
        some = some[len(done) :]
        last = done[-1]
        if last.died:  # it would again, and every time costs an import under the simulator
            same = [job for job in some if job.implementation == last.job.implementation]
            reason = f"not tried, because {NOT_TRIED_AFTER}: {last.reason}"
            found += [replace(last, job=job, reason=reason) for job in same]
            some = [job for job in some if job not in same]
    return found


def _counted(some: Sequence[Job], folder: Path, name: str, children: Children) -> list[Count]:
    """Counts of the first of `some`: all, or as far as the process came, its last one the one that ended it."""
    given = [
        {"case": job.case.to_dict(), "implementation": job.implementation, "sets": job.sets}
        for job in some
    ]
    (folder / "jobs.json").write_text(json.dumps(given), encoding="utf-8")
    child = [sys.executable, "-m", "bench.verify.counted_steps", str(folder / "jobs.json")]
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
    for prefix, progress in (((), "plain"), (("valgrind", *options), "counted")):
        ended = _run([*prefix, *child, str(folder / progress)], children)
    found = {}
    for path in folder.glob("callgrind.*"):
        label, totals = _totals(path.read_text(encoding="utf-8"))
        if label:
            found[label] = totals
    told = _progress(folder / "counted")
    if not told:
        return [Count(job, name, reason=ended) for job in some]  # it did not even come to the first
    counts = []
    for number, job in enumerate(some[: len(told)]):
        reason = told[number] if told[number] != "begun" else ended
        one, many = found.get(f"{number} {FEW}"), found.get(f"{number} {MANY}")
        if reason is None and one and many:
            read, written = difference(one, many)
            counts.append(Count(job, name, read, written))
        else:
            died = told[number] == "begun"
            counts.append(Count(job, name, reason=reason or "callgrind wrote no counts", died=died))
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


def _run(command: list[str], children: Children) -> str:
    """Run it to its end; how it ended, should that be the reason of anything."""
    kept = {name: value for name, value in os.environ.items() if name not in BINDING}
    cache = os.environ.get("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba"))
    code, said = children.run(command, {**kept, **ENVIRONMENT, "NUMBA_CACHE_DIR": f"{cache}-avx2"})
    if code == -signal.SIGALRM:
        return f"it took longer than {SECONDS_PER_JOB} s under valgrind"
    if code < 0:
        return f"it ended with {signal.Signals(-code).name} under valgrind"
    lines = said.strip().splitlines()
    return f"it ended with exit code {code}: {lines[-1][:200] if lines else 'nothing said'}"


def _progress(path: Path) -> list[str | None]:
    """Per job begun: None where it ended well, its reason where not, `begun` where the process ended within it."""
    found: dict[int, Any] = {}
    if path.exists():
        for text in path.read_text(encoding="utf-8").splitlines():
            entry = json.loads(text)
            if "begin" in entry:
                found[entry["begin"]] = "begun"
            else:
                found[entry["end"]] = entry["reason"]
    return [found[number] for number in sorted(found)]
