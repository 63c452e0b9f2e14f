"""`python -m tests.long_run 10000 2000`: a journal of so many points, and the memory of a run of so many."""

from __future__ import annotations

import argparse
import sys
from time import perf_counter

from bench.device import threads


def main() -> int:
    """Print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.long_run")
    parser.add_argument("journal", type=int, help="points written")
    parser.add_argument("measured", type=int, help="tiny points measured")
    given = parser.parse_args()
    threads.settle()
    from tests import long_run

    for points in (given.journal // 10, given.journal):
        seen = long_run.written(points)
        print(
            f"{points} points: append {seen.append * 1e3:.2f} ms (one in a hundred {seen.slow_append * 1e3:.2f}), "
            f"assemble {seen.assemble:.2f} s, write {seen.write:.2f} s, load {seen.load:.2f} s, "
            f"journal {seen.journal_bytes / 1e6:.1f} MB",
            flush=True,
        )
    start = perf_counter()
    for done, resident in long_run.resident(given.measured, max(1, given.measured // 10)):
        print(f"{done} points: {resident >> 20} MiB, {perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
