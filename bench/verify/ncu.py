"""Bytes counted on a GPU: Nsight Compute's counters of real steps, where it is installed and may read them.

`ncu` runs the same program (bench/verify/counted_steps.py) once with 1 and once with 5 steps between
cudaProfilerStart and Stop; the difference over 4 is a step. dram__bytes_read.sum and dram__bytes_write.sum are bytes
to and from the device's memory, lts__t_bytes.sum those through its second-level cache. Caches and clocks are left as
they are: what a rotation leaves in the second level must be there.

On an H200 a streamed step of an LSTM of 4096 read 1.0025 of the modelled bytes; no other case was reached.
"""

import csv
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from bench.verify import counted_steps, programs
from bench.verify.counted_steps import FEW, MANY, ROOT, Count, Job
from kernels.case import Unavailable

READ, WRITTEN, L2 = "dram__bytes_read.sum", "dram__bytes_write.sum", "lts__t_bytes.sum"
SCALES = {"byte": 1, "kbyte": 10**3, "mbyte": 10**6, "gbyte": 10**9}
SECONDS = 600


def missing() -> str | None:
    """Why nothing can be counted here, or None; whether the driver lets ncu read is known when it is run."""
    if not torch.cuda.is_available():
        return "no CUDA device"
    if shutil.which("ncu") is None:
        return "no ncu: install NVIDIA Nsight Compute to count a GPU's bytes"
    return None


def count(jobs: Sequence[Job]) -> Iterator[Count]:
    """Every job's count, or the reason why it has none."""
    for job in jobs:
        try:
            one, many = (_sums_of(job, steps) for steps in (FEW, MANY))
        except Unavailable as reason:
            yield Count(job, "ncu", reason=str(reason))
            continue
        each = {name: max(0, round((many[name] - one[name]) / (MANY - FEW))) for name in one}
        tool = f"ncu, {each[L2]} bytes through the second-level cache"
        yield Count(job, tool, each[READ], each[WRITTEN])


def _sums_of(job: Job, steps: int) -> dict[str, float]:
    """Bytes of so many steps. Raises Unavailable where a run of ncu has no counts, in one line."""
    options = (
        "--csv",
        "--metrics",
        f"{READ},{WRITTEN},{L2}",
        "--cache-control=none",
        "--clock-control=none",
        "--profile-from-start=off",
        "--target-processes=all",
    )
    with TemporaryDirectory() as folder:
        child = counted_steps.command([job], Path(folder), steps)
        done = programs.run(["ncu", *options, *child], SECONDS, cwd=ROOT)
    said, found = done.stdout + done.stderr, sums(done.stdout)
    if "ERR_NVGPUCTRPERM" in said:
        raise Unavailable(
            "the driver keeps its counters to administrators (ERR_NVGPUCTRPERM): see NVIDIA's page of that name"
        )
    if done.returncode:
        raise Unavailable(f"ncu ended with exit code {done.returncode}: {programs.line(said, -1)}")
    if not found[READ]:
        raise Unavailable(f"ncu gave no {READ}: this GPU may not have it")
    return found


def sums(text: str) -> dict[str, float]:
    """Bytes over all kernels, by metric, from ncu's --csv output, which begins after what the program itself says."""
    found = dict.fromkeys((READ, WRITTEN, L2), 0.0)
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    for row in csv.DictReader(lines[start:]):
        name, unit = row.get("Metric Name"), (row.get("Metric Unit") or "").lower()
        if name in found and unit in SCALES:
            found[name] += float((row.get("Metric Value") or "0").replace(",", "")) * SCALES[unit]
    return found
