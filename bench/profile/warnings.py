"""Every code of a warning, and how much it weighs: those that a run stores and those that only reading reveals.

What observes a warning writes its message and advice; its severity is looked up here, in files of older versions too.
"""

from __future__ import annotations

from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: a figure is wrong or missing. warning: figures hold with a reservation. note: nothing to mend."""

SEVERITIES: dict[Severity, tuple[str, ...]] = {
    "error": (
        "gpu lost",
        "impossible",
        "incomplete",
        "memory not reached",
        "memory unsure",
        "missing case",
        "not looked at",
        "not streamed for sure",
        "roof left out",
        "swap",
        "unequal versions",
    ),
    "warning": (
        "another measurement",
        "battery",
        "caches unknown",
        "clock changed",
        "clock governor",
        "cpu quota",
        "drift",
        "fewer threads",
        "gpu",
        "gpu in use",
        "gpu unwatched",
        "hot",
        "kinds of cores",
        "level disagrees",
        "level unclear",
        "little memory",
        "load",
        "moving roof",
        "no verdict",
        "noisy",
        "page sizes differ",
        "short sample",
        "slow parallel calls",
        "small pages",
        "threads not bound",
        "throttled",
        "virtual machine",
    ),
    "note": ("cpu only", "launch bound", "older method", "skipped", "small weights"),
}
SEVERITY: dict[str, Severity] = {
    code: severity for severity, codes in SEVERITIES.items() for code in codes
}


def severity(code: str) -> Severity:
    """How much a code weighs; one that this version does not know is a warning."""
    return SEVERITY.get(code, "warning")
