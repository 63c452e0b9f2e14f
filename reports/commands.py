"""The commands that look at more than one profile: compare, predict, gallery. Each returns an exit code."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from reports import locate, published
from reports.analysis import headline, methods
from reports.compare import gate, match, system
from reports.compare.system import Subject
from reports.locate import BadInput
from reports.page.terminal import say, show
from reports.tables import comparison

WIDTH = 160
"""Columns of a table where the output is no terminal."""


def subject_of(argument: str) -> Subject:
    """What an argument stands for: a published machine by its name, else a profile. Raises BadInput, BadFile."""
    found = published.find(argument)
    if found is not None:
        return found
    try:
        profile, _ = locate.load(argument)
    except BadInput as error:
        raise BadInput(f"{error}; published machines are {', '.join(published.names())}") from error
    return system.of(profile, headline.machine(profile))


def run_compare(arguments: Sequence[str], out: Path | None, percent: float | None) -> int:
    """Print a comparison, write it where `out` is given, and judge it where `percent` is."""
    if not match.LEAST <= len(arguments) <= match.MOST:
        raise BadInput(
            f"compare takes {match.LEAST} to {match.MOST} profiles: {len(arguments)} given"
        )
    subjects = [subject_of(argument) for argument in arguments]
    judged = gate.gate(subjects, percent) if percent is not None else None
    found = match.compare(subjects)
    console = _console()
    for line in comparison.names(found):
        say(console, line)
    show(console, "Machines", comparison.machine_table(found))
    show(console, "Ratios", comparison.ratio_table(found))
    for title, table in (
        ("Ranking per cell", comparison.ranking_table(found)),
        ("What differs", comparison.differing_table(found)),
    ):
        if table.rows:
            show(console, title, table)
    for line in (*comparison.notes(found), *comparison.overall(found)):
        say(console, line)
    if out is not None:
        from reports.page import comparison as comparison_page

        command = shlex.join(["python", "-m", "reports", "compare", *map(_shown, arguments)])
        say(console, str(comparison_page.write(found, out, command)))
    return _judge(console, judged) if judged else 0


def run_predict(argument: str, on: str, out: Path | None) -> int:
    """Print predictions, and write them as CSV where `out` is given."""
    from reports.compare import predict
    from reports.page import atomic_write

    found = predict.predict(subject_of(argument), subject_of(on))
    console = _console()
    title = f"Steps of {found.source.name} on the roofs of {found.target.name}"
    show(console, title, comparison.prediction_table(found))
    say(
        console,
        "A step keeps its factor over the roofs' limit; the call costs what it costs there. Roofs are as beside the "
        "steps there, not the best; intervals hold how they moved, and by how much known predictions went wrong.",
    )
    for line in methods.apart((found.source, found.target)):
        say(console, line)
    for one in (found.source, found.target):
        for remark in one.remarks:
            say(console, remark)
    if found.without:
        say(console, f"{found.without} steps are left out: a fraction or a roof is not known.")
    if found.errors:
        middle, most = (f"{100 * value:.0f} %" for value in found.errors)
        known = sum(row.error is not None for row in found.rows)
        say(
            console,
            f"Error over {known} steps known on both: median {middle}, nine in ten {most}; the interval holds "
            f"{found.covered} of them.",
        )
    if out is not None:
        with atomic_write.draft(out, last="predict.csv") as folder:
            text = comparison.predictions_csv(found)
            (folder / "predict.csv").write_text(text, encoding="utf-8", newline="")
        say(console, str(out / "predict.csv"))
    return 0


def run_gallery(out: Path) -> int:
    """Write the site of all profiles in the gallery."""
    from reports.page import site

    say(_console(), str(site.build_site(out)))
    return 0


def _judge(console: Console, judged: gate.Gate) -> int:
    show(console, "Gate", comparison.gate_table(judged))
    allowed = f"{100 * (judged.allowed - 1):g} %"
    count, failed = len(judged.rows), len(judged.failed)
    say(
        console,
        f"{failed} of {count} points are slower than before by more than {allowed}; {judged.unjudged} are not in "
        f"every run. By how much these runs differ among themselves, a slow-down is told from {_least(judged)} on.",
    )
    return 1 if failed else 0


def _least(judged: gate.Gate) -> str:
    """The smallest slow-down of a point that this gate would have failed."""
    row = judged.rows[0]
    reach = max(row.ratio.median / row.ratio.low, row.time.median / row.time.low)
    return f"{100 * (judged.allowed * reach - 1):.1f} %"


def _shown(argument: str) -> str:
    """An argument as a page may print it: a name as it is, a path without what leads there."""
    from reports.page.build import shown

    return shown(Path(argument)) if Path(argument).exists() else argument


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)
