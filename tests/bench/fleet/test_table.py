"""What is told of a fleet: a line for each turn, how far all are, and one table on a terminal."""

from __future__ import annotations

import io

import pytest

from bench.fleet import plan, table
from bench.fleet.plan import Book, Fleet, Pass, Turn

A1, B1 = Turn("a", "1"), Turn("b", "1")


class Terminal(io.StringIO):
    """What says that it is one."""

    def isatty(self):
        return True


@pytest.fixture
def book(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "LINE_SECONDS", 0.0)
    monkeypatch.setattr(table, "LIVE_SECONDS", 0.0)
    found = {"a": ("10.0.0.1", {}), "b": ("10.0.0.2", {})}
    return Book(tmp_path, plan.planned(Fleet("smoke", 2, 60.0), found))


def over(book, told, turn, found):
    book.note(turn, found)
    told.end(turn, book.found(turn))


def test_plain_lines_tell_every_turn_and_how_far_all_are(book):
    out = io.StringIO()
    told = table.Table(book, out)
    told.begin(A1)
    told.begin(B1)
    told.show({A1: "1 of 2 visits", B1: "starting"})
    over(book, told, A1, Pass("measured", None, 30.0))
    over(book, told, B1, Pass("dead", "the node died"))
    told.show({})
    told.close()
    lines = out.getvalue().splitlines()
    assert lines == [
        "a, pass 1: begins",
        "b, pass 1: begins",
        "0 of 4 passes measured, 2 measuring",
        "a, pass 1: measured, in 30 s",
        "b, pass 1: dead: the node died",
        "1 of 4 passes measured, 0 measuring, 1 gave nothing, about 30 s left",
    ]


def test_a_terminal_has_one_table_with_every_node(book):
    out = Terminal()
    told = table.Table(book, out)
    told.begin(A1)
    over(book, told, B1, Pass("busy", "[red]no worker"))
    told.show({A1: "1 of 2 visits, about 9 s [bold]"})
    told.close()
    said = out.getvalue()
    for word in ("node", "progress", "1 of 2 visits", "[bold]", "[red]no worker", "busy"):
        assert word in said


def test_a_fleet_larger_than_the_terminal_keeps_its_table_short(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "LIVE_SECONDS", 0.0)
    monkeypatch.setattr(table, "MOST_ROWS", 5)
    monkeypatch.setenv("LINES", "60")
    names = [f"n{k}" for k in range(500)]
    book = Book(tmp_path, plan.planned(Fleet("s", 1, 1.0), {n: (n, {}) for n in names}))
    out = Terminal()
    told = table.Table(book, out)
    turns = [Turn(name, "1") for name in names]
    for turn in turns:
        told.begin(turn)
    told.show(dict.fromkeys(turns, "starting"))
    assert out.getvalue().count("starting") == 5
    assert "500 measuring" in out.getvalue()
    told.close()


def test_a_stream_that_nobody_reads_costs_no_fleet(book):
    class Closed(io.StringIO):
        def flush(self):
            raise BrokenPipeError

    told = table.Table(book, Closed())
    told.begin(A1)
    over(book, told, A1, Pass("measured", None, 30.0))
    told.show({})
