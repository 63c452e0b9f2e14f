"""Try cases and print a line for each: `python -m tests.guests [NAME...]`, a name with * for several."""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path

from tests import guests
from tests.guests.cases import CASES


def main() -> int:
    """Exit code 1 where one ended otherwise than expected."""
    parser = argparse.ArgumentParser(prog="python -m tests.guests", description=__doc__)
    parser.add_argument("names", nargs="*", default=["*"], metavar="NAME")
    parser.add_argument("--of", type=Path, default=guests.ROOT, help="another checkout")
    given = parser.parse_args()
    chosen = [
        case
        for case in chain.from_iterable(CASES.values())
        if any(fnmatchcase(case.name, name) for name in given.names)
    ]
    wrong = guests.every(chosen, given.of.resolve(), sys.executable)
    sys.stdout.write(f"{len(chosen)} cases, {wrong} otherwise than expected\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
