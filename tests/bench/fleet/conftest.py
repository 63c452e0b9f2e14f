"""A fleet of canned measurements: no node measures anything."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from bench.commands import fleet as verb
from bench.fleet import fleet
from bench.fleet.plan import Book, Fleet

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PROFILE = next((ROOT / "reports" / "gallery").glob("*-epyc-zen4-*/profile.json"))


class Canned(NamedTuple):
    """A fleet's folder and the folder that says what each node's measurement does."""

    out: Path
    says: Path

    def will(self, node: str, name: str, what: str) -> None:
        """A node's measurement in a pass: whole [SECONDS], hangs, fails or rubbish."""
        (self.says / f"{node}-{name}").write_text(what)

    def calls(self) -> list[tuple[str, str]]:
        """The measurements that were begun, by node and pass, in order."""
        return [tuple(one[:2]) for one in self.lines()]

    def lines(self) -> list[list[str]]:
        """Of each measurement: node, pass, time, process, folder."""
        path = self.says / "calls.txt"
        return [one.split() for one in path.read_text().splitlines()] if path.exists() else []

    def state(self) -> dict[tuple[str, str], str]:
        """What came of each pass, and why."""
        every = Book.opened(self.out).every()
        return {tuple(turn): f"{found.state} {found.reason or ''}".strip() for turn, found in every}

    def begin(self, address: str | None, passes: int = 1, limit: float = 60.0, *options: str):
        """A new fleet."""
        given = (*options, f"--address={address}") if address else options
        book = Book(self.out, Fleet("canned", passes, limit, given))
        book.keep()
        return book

    def request(self, book: Book, **more):
        """What its engine is to do: canned measurements."""
        command = ("{python}", str(HERE / "canned.py"), str(self.says), "{out}")
        return replace(verb.request(book), begin=command, resume=command, **more)

    def run(self, book: Book, report=("true",), confirm=False, **more):
        """Measure and report; the exit code."""
        return fleet.run(book, self.request(book, **more), confirm, report)


@pytest.fixture
def canned(tmp_path, monkeypatch):
    """An empty fleet."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.chdir(tmp_path)
    out, says = tmp_path / "out", tmp_path / "says"
    out.mkdir()
    says.mkdir()
    shutil.copy(PROFILE, says / "profile.json")
    return Canned(out, says)
