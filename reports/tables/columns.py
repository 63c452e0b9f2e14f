"""Columns, tables and cells: a table is rows through a list of columns, whatever it is then written as."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

from bench.profile.stats import Estimate
from reports.analysis.wording import ABSENT, number

T = TypeVar("T")
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


class Cell(NamedTuple):
    """What a table shows in one place, and the number it sorts by where it is one."""

    text: str
    sort: float | None = None


@dataclass(frozen=True)
class Table:
    """A header, and rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @cached_property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds numbers, or nothing but missing ones."""
        columns = zip(*self.rows, strict=True) if self.rows else ((),) * len(self.header)
        return tuple(
            all(cell.sort is not None or cell.text == ABSENT for cell in column)
            for column in columns
        )


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its title, what it holds of a row, and how that reads. A number sorts by itself, whatever its unit.

    `value` may also give words, an estimate, None for what is missing, or a Cell whose text is not its number's.
    """

    title: str
    value: Callable[[T], Any]
    form: Callable[[Any], str] = str

    def cell(self, row: T) -> Cell:
        """The cell of a row."""
        value = self.value(row)
        if value is None:
            return Cell(ABSENT)
        if isinstance(value, Cell):
            return value
        return Cell(self.form(value), value if isinstance(value, int | float) else None)


def table(columns: Sequence[Column[T]], rows: Iterable[T]) -> Table:
    """The rows through the columns."""
    known = list(rows)
    cells = zip(*(map(column.cell, known) for column in columns), strict=True)
    return Table(tuple(column.title for column in columns), tuple(cells))


def scaled(factor: float) -> Callable[[float], str]:
    """The form of numbers in the unit of their column."""
    return lambda value: number(value * factor)


def middle(value: Estimate | None) -> float | None:
    """The median, where it is known."""
    return value.median if value else None


def csv_text(lines: Sequence[Mapping[str, object]]) -> str:
    """Lines as CSV under the names that all of them have, an empty field for what is missing; of no lines nothing."""
    out = io.StringIO()
    if lines:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(lines[0])
        writer.writerows(map(csv_field, line.values()) for line in lines)
    return out.getvalue()


def csv_field(value: object) -> object:
    """Text on one line; what a spreadsheet would run as a formula is made plain text by a leading apostrophe."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(FORMULA) else text
