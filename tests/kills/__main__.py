"""Kill runs and resume them.

    python -m tests.kills 200
    python -m tests.kills 20 --signal TERM INT TWICE            # so many of each; TWICE is INT, and INT a moment later
    python -m tests.kills 200 --tally FILE --seconds 240        # so many seconds of it; again goes on, and adds up
    python -m tests.kills 5 --suite FILE --runs cheap

Runs are whole ones, or short ones (samples of half a millisecond), or cheap ones (made-up roofs and no report besides).
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests import kills

if TYPE_CHECKING:
    from collections.abc import Sequence


SLOWER = 1.05
"""A run is expected to take so much longer after every kill, until one is over before: others come and go."""


def main() -> int:
    """Kill so many runs. Returns 1 if one of them lost anything."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("times", type=int, help="kills, with those of the tally")
    parser.add_argument("--suite", default="smoke")
    parser.add_argument(
        "--signal", nargs="+", default=["KILL"], choices=("KILL", "TERM", "INT", "HUP", "TWICE")
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", default="whole", choices=kills.KINDS)
    parser.add_argument(
        "--tally", type=Path, help="file of a line for each kill, to which this adds"
    )
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="begin no other kill after so many"
    )
    given = parser.parse_args()
    began = time.monotonic()
    kills.prepare(given.suite)

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        tally = given.tally or folder / "tally.jsonl"
        if not tally.exists():
            (folder / "whole").mkdir()
            lasts, points = kills.undisturbed(folder / "whole", given.suite, kind=given.runs)
            print(f"an undisturbed run takes {lasts:.1f} s", flush=True)
            _add(tally, {"lasts": lasts, "points": points})
        head, *rest = lines = [json.loads(line) for line in tally.read_text().splitlines()]
        done = [line for line in rest if "signal" in line]
        turn, lasts = 0, lines[-1]["lasts"]
        chance = random.Random(f"{given.seed} {len(lines) - 1} {given.signal}")
        while time.monotonic() - began <= given.seconds:
            so_far = Counter(one["signal"] for one in done)
            name = min(given.signal, key=lambda one: so_far[one])
            if so_far[name] >= given.times:
                break
            turn += 1
            (folder / str(turn)).mkdir()
            after = chance.uniform(0.0, lasts)
            kill = kills.once(
                folder / str(turn), given.suite, head["points"], after, name, kind=given.runs
            )
            if isinstance(kill, float):
                lasts = kill  # it was over before
                _add(tally, {"lasts": lasts})
                continue
            lasts *= SLOWER
            done.append({"lasts": lasts, **asdict(kill)})
            _add(tally, done[-1])
            hit = (
                f"{kill.signal} after {after:.2f} s, during {kill.during}, {kill.left} points there"
            )
            print(f"{len(done)}: {hit}: {kill.wrong or 'nothing was lost'}", flush=True)
    print(_summed(done))
    return int(any(one["wrong"] for one in done))


def _add(tally: Path, line: dict[str, object]) -> None:
    with tally.open("a") as file:
        file.write(json.dumps(line) + "\n")


def _summed(done: Sequence[dict[str, object]]) -> str:
    """How many there were, what they hit, and how many of them lost something."""
    hit = ", ".join(
        f"{count} in {what}" for what, count in Counter(one["during"] for one in done).most_common()
    )
    bad = sum(bool(one["wrong"]) for one in done)
    return f"{len(done)} kills ({hit}): {bad} lost something"


if __name__ == "__main__":
    sys.exit(main())
