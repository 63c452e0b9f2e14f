"""Tables and sentences for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.profile.errors import printable
from reports.tables.columns import Table

if TYPE_CHECKING:
    from rich.console import Console


def show(console: Console, title: str, table: Table) -> None:
    """Print a table under its title, numbers to the right."""
    from rich.table import Table as Grid
    from rich.text import Text

    grid = Grid(title=Text(title), title_justify="left")
    for name, number in zip(table.header, table.numeric, strict=True):
        grid.add_column(Text(line(name)), justify="right" if number else "left", overflow="fold")
    for row in table.rows:
        # Text, not markup: a name may hold square brackets.
        grid.add_row(*(Text(line(cell.text)) for cell in row))
    console.print(grid)


def say(console: Console, text: str) -> None:
    """Print a sentence as it is."""
    console.print(line(text), markup=False, highlight=False, soft_wrap=True)


def line(text: str) -> str:
    """Text without what would steer a terminal: a profile may come from a stranger."""
    return "\n".join(map(printable, text.split("\n")))
