"""`python -m tests.statistics [PART OF A NAME] [--trials N]`: simulate the promises in full and keep their figures."""

from __future__ import annotations

import argparse
import json
import sys
from time import perf_counter

from tests.statistics import promises


def main() -> int:
    """0 where every promise is within its bounds, else 1. Figures of another number of trials are not kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.statistics", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="of the names of the promises")
    parser.add_argument("--trials", type=int, help="in place of each promise's own number")
    given = parser.parse_args()
    known = promises.published() if promises.FIGURES.exists() else {}
    broken = 0
    for one in promises.every():
        if given.part not in one.name:
            continue
        began, trials = perf_counter(), given.trials or one.trials
        figure = one.figure(trials)
        kept = one.least <= figure <= one.most
        broken += not kept
        took = perf_counter() - began
        print(
            f"{'kept  ' if kept else 'BROKEN'} {figure:8.3g}  {one.name} ({trials:,} trials, {took:.0f} s)",
            flush=True,
        )
        if trials == one.trials:
            known[one.name] = {"figure": round(figure, 4), "trials": trials}
    names = [one.name for one in promises.every()]
    known = {name: known[name] for name in names if name in known}
    promises.FIGURES.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
