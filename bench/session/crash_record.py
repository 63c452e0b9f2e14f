"""Which point was being measured when a process ended without a word, killed or out of memory, or lost its GPU.

A point that ends in any other way leaves nothing. So a point that takes its process or the GPU with it is known when
the run is resumed, and cannot block it for ever.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "in_flight.txt"
MOST_DEATHS = 2
"""After so many processes have ended or lost their GPU at the same point it is recorded as failed."""


class CrashRecord:
    """`in_flight.txt` beside a run's journal: a key a line, for each process that ended at that point."""

    def __init__(self, folder: Path) -> None:
        """Read what earlier processes left."""
        self._path = folder / FILE
        try:
            left = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            left = []
        self._deaths = Counter(left)

    def deaths(self, key: str) -> int:
        """How many processes ended or lost their GPU while this point was measured."""
        return self._deaths[key]

    def reason(self, key: str) -> str | None:
        """Why a point is not tried again, once MOST_DEATHS processes ended with it."""
        if (deaths := self.deaths(key)) < MOST_DEATHS:
            return None
        return f"{deaths} processes ended or lost their GPU while it was measured: killed, crashed or out of memory"

    @contextmanager
    def during(self, key: str) -> Iterator[None]:
        """Noted while inside, however it ends, but for the end of the process. Raises OSError."""
        with self._path.open("ab", buffering=0) as file:
            before = file.tell()
            file.write(key.encode() + b"\n")
            try:
                yield
            finally:
                file.truncate(before)
                if not before:
                    self._path.unlink(missing_ok=True)

    def keep(self, key: str) -> None:
        """Note that this process lost its GPU at that point. Raises OSError."""
        with self._path.open("ab", buffering=0) as file:
            file.write(key.encode() + b"\n")

    def forget(self) -> None:
        """Every point has its record: what was noted means nothing any more."""
        self._path.unlink(missing_ok=True)
