"""Checks of the instrument as one table, the worst first. No measuring."""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.profile.stats import Estimate

GOOD, WRONG, UNCHECKED = "good", "WRONG", "-"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found and wanted there, and by which share it lies within that.

    A negative margin is wrong. Without one it was not checked, and `found` says why. `word` stands for "good".
    """

    part: str
    what: str
    found: str
    wanted: str = ""
    margin: float | None = None
    word: str = GOOD

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it, as far as was looked."""
        return self.margin is None or self.margin >= 0


def table(checks: Iterable[Check]) -> list[str]:
    """A line per check: the wrong ones, the others by how near they came to it, and what was not checked."""
    ordered = sorted(checks, key=lambda one: (one.margin is None, one.margin or 0.0))
    if not ordered:
        return []
    rows = [(_word(one), one.part, one.what, one.found, one.wanted) for one in ordered]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    widths[3] = max((len(one.found) for one in ordered if one.wanted), default=0)
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def within(value: float, low: float | None, high: float | None) -> float:
    """By which share a value lies within its bounds, of the nearest one; negative outside."""
    shares = [] if low is None else [value / low - 1]
    return min([*shares, *([] if high is None else [1 - value / high])])


def banded(
    part: str, what: str, found: Estimate, low: float, high: float | None = None, more: str = ""
) -> Check:
    """A check that a median lies in a band; without `high` it may be as much more as it likes. `more` is told of it."""
    wanted = f"{low:.2f} to {high:.2f}" if high else f"{low:.2f} or more"
    return Check(part, what, told(found) + more, wanted, within(found.median, low, high))


def told(estimate: Estimate) -> str:
    """An estimate in words."""
    return f"{estimate.median:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def _word(check: Check) -> str:
    if check.margin is None:
        return UNCHECKED
    return check.word if check.good else WRONG
