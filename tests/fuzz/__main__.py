"""`python -m tests.fuzz 10000`: so many spoilt files over all readers; exit 1 where one does harm."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import monotonic

from tests.fuzz import campaign, targets


def main() -> int:
    """0 where every file got a good answer or one clear line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("files", type=int, help="how many, over all readers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers whose name holds this")
    parser.add_argument("--keep", type=Path, help="folder for the files that do harm")
    given = parser.parse_args()
    chosen = [one for one in targets.all_of_them() if given.only in one.name]
    shares = sum(1 / one.one_in for one in chosen)
    began = monotonic()
    found = {one.name: campaign.run(one, round(given.files / shares), given.seed) for one in chosen}
    print("\n".join(campaign.table(found)))
    harm = [(name, *item) for name, count in found.items() for item in count.findings.items()]
    if given.keep and harm:
        given.keep.mkdir(parents=True, exist_ok=True)
        for number, (_, _, raw) in enumerate(harm):
            (given.keep / str(number)).write_bytes(raw)
    total = sum(count.examples for count in found.values())
    print(
        f"{total} files, {len(harm)} findings, {monotonic() - began:.0f} s, "
        f"peak {campaign.peak_bytes() >> 20} MiB"
    )
    return 1 if harm else 0


if __name__ == "__main__":
    sys.exit(main())
