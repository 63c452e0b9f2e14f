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
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.device import threads
from bench.timing import interrupts
from bench.verify import counted_steps, programs
from bench.verify.counted_steps import FEW, MANY, ROOT, Count, Job
from kernels.case import Unavailable

REQUESTS = Path(__file__).with_name("callgrind_requests.c")
LINE_BYTES = 64
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

    Several are counted at once, for no time is measured.
    """
    reason = missing()
    if reason:
        raise Unavailable(reason)
    version = programs.run(["valgrind", "--version"], timeout=60).stdout.strip()
    tool = version.replace("valgrind-", "callgrind ") or "callgrind"
    level = attrgetter("last_level_bytes")
    for _, same in groupby(sorted(wanted, key=level), key=level):
        with TemporaryDirectory() as folder:
            yield from _counted(list(same), Path(folder), tool)


def _counted(jobs: Sequence[Job], folder: Path, tool: str) -> list[Count]:
    """Counts of jobs of one last level, with all their files in `folder`."""
    options = (
        "--tool=callgrind",
        "--quiet",
        "--vgdb=no",
        "--instr-atstart=no",
        "--cache-sim=yes",
        "--simulate-wb=yes",
        *CACHES,
        f"--LL={jobs[0].last_level_bytes},16,{LINE_BYTES}",
        f"--callgrind-out-file={folder / 'callgrind.%p'}",
    )
    requests = programs.compiled(REQUESTS, folder)
    # once without, so that what an implementation compiles comes from its cache under the simulator
    for prefix, file in ((), "plain"), (("valgrind", *options), "counted"):
        how = requests, folder / file, threads.available()
        ended = _run([*prefix, *counted_steps.command(jobs, folder, *how)])
    totals = dict(_totals(path.read_text(encoding="utf-8")) for path in folder.glob("callgrind.*"))
    lines = folder / "counted"
    outcomes = dict(
        map(json.loads, lines.read_text("utf-8").splitlines() if lines.exists() else ())
    )
    counts = []
    for number, job in enumerate(jobs):
        reason = outcomes.get(number, ended)
        one, many = totals.get(f"{number} {FEW}"), totals.get(f"{number} {MANY}")
        if reason is None and one and many:
            counts.append(Count(job, tool, *difference(one, many)))
        else:
            counts.append(Count(job, tool, reason=reason or "callgrind wrote no counts"))
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


def _run(command: list[str]) -> str:
    """Run it and all that it forks to their end, or until this process is interrupted; how it ended."""
    kept = {name: value for name, value in os.environ.items() if name not in BINDING}
    cache = os.environ.get("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba"))
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**kept, **ENVIRONMENT, "NUMBA_CACHE_DIR": f"{cache}-avx2"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return f"it ended with {interrupts.ended(process.returncode)}: {programs.line(said, -1)}"
