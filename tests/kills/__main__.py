"""Kill runs and resume them.

    python -m tests.kills 200
    python -m tests.kills 20 --signal TERM
    python -m tests.kills 5 --suite FILE --cheap

`--cheap` gives each run made-up roofs and no report, so that most of its time is points and writing.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests import kills


def main() -> int:
    """Kill so many runs. Returns 1 if one of them lost anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("times", type=int)
    parser.add_argument("--suite", default="smoke")
    parser.add_argument("--signal", default="KILL", choices=("KILL", "TERM", "INT", "HUP"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cheap", action="store_true", help="made-up roofs, no report")
    given = parser.parse_args()
    kills.prepare()

    chance, number = random.Random(given.seed), signal.Signals[f"SIG{given.signal}"]
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole"
        began = time.monotonic()
        code = kills.end(
            kills.begin(
                [f"--suite={given.suite}", f"--out={whole}"],
                Path(folder) / "log.txt",
                cheap=given.cheap,
            )
        )
        lasts = time.monotonic() - began
        print(f"an undisturbed run takes {lasts:.1f} s and exits {code}", flush=True)
        bad = code != 0
        if bad:
            print(kills.tail(Path(folder) / "log.txt"), file=sys.stderr)
        for turn in range(given.times if code == 0 else 0):
            one = Path(folder) / str(turn)
            one.mkdir()
            after = chance.uniform(0.0, lasts)
            wrong, left = kills.once(one, given.suite, after, number, cheap=given.cheap)
            bad |= bool(wrong)
            told = wrong or f"{left} points were there, and all are at the end, each once"
            print(f"{turn + 1}: {number.name} after {after:.2f} s: {told}", flush=True)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
