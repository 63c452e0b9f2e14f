"""Which nodes are measured again: those that a report calls slow, each beside a node of its class that is not."""

import csv
import io
from collections.abc import Collection
from pathlib import Path

from bench.profile import reader

FILE = "fleet.csv"
"""Of the report; columns `node`, `verdict` and `control` are read."""
SLOW = "slow"
LARGEST_FILE_BYTES = 32 << 20


def named(folder: Path, known: Collection[str]) -> list[str]:
    """Suspects and their controls, each once, as the report in a folder names them. Raises BadFile."""
    rows = csv.DictReader(io.StringIO(reader.text(folder / FILE, LARGEST_FILE_BYTES), newline=""))
    found: dict[str, None] = {}
    for row in rows:
        if row.get("verdict") == SLOW:
            for column in ("node", "control"):
                given = row.get(column) or ""
                # an apostrophe keeps a spreadsheet from running a name
                for name in (given, given.removeprefix("'")):
                    if name in known:
                        found[name] = None
    return list(found)
