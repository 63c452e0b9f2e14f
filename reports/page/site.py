"""A static site of every profile in the gallery: a ranking, a page per machine, pages that compare; relative links."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from reports import locate, published
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.analysis.wording import percent, time_unit
from reports.compare import match, measured
from reports.compare import system as systems
from reports.compare.match import Comparison
from reports.compare.system import Entry, System
from reports.locate import HOME, BadInput
from reports.page import atomic_write, build, comparison, html
from reports.page.document import Block, Document, Items, Link, Listing, Paragraph, Section
from reports.tables import comparison as comparison_tables
from reports.tables.columns import Column, Table, middle, scaled, table

PAGE = "index.html"
YARDSTICK = ("lstm", "cell", "step", 1024, 1024, 1, "float32", "streamed")
"""The step by which the machines are listed: cell, part, phase, H, I, B, dtype, weights."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A profile of the gallery: its name there, its folder, and itself as one side of a comparison."""

    name: str
    folder: Path
    analysis: Analysis
    system: System


def build_site(out: Path, home: Path = HOME) -> Path:
    """Write the site into `out` and return its first page. Raises BadInput or BadFile, and then writes nothing."""
    machines = []
    for name in locate.gallery(home):
        profile, folder = locate.load(name, home)
        analysis = Analysis(profile)
        system = measured.system(analysis, wording.machine(profile))
        machines.append(Machine(name, folder, analysis, system))
    apart = systems.told_apart([one.system for one in machines])
    machines = [replace(one, system=known) for one, known in zip(machines, apart, strict=True)]
    if not machines:
        raise BadInput("the gallery has no profile yet: CONTRIBUTING.md says how to add one")
    with atomic_write.draft(out, last=PAGE) as folder:
        for one in machines:
            place = folder / "machines" / one.name
            build.build(one.analysis, place, source=one.name, alone=True)
            shutil.copyfile(one.folder / "profile.json", place / "profile.json")
        links = [_pair(folder, *pair) for pair in _pairs(machines)]
        everyone = _compared([one.system for one in machines])
        page = _document(machines, [link for link in links if link], everyone)
        (folder / PAGE).write_text(html.render(page, {}), encoding="utf-8")
        (folder / ".nojekyll").write_text("", encoding="utf-8")
    return out / PAGE


def _pairs(machines: list[Machine]) -> list[tuple[tuple[str, System], tuple[str, System]]]:
    """Every two machines, and every machine with every published one."""
    measured = [(one.name, one.system) for one in machines]
    found = [(a, b) for index, a in enumerate(measured) for b in measured[index + 1 :]]
    for name in published.names():
        other = published.find(name)
        found += [(one, (name, other)) for one in measured if other is not None]
    return found


def _pair(folder: Path, one: tuple[str, System], other: tuple[str, System]) -> Link | None:
    """Write the page that compares two; None where they have no work in common."""
    found = _compared([one[1], other[1]])
    if found is None:
        return None
    name = f"{_slug(one[0])}--{_slug(other[0])}"
    command = f'python -m reports compare {one[0]} "{other[0]}"'
    comparison.write(found, folder / "compare" / name, command, kinds=("svg",))
    count = len(found.rows)
    text = f"{count} point{'' if count == 1 else 's'} in common:"
    return Link(text, f"{one[0]} against {other[0]}", f"compare/{name}/{comparison.PAGE}")


def _compared(several: Sequence[System]) -> Comparison | None:
    """A comparison of systems, where they are as many as it takes and have work in common."""
    try:
        return match.compare(several)
    except BadInput:
        return None


def _document(machines: list[Machine], links: list[Link], everyone: Comparison | None) -> Document:
    ranked: tuple[Block, ...] = (Listing("Machines", _machines(machines)),)
    if everyone is not None and everyone.ranking:
        ranked = (
            *ranked,
            Items(tuple(comparison_tables.names(everyone))),
            Listing("Ranking per cell", comparison_tables.ranking_table(everyone)),
        )
    cell, _, _, hidden, _, batch, dtype, _ = YARDSTICK
    measure = (
        f"Listed by the time of one {str(cell).upper()} step of {hidden:,} units at batch {batch}, {dtype} weights "
        "fetched from memory, by the fastest implementation measured."
    )
    pages = tuple(
        Link(one.analysis.headline, one.name, f"machines/{one.name}/report.html")
        for one in machines
    )
    contribute = (
        "Measure your machine with make report, check it with python -m reports check latest, and send its folder in "
        "reports/gallery: CONTRIBUTING.md in the repository is the whole session."
    )
    sections = (
        Section("ranking", "Ranking", (Paragraph(measure), *ranked)),
        Section("machines", "Machines", pages),
        Section("compare", "Compared", tuple(links) or (Paragraph("Nothing in common yet."),)),
        Section("contribute", "Add a machine", (Paragraph(contribute),)),
    )
    count = len(machines)
    return Document(
        "rnn-roofline: gallery",
        "What one time step of an RNN, LSTM or GRU costs, against roofs measured beside it",
        f"{count} profile{' with its' if count == 1 else 's, each with its'} raw samples.",
        sections,
    )


def _machines(machines: list[Machine]) -> Table:
    """Machines by the yardstick step, its time, its share of the roof, and the two roofs."""
    lines = [(one, _yardstick(one.system)) for one in machines]
    lines.sort(key=lambda line: line[1].time if line[1] else float("inf"))
    unit, factor = time_unit(step.time for _, step in lines if step)
    columns: tuple[Column[tuple[Machine, Entry | None]], ...] = (
        Column("machine", lambda line: line[0].system.name),
        Column("profile", lambda line: line[0].name),
        Column(f"step, {unit}", lambda line: line[1].time if line[1] else None, scaled(factor)),
        Column("by", lambda line: line[1].implementation if line[1] else ""),
        Column("% of roof", lambda line: middle(line[1].fraction) if line[1] else None, percent),
        Column("memory, GB/s", lambda line: line[0].system.memory, scaled(1e-9)),
        Column(
            "float32, GFLOP/s", lambda line: line[0].system.peak("float32", "float32"), scaled(1e-9)
        ),
    )
    return table(columns, lines)


def _yardstick(one: System) -> Entry | None:
    """The fastest entry of the yardstick step, at all threads."""
    found = [entry for entry in one.entries if _what(entry) == YARDSTICK]
    everyone = [entry for entry in found if entry.work.threads == systems.ALL]
    return min(everyone or found, key=lambda entry: entry.time, default=None)


def _what(entry: Entry) -> tuple[object, ...]:
    work = entry.work
    sizes = (work.hidden, work.input, work.batch)
    return (work.cell, work.part, work.phase, *sizes, work.dtype, work.residency)


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", name.casefold()).strip("-")
