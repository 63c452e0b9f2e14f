"""`python -m tests.card SECONDS FOLDER`: every step that can end in so many seconds, everything into one folder."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from tests.card import answers, plan, steps

USAGE = "usage: python -m tests.card SECONDS FOLDER"


def main(given):
    """0 where every step was run and came out right, 1 where not, 2 for bad usage and where there is no GPU."""
    if len(given) != 2 or not given[0].isdecimal() or not given[1]:
        print(USAGE, file=sys.stderr)
        return 2
    until, folder = monotonic() + int(given[0]), Path(given[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch:
        asked, *rest = plan.steps(folder, Path(scratch))
        done = steps.run([asked], until, folder, Path(scratch))
        if reason := answers.no_card(folder):
            print(f"no card to check: {reason}", file=sys.stderr)
            return 2
        done += steps.run(rest, until, folder, Path(scratch))
    for one in done:
        print(f"{one.name:10} {one.told:20} {one.seconds:5.0f} s")
    print(f"in {folder}: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return int(any(one.code != 0 for one in done))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
