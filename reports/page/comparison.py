"""A comparison as Markdown, HTML, CSV and a picture, in a folder that has all of them or none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reports.compare.match import Comparison
from reports.page import atomic_write, html, markdown
from reports.page.document import Block, Code, Document, Items, Listing, Paragraph, Picture, Section
from reports.plots import comparison as plot_compare
from reports.tables import comparison as compare_tables

PAGE = "compare.html"
CAPTION = """Every machine has a colour: its memory bandwidth is the lowest slanted line, others are caches that steps
of the panel lie in, and its arithmetic is the flat one. The steps compared lie under them at their fraction of the
line, joined along the batch; their times are in the table. Full lines are measured, dashed ones datasheet figures,
which nobody measured. Points are medians, hollow because their bytes are modelled."""


def document(comparison: Comparison, command: str, pictured: bool) -> Document:
    """What a comparison says, in this order: who, by how much, the ranking, the picture, every ratio, what differs."""
    ranking = compare_tables.ranking_table(comparison)
    differing = compare_tables.differing_table(comparison)
    picture = Picture(plot_compare.NAME, "Rooflines", CAPTION)
    parts: list[tuple[str, str, tuple[Block, ...]]] = [
        (
            "machines",
            "What is compared",
            (
                Items(tuple(compare_tables.names(comparison))),
                Listing("Machines", compare_tables.machine_table(comparison)),
                Paragraph(compare_tables.CYCLES),
            ),
        ),
        ("notes", "How to read it", (Items(tuple(compare_tables.notes(comparison))),)),
        ("ranking", "Ranking per cell", (Listing("Ranking", ranking),) if ranking.rows else ()),
        ("pictures", "Rooflines", (picture,) if pictured else ()),
        (
            "ratios",
            "Every point in common",
            (
                Listing("Ratios", compare_tables.ratio_table(comparison), searched=True),
                Paragraph("The same in SI units: compare.csv."),
            ),
        ),
        (
            "differing",
            "What differs",
            (Listing("What differs", differing),) if differing.rows else (Paragraph("Nothing."),),
        ),
        ("command", "Made by", (Code(command),)),
    ]
    return Document(
        "rnn-roofline: " + " against ".join(dict.fromkeys(s.name for s in comparison.subjects)),
        " ".join(compare_tables.overall(comparison)),
        "; ".join(compare_tables.names(comparison)) + ".",
        tuple(Section(*part) for part in parts if part[2]),
    )


def write(
    comparison: Comparison,
    out: Path,
    command: str,
    kinds: Sequence[str] = ("svg", "png", "pdf"),
) -> Path:
    """Write compare.md, compare.html, compare.csv and plots/ into `out`; returns the page. Raises BadInput."""
    with atomic_write.draft(out, last=PAGE) as folder:
        pictures = folder / "plots"
        pictures.mkdir()
        pictured = plot_compare.save(comparison, pictures, kinds)
        made = document(comparison, command, pictured)
        drawn = pictures / f"{plot_compare.NAME}.svg"
        svg = {plot_compare.NAME: drawn.read_text(encoding="utf-8")} if pictured else {}
        (folder / "compare.md").write_text(markdown.render(made), encoding="utf-8")
        text = compare_tables.ratios_csv(comparison)
        (folder / "compare.csv").write_text(text, encoding="utf-8", newline="")
        (folder / PAGE).write_text(html.render(made, svg), encoding="utf-8")
    return out / PAGE
