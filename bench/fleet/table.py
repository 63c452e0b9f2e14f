"""Progress of a fleet: one live table on a terminal, plain lines elsewhere; with the time left."""

from collections.abc import Mapping
from contextlib import suppress
from statistics import median
from time import monotonic
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table as RichTable
from rich.text import Text

from bench.fleet.plan import MEASURED, Book, Pass, Turn
from bench.profile.errors import printable
from bench.timing import duration

LINE_SECONDS = 30.0
"""Between plain lines on how far all are."""
LIVE_SECONDS = 0.5
MOST_ROWS = 40
"""Of the live table: what measures, then what failed."""


class Table:
    """What is told of a fleet while it is measured."""

    def __init__(self, book: Book, stream: TextIO) -> None:
        """Begin to tell."""
        self._book, self._stream = book, stream
        self._begun: dict[Turn, float] = {}
        self._shown = monotonic()
        self._live: Live | None = None
        if stream.isatty():
            console = Console(file=stream)
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()

    def begin(self, turn: Turn) -> None:
        """A turn begins."""
        self._begun[turn] = monotonic()
        if self._live is None:
            self._say(f"{turn.node}, pass {turn.name}: begins")

    def end(self, turn: Turn, found: Pass) -> None:
        """What came of a turn; told once and for all."""
        self._begun.pop(turn, None)
        why = f": {found.reason}" if found.reason else ""
        took = f", in {duration.told(found.seconds)}" if found.seconds is not None else ""
        self._say(f"{turn.node}, pass {turn.name}: {found.state}{took}{why}")

    def show(self, lines: Mapping[Turn, str]) -> None:
        """How far the turns that go on are, from time to time."""
        now = monotonic()
        if now - self._shown < (LIVE_SECONDS if self._live else LINE_SECONDS):
            return
        self._shown = now
        if self._live is None:
            self._say(self.summary())
            return
        table = RichTable(box=None, pad_edge=False)
        for head in ("node", "pass", "since", "progress"):
            table.add_column(head, overflow="ellipsis", no_wrap=True)
        rows = [
            (turn.node, turn.name, duration.told(now - self._begun[turn]), printable(line))
            for turn, line in lines.items()
        ]
        for turn, found in self._book.every():
            if found.reason and found.state != MEASURED and turn not in lines:
                rows.append((turn.node, turn.name, found.state, found.reason))
        room = max(3, min(MOST_ROWS, self._live.console.height - 4))
        for row in rows[:room]:
            table.add_row(*(cell.replace("[", r"\[") for cell in row))
        with suppress(OSError):
            self._live.update(Group(Text(self.summary()), table), refresh=True)

    def summary(self) -> str:
        """How many passes came, how many measure, and the time left as far as it is known."""
        every = self._book.every()
        done = [found for _, found in every if found.state == MEASURED]
        failed = sum(found.reason is not None and found.state != MEASURED for _, found in every)
        parts = [f"{len(done)} of {len(every)} passes measured", f"{len(self._begun)} measuring"]
        if failed:
            parts.append(f"{failed} gave nothing")
        if left := self._seconds_left([one.seconds for one in done if one.seconds]):
            parts.append(f"about {duration.told(left)} left")
        return ", ".join(parts)

    def close(self) -> None:
        """Tell nothing more; the last lines stay."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _seconds_left(self, took: list[float]) -> float | None:
        """Of the address with most left, a turn as long as half of those so far; None before the first."""
        if not took:
            return None
        each, now = median(took), monotonic()
        by_address: dict[str, float] = {}
        for turn, found in self._book.every():
            if found.state == "waiting":
                begun = self._begun.get(turn)
                left = each if begun is None else max(0.0, each - (now - begun))
                address = self._book.fleet.nodes[turn.node].address
                by_address[address] = by_address.get(address, 0.0) + left
        return max(by_address.values(), default=0.0)

    def _say(self, line: str) -> None:
        with suppress(OSError):  # nobody reads it any more
            if self._live is not None:
                self._live.console.print(line, markup=False, highlight=False)
            else:
                self._stream.write(f"{line}\n")
                self._stream.flush()
