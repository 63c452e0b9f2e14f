"""Tables and sentences for a terminal."""

import sys
from itertools import zip_longest

from bench.profile.errors import printable
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.tables import points
from reports.tables.columns import Table

WIDTH = 160
"""Columns of a table where the output is no terminal."""


def say(*texts: str) -> None:
    """Print each text as it is, but for what would steer a terminal."""
    sys.stdout.writelines(f"{line(text)}\n" for text in texts)


def show(title: str, table: Table) -> None:
    """Print a table under its title; without a row nothing."""
    if table.rows:
        _print(table, title=title)


def closing(analysis: Analysis) -> None:
    """Print what a terminal shows when a run ends: every planned point, a rule between series."""
    _print(points.closing(analysis), caption=wording.legend(analysis.ordered), parted=True)


def _print(table: Table, *, title: str = "", caption: str = "", parted: bool = False) -> None:
    """Numbers to the right; `parted` by a rule where the first cell changes."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    def plain(text: str) -> Text:
        """Text, not markup: a name may hold square brackets."""
        return Text(line(text))

    grid = Grid(title=plain(title), title_justify="left", caption=caption, caption_justify="left")
    for name, number in zip(table.header, table.numeric, strict=True):
        grid.add_column(plain(name), justify="right" if number else "left", overflow="fold")
    for row, after in zip_longest(table.rows, table.rows[1:]):
        ends = parted and (after is None or after[0] != row[0])
        grid.add_row(*(plain(cell.text) for cell in row), end_section=ends)
    Console(width=None if sys.stdout.isatty() else WIDTH).print(grid)


def line(text: str) -> str:
    """Text without what would steer a terminal: a profile may come from a stranger."""
    return "\n".join(map(printable, text.split("\n")))
