"""Bytes that ncu counts of the fused step, streamed, against those that the cost model charges.

    python -m tests.card.counted FOLDER     1 where one is more than 3 % apart; ncu's own table goes to `ncu.csv`

With one set of weights, 4 to 5 times the second-level cache, a part of it may still lie there; so also with three.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.verify import byte_check, ncu, programs
from bench.verify.counted_steps import Job
from kernels import cost
from kernels.case import Case

MOST_APART = 0.03
WORDS = {"dtype": "bfloat16", "activations": "bfloat16", "device": "cuda", "threads": 0}
STEPS = ((1, 3), (8, 3), (1, 1))
"""Batch and sets of weights of an LSTM step of 4096 units."""


def jobs(last_level):
    """What is counted, the most telling first."""
    return [
        Job(
            Case("lstm", 4096, 4096, batch, residency="streamed", **WORDS),
            "triton_fused",
            sets,
            last_level,
        )
        for batch, sets in STEPS
    ]


def keeping(path):
    """A function that runs a program as `programs.run` does, and adds what it prints to the file at `path`."""
    run = programs.run

    def kept(command, timeout, **more):
        done = run(command, timeout, **more)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"# {' '.join(command[:9])}\n{done.stdout}{done.stderr[-2000:]}\n")
        return done

    return kept


def main(folder):
    """Count and print."""
    if reason := ncu.missing():
        print(f"no bytes are counted: {reason}")
        return 1
    import torch

    programs.run = keeping(Path(folder) / "ncu.csv")
    wrong = 0
    for found in ncu.count(jobs(torch.cuda.get_device_properties(0).L2_cache_size)):
        case, share = found.job.case, byte_check.ratio(found)
        told = f"lstm 4096 bfloat16, batch {case.batch}, {found.job.sets} sets of weights"
        if share is None:
            print(f"{told}: {found.reason}", flush=True)
            wrong += 1
            continue
        read = cost.count(case).bytes_read
        print(
            f"{told}: {share:.4f} of {read} bytes read, {found.written} written; {found.tool}",
            flush=True,
        )
        wrong += found.job.sets > 1 and abs(share - 1) > MOST_APART
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
