"""A fleet as a page, Markdown, CSV, metrics and pictures, in a folder that has all of them or none."""

from collections.abc import Sequence
from pathlib import Path

from reports.fleet import open_metrics, tables
from reports.fleet.fleet import Fleet
from reports.fleet.upgrade import Upgrade
from reports.page import atomic_write, html, markdown
from reports.page.document import Block, Code, Document, Items, Listing, Paragraph, Picture, Section
from reports.plots.fleet import MAP, RANKED, by_figures, captions, ranked

PAGE = "fleet.html"


def document(
    fleet: Fleet, command: str, drawn: Sequence[str], upgrade: Upgrade | None = None
) -> Document:
    """What a fleet says, in this order: which nodes are slow and in what, the pictures, every node, how sure it is."""
    slow, silent = tables.slow_table(fleet), tables.silent_table(fleet)
    headline, *more = tables.sentences(fleet)
    exclude = tables.exclude(fleet)
    changed: tuple[Block, ...] = ()
    if upgrade is not None:
        told = Items(tuple(tables.upgrade_sentences(upgrade)))
        changed = (told, Listing("Before and after", tables.upgrade_table(upgrade)))
    pictures = [one for one in captions(fleet) if one[0] in drawn]
    sections = (
        Section("answer", "How sure it is", (Items(tuple(more)),)),
        Section(
            "slow",
            "What is slow",
            (
                Listing("What is slow", slow) if slow.rows else Paragraph("Nothing."),
                *((Paragraph("For Slurm:"), Code(exclude)) if exclude else ()),
            ),
        ),
        Section("changed", "Before and after", changed),
        Section("pictures", "Pictures", tuple(Picture(*one) for one in pictures)),
        Section(
            "nodes", "Every node", (Listing("Nodes", tables.node_table(fleet), searched=True),)
        ),
        Section(
            "silent",
            "What gave nothing",
            (Listing("What gave nothing", silent),) if silent.rows else (),
        ),
        Section(
            "classes",
            "Classes",
            (
                Listing("Classes", tables.class_table(fleet)),
                *(
                    Listing(
                        f"{one.label}: what its passes could tell",
                        tables.told_table(one),
                        folded=True,
                    )
                    for one in fleet.classes
                    if one.smallest is not None
                ),
            ),
        ),
        Section("notes", "How to read it", (Items(tuple(tables.notes(fleet))),)),
        Section("command", "Made by", (Code(command),)),
    )
    suite, method = fleet.suite
    return Document(
        f"rnn-roofline: a fleet of {len(fleet.nodes)} nodes",
        headline,
        f"Suite {suite}, method {method}.",
        tuple(section for section in sections if section.blocks),
    )


def write(
    fleet: Fleet,
    out: Path,
    command: str,
    upgrade: Upgrade | None = None,
    kinds: Sequence[str] = ("svg", "png", "pdf"),
) -> Path:
    """Write fleet.html, fleet.md, fleet.csv, figures.csv, fleet.prom and plots/; the page. Raises BadInput."""
    from reports.plots import figures

    with atomic_write.draft(out, last=PAGE) as folder:
        plots = folder / "plots"
        plots.mkdir()
        pictures = {RANKED: ranked(fleet), MAP: by_figures(fleet)}
        drawn = {name: axes for name, axes in pictures.items() if axes is not None}
        for name, axes in drawn.items():
            figures.write(axes, plots, name, kinds)
        made = document(fleet, command, list(drawn), upgrade)
        images = {name: plots / f"{name}.svg" for name in drawn}
        texts = {
            "fleet.csv": tables.nodes_csv(fleet),
            "figures.csv": tables.figures_csv(fleet),
            "fleet.prom": open_metrics.text(fleet),
            "fleet.md": markdown.render(made),
            PAGE: html.render(made, images),
        }
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
    return out / PAGE
