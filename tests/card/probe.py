"""Our memory probes beside those of `probe.cu`, which share no line with them.

    python -m tests.card.probe build BINARY
    python -m tests.card.probe run BINARY FOLDER     1 where ours read, memory or cache, is less than .98 of theirs

What the independent ones measured goes to `probe.jsonl`, ours added.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("probe.cu")
LEAST_SHARE = 0.98
HELD = ("read",)
SECONDS = 17
SIZES = {"read": (4096, 1024, 24, 16), "write": (4096, 24), "copy": (4096, 24), "triad": (4096, 24)}
"""MiB of working sets over which ours run, too."""
KEPT_CLOSE = ("ld ", "ld.evict_first ")
"""Variants whose loads leave lines in the first-level caches: those of an H100 hold 33 MiB together, so that 16 were
read at 32 TB/s. Of what a cache may hold they do not count."""
FROM_MEMORY = 1024
"""MiB from which on they count."""


def command(binary, architecture="sm_90"):
    """What builds the independent probes."""
    return ("nvcc", "-O3", "-std=c++17", f"-arch={architecture}", "-o", str(binary), str(SOURCE))


def build(binary):
    """0 where it was built."""
    if shutil.which("nvcc") is None:
        print("no independent probes: no nvcc on the PATH")
        return 1
    return subprocess.run(command(binary), check=False).returncode


def best_of_theirs(text):
    """{(kind, MiB): (bytes a second, variant)} of the probes' lines, of right answers alone; the best by its median."""
    best = {}
    for line in text.splitlines():
        if not line.startswith('{"kind"') or not line.endswith("}"):
            continue  # the table at the end, or a line that was cut
        one = json.loads(line)
        key = one["kind"], one["megabytes"]
        if key[0] == "read" and key[1] < FROM_MEMORY and one["variant"].startswith(KEPT_CLOSE):
            continue
        if one["right"] and one["median"] > best.get(key, (0.0, ""))[0]:
            best[key] = one["median"], one["variant"]
    return best


def best_of_ours(kinds_and_sizes):
    """The same of ours."""
    import torch

    from bench.device import cuda_sweep
    from bench.roofs import load

    free, _ = torch.cuda.mem_get_info()
    largest = min(free // 2, max(size for _, size in kinds_and_sizes) << 20)
    words = torch.empty(largest // 4, dtype=torch.int32, device="cuda")
    words.random_().bitwise_and_(0x00FFFFFF).bitwise_or_(0x3C000000)  # floats of 2**-7 to 2**-5
    processors = torch.cuda.get_device_properties(0).multi_processor_count
    best = {}
    for kind, size in kinds_and_sizes:
        if size << 20 > 4 * words.numel():
            continue
        found = cuda_sweep.memory(load("cuda", kind), words, [size << 20], processors, lambda: ())
        rates = {
            roof.implementation: sorted(roof.samples)[len(roof.samples) // 2] for roof in found
        }
        best[kind, size] = max((rate, name) for name, rate in rates.items())
    return best


def told(ours, theirs):
    """A line for each kind and size of both, and whether any that is held to it falls short."""
    lines, short = [], False
    for (kind, size), (rate, variant) in ours.items():
        if (kind, size) not in theirs:
            continue
        other, name = theirs[kind, size]
        below = kind in HELD and rate < LEAST_SHARE * other
        short |= below
        lines.append(
            f"{kind} {size} MiB: ours {rate / 1e12:.3f} TB/s ({variant}), theirs {other / 1e12:.3f} ({name}): "
            f"{rate / other:.4f}{', too little' if below else ''}"
        )
    return lines, short


def run(binary, folder):
    """0 where ours are as fast as theirs."""
    from bench.machine import gpus

    if reason := gpus.no_cuda_reason():
        print(f"no probes: {reason}")
        return 1
    path = Path(folder) / "probe.jsonl"
    with path.open("w", encoding="utf-8") as file:  # what was measured stays, whatever ends this
        done = subprocess.run(
            [binary, str(SECONDS)], stdout=file, stderr=subprocess.PIPE, text=True, check=False
        )
    theirs = best_of_theirs(path.read_text(encoding="utf-8"))
    if done.returncode or not theirs:
        print(
            f"the independent probes ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}"
        )
    ours = best_of_ours([(kind, size) for kind, each in SIZES.items() for size in each])
    with path.open("a", encoding="utf-8") as file:
        for (kind, size), (rate, name) in ours.items():
            file.write(
                json.dumps({"ours": kind, "megabytes": size, "median": rate, "variant": name})
                + "\n"
            )
    lines, short = told(ours, theirs)
    print(*lines, sep="\n")
    return int(bool(short or done.returncode or not theirs))


if __name__ == "__main__":
    verb, *given = sys.argv[1:]
    sys.exit({"build": build, "run": run}[verb](*given))
