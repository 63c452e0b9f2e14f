"""Plant every error, one at a time, in a copy of the tree: `python -m tests.planted_errors [PART OF A FILE'S NAME]`."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import planted_errors


def main(wanted):
    """0 where every error is caught, 1 where one is missed, 2 where the tests fail without any."""
    errors = [error for error in planted_errors.all_of_them() if wanted in error.file]
    here = [error for error in errors if error.here]
    stale = [error for error in here if error.times != 1]
    for error in stale:
        print(f"no longer fits  {error.file}: {error.what}")
    caught = 0
    with TemporaryDirectory() as folder:
        planted_errors.copy_tree(Path(folder))
        tests = sorted({test for error in here for test in error.tests})
        if planted_errors.run_tests(folder, tests):
            print("the tests fail before any error is planted: mend them first", file=sys.stderr)
            return 2
        fitting = [error for error in here if error not in stale]
        for error in fitting:
            found = planted_errors.plant(Path(folder), error)
            caught += found
            print(f"{'caught' if found else 'MISSED'}  {error.file}: {error.what}", flush=True)
    print(
        f"{caught} of {len(fitting)} caught, {len(stale)} no longer fit, {len(errors) - len(here)} not here"
    )
    return 0 if caught == len(here) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
