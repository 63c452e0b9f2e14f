"""Facts that may be open: True, False, or None where an interval or a missing point leaves them so. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bench.profile.stats import Estimate


def at_least(value: Estimate, threshold: float) -> bool | None:
    """Whether an interval lies wholly at or above a threshold, or wholly below it."""
    if value.low >= threshold:
        return True
    return False if value.high < threshold else None


def negated(found: bool | None) -> bool | None:
    """The opposite; what is open stays open."""
    return None if found is None else not found


def all_of(found: Sequence[bool | None]) -> bool | None:
    """Whether every one holds: one that fails decides, else one that is open leaves it open."""
    if False in found:
        return False
    return None if None in found else True


def weighed(found: Sequence[bool | None]) -> bool | None:
    """What independent evidence says together: what speaks against wins, and what is open is no evidence."""
    if False in found:
        return False
    return True if True in found else None


def run(states: dict[int, bool | None]) -> tuple[bool | None, int | None]:
    """Of facts by batch: what holds at the smallest, and the last batch of an unbroken run of holding ones from there.

    The last is None where the run takes in all of them, or where there is none.
    """
    ordered = sorted(states)
    first = states[ordered[0]] if ordered else None
    if not first:
        return first, None
    held = next((i for i, batch in enumerate(ordered) if not states[batch]), len(ordered))
    return True, None if held == len(ordered) else ordered[held - 1]
