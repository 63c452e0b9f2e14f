"""What each method of measuring changed: said wherever profiles of two methods meet, or an old one is read. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.profile import records
from bench.profile.records import Profile, RunWarning

if TYPE_CHECKING:
    from reports.compare.system import Subject

CHANGES = {
    2: (
        "the read curve goes on until it is flat, where it ended at a few times the reported cache",
        "so what method 1 calls memory may be a cache, and weights that it streamed may have come from there",
        "write, copy and triad roofs have more variants, and the write roof is sampled beside points that write much",
    ),
}
"""By method, what it does otherwise than the one before."""


def changed(since: int, until: int) -> tuple[str, ...]:
    """What methods after `since` changed, up to `until`."""
    return tuple(
        change
        for number, changes in CHANGES.items()
        if since < number <= until
        for change in changes
    )


def older(profile: Profile) -> tuple[RunWarning, ...]:
    """A warning on a profile that an older method measured."""
    changes = changed(profile.method, records.METHOD)
    if not changes:
        return ()
    message = (
        f"measured by method {profile.method}; since method {records.METHOD} {'; '.join(changes)}"
    )
    return (RunWarning("older method", "run", message, "measure again with this version"),)


def apart(subjects: Sequence[Subject]) -> list[str]:
    """A sentence where measured subjects are of unlike methods: what changed between them."""
    known = sorted({one.method for one in subjects if one.measured})
    changes = changed(known[0], known[-1]) if known else ()
    if len(known) < 2:
        return []
    between = f"Methods {' and '.join(map(str, known))} are compared; what changed between them: "
    return [f"{between}{'; '.join(changes) or 'not known here'}."]
