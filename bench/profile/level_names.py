"""What a level of memory is called, wherever it is measured, read or drawn.

A cache by the system's number for it, one that the system does not report by its place on the read curve, and the last
level by whether the curve came to its end.
"""

from collections.abc import Sequence
from math import log

MEMORY = "DRAM"
LARGEST_SET = "largest set"
"""The last level where the read curve still fell at its end."""


def cache(level: int | None) -> str:
    """One that the system reports, by its number."""
    return f"L{level}"


def of_plateaus(
    ends: Sequence[int], caches: Sequence[tuple[int, int]], last: str = MEMORY
) -> list[str]:
    """Names for plateaus that end at so many bytes: each takes the reported cache nearest in size to its end.

    `last` is the last one's. `caches` are (level, bytes of all instances). Plateaus for which no cache is left are
    called after their number.
    """
    names, free = [], sorted(caches)
    for number, end in enumerate(ends[:-1], 1):
        still_to_name = len(ends) - 1 - number
        choice = free[: max(1, len(free) - still_to_name)]
        if choice:
            level, _size = min(choice, key=lambda one: abs(log(one[1] / end)))
            free = [one for one in free if one[0] > level]
            names.append(cache(level))
        else:
            names.append(f"cache {number}")
    return [*names, last]
