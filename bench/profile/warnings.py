"""How much a warning weighs, by its code: those that a run stores and those that only reading reveals.

What observes a warning writes its message and advice; its severity is looked up here, in files of older versions too.
A code that is not listed is a warning.
"""

from typing import Literal

Severity = Literal["error", "warning", "note"]
"""error: a figure is wrong or missing. warning: figures hold with a reservation. note: nothing to mend."""

SEVERITIES: dict[Severity, tuple[str, ...]] = {
    "error": (
        "above the bus",
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
    "note": ("cpu only", "launch bound", "older method", "skipped", "small weights"),
}


def severity(code: str) -> Severity:
    """How much a code weighs: what the table says, else a warning."""
    return next((one for one, codes in SEVERITIES.items() if code in codes), "warning")
