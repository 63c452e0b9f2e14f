"""What arguments of several verbs stand for, and where a verb writes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what --help need not load
    from reports.compare.system import System

PROFILE = "a profile.json, a run's folder, a name in the gallery, or `latest`"
ONE_OF = f"{PROFILE}; or a published machine, such as `NVIDIA P100`"


def add_out(parser: argparse.ArgumentParser, help_: str, default: Path | None = None) -> None:
    """The folder that a verb writes to."""
    parser.add_argument("--out", type=Path, metavar="DIR", help=help_, default=default)


def system(argument: str) -> System:
    """What an argument stands for: a published machine by its name, else a profile. Raises BadInput, BadFile."""
    from reports import published
    from reports.analysis.analysis import Analysis
    from reports.analysis.wording import machine
    from reports.compare import measured
    from reports.locate import BadInput, load

    found = published.find(argument)
    if found is not None:
        return found
    try:
        profile, _ = load(argument)
    except BadInput as error:
        names = ", ".join(published.names())
        raise BadInput(f"{error}; published machines are {names}") from error
    return measured.system(Analysis(profile), machine(profile))


def written(out: Path, name: str, text: str) -> str:
    """Write a file of that name to a folder; its path."""
    from reports.page import atomic_write

    with atomic_write.draft(out, last=name) as folder:
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return str(out / name)


def shown(argument: str) -> str:
    """An argument as a page may print it: a name as it is, a path without what leads there."""
    from reports import locate

    return locate.shown(Path(argument)) if Path(argument).exists() else argument
