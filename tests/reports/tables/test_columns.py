"""A column turns rows into cells: text as people read it, and the number that it sorts by."""

from __future__ import annotations

import pytest

from bench.profile.stats import Estimate
from reports.analysis.wording import ABSENT, decimal, percent, percent_range
from reports.tables.columns import Cell, Column, Table, csv_text, scaled, table


@pytest.mark.parametrize(
    ("value", "form", "cell"),
    [
        (3, str, Cell("3", 3)),
        (2.5e-6, scaled(1e6), Cell("2.50", 2.5e-6)),
        (-0.12, decimal, Cell("\N{MINUS SIGN}0.12", -0.12)),
        (0.873, percent, Cell("87 %", 0.873)),
        (0, str, Cell("0", 0)),
        (None, percent, Cell(ABSENT)),
        ("lstm", str, Cell("lstm")),
        (Estimate(0.87, 0.85, 0.89), percent_range, Cell("85\N{EN DASH}89 %")),
        (Cell("64 or more", 64), str, Cell("64 or more", 64)),
    ],
)
def test_a_number_sorts_by_itself_whatever_its_text(value, form, cell):
    assert Column("any", lambda _: value, form).cell(None) == cell


def test_a_column_is_numeric_where_every_cell_is_a_number_or_missing():
    columns = [
        Column("all", lambda row: row[0]),
        Column("some", lambda row: row[1]),
        Column("none", lambda row: row[2]),
    ]
    found = table(columns, [(1, 1, "a"), (None, "b", "c")])
    assert (found.header, found.numeric) == (("all", "some", "none"), (True, False, False))
    assert Table(("a", "b"), ()).numeric == (True, True)


def test_csv_leaves_missing_figures_empty_and_runs_no_formula():
    lines = [
        {"a": 1.5, "b": None, "c": "=1+1"},
        {"a": True, "b": "two\nlines", "c": "plain"},
    ]
    assert csv_text([]) == ""
    assert csv_text(lines) == "a,b,c\n1.5,,'=1+1\nTrue,two lines,plain\n"
