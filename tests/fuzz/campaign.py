"""So many mutated files for each reader, and what came of them."""

from __future__ import annotations

import resource
import signal
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.targets import Harm, Target, answer

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_SECONDS = 20
"""A file that takes longer to answer is a finding."""


class Hung(Exception):
    """No answer in time."""


@dataclass
class Count:
    """What came of one reader's files; `findings` holds the first file of each kind of harm, by where it was done."""

    taken: int = 0
    refused: int = 0
    harmful: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    findings: dict[str, bytes] = field(default_factory=dict)

    @property
    def examples(self) -> int:
        """Files read."""
        return self.taken + self.refused + self.harmful


def run(target: Target, examples: int, chosen: int) -> Count:
    """Read so many files drawn by a seed. Harm is counted, and the next file drawn."""
    count = Count()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)

        @seed(chosen)
        @settings(
            max_examples=max(1, examples // target.one_in),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(target.files)
        def every(raw: bytes) -> None:
            began = monotonic()
            try:
                with limit(LONGEST_SECONDS):
                    taken = answer(target, raw, here)
                count.taken += taken
                count.refused += not taken
            except Exception as error:  # noqa: BLE001 - whatever comes through is what is looked for
                count.harmful += 1
                count.findings.setdefault(_where(error), raw)
            count.longest = max(count.longest, monotonic() - began)

        began = monotonic()
        every()
        count.seconds = monotonic() - began
    return count


def peak_bytes() -> int:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class limit:  # noqa: N801 - reads as `with limit(20)`
    """Hung is raised where the block takes longer."""

    def __init__(self, seconds: float) -> None:
        """Seconds of wall time."""
        self._seconds = seconds

    def __enter__(self) -> None:
        """Begin."""
        signal.signal(signal.SIGALRM, _hung)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        """In time."""
        signal.setitimer(signal.ITIMER_REAL, 0)


def _hung(*_: object) -> None:
    raise Hung


def _where(error: Exception) -> str:
    """Kind of error, and the last line of ours that it went through."""
    ours = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "/tests/" not in frame.filename and "/lib/" not in frame.filename
    ]
    at = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else "-"
    said = f": {str(error)[:200]}" if isinstance(error, Harm) else ""
    return f"{type(error).__name__} at {at}{said}"


def table(found: dict[str, Count]) -> Iterator[str]:
    """A line per reader."""
    for name, count in found.items():
        yield (
            f"{name}: {count.examples} files, {count.taken} taken, {count.refused} refused, "
            f"{count.harmful} harmful in {len(count.findings)} ways, "
            f"{count.seconds:.0f} s, longest {count.longest:.2f} s"
        )
        yield from (f"  {where}" for where in count.findings)
