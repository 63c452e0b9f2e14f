"""What a measurement said last: how far it is, and why it ended as it did."""

import re

from bench.session.lock import WAITING

PROGRESS = re.compile(
    r"\d+ of \d+ (points|visits), .*|\d+ points, about .*|measuring the roofs .*|" + WAITING + ".*"
)
"""What is told of it while it measures; of points where a checkout is of method 2."""
MARK = "rnn-roofline: "
"""What it has to say of itself begins so."""
OPENING = re.compile(MARK + r"(suite .*, \d+ threads, into |CPU only: )")
"""What it sets out with, whatever becomes of it."""
PAGE = "report: "
"""Says where its report is, at its end: that folder goes."""


def progress(said: str) -> list[str]:
    """Its lines of progress."""
    return [line for line in _lines(said) if PROGRESS.fullmatch(line)]


def why(said: str) -> str:
    """The last line that it says of itself, after what it sets out with; else the last of all."""
    lines = _lines(said)
    own = [line for line in lines if line.startswith(MARK) and not OPENING.match(line)]
    lines = [line for line in lines if not line.startswith(PAGE)]
    return (own or lines or ["it said nothing"])[-1].removeprefix(MARK)


def _lines(said: str) -> list[str]:
    return [line.strip() for line in said.splitlines() if line.strip()]
