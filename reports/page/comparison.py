"""A comparison as Markdown, HTML, CSV and a picture, in a folder that has all of them or none."""

from collections.abc import Sequence
from pathlib import Path

from reports.compare.match import Comparison
from reports.page import atomic_write, html, markdown
from reports.page.document import Code, Document, Items, Listing, Paragraph, Picture, Section
from reports.tables import comparison as tables

PAGE = "compare.html"
PICTURE = "rooflines"
CAPTION = """Every machine has a colour: its memory bandwidth is the lowest slanted line, others are caches that steps
of the panel lie in, and its arithmetic is the flat one. The steps compared lie under them at their fraction of the
line, joined along the batch; their times are in the table. Full lines are measured, dashed ones datasheet figures,
which nobody measured. Points are geometric means of visits’ medians, hollow because their bytes are
modelled."""


def document(comparison: Comparison, command: str, pictured: bool) -> Document:
    """What a comparison says, in this order: who, by how much, the ranking, the picture, every ratio, what differs."""
    ranking, differing = tables.ranking_table(comparison), tables.differing_table(comparison)
    names, notes = tuple(tables.names(comparison)), tuple(tables.notes(comparison))
    machines = Listing("Machines", tables.machine_table(comparison))
    ratios = Listing("Ratios", tables.ratio_table(comparison), searched=True)
    differs = Listing("What differs", differing) if differing.rows else Paragraph("Nothing.")
    ranked = (Listing("Ranking", ranking),) if ranking.rows else ()
    picture = (Picture(PICTURE, "Rooflines", CAPTION),) if pictured else ()
    sections = (
        Section("machines", "What is compared", (Items(names), machines, Paragraph(tables.CYCLES))),
        Section("notes", "How to read it", (Items(notes),)),
        Section("ranking", "Ranking per cell", ranked),
        Section("pictures", "Rooflines", picture),
        Section(
            "ratios",
            "Every point in common",
            (ratios, Paragraph("The same in SI units: compare.csv.")),
        ),
        Section("differing", "What differs", (differs,)),
        Section("command", "Made by", (Code(command),)),
    )
    return Document(
        "rnn-roofline: " + " against ".join(dict.fromkeys(s.name for s in comparison.systems)),
        " ".join(tables.overall(comparison)),
        "; ".join(names) + ".",
        tuple(section for section in sections if section.blocks),
    )


def write(
    comparison: Comparison,
    out: Path,
    command: str,
    kinds: Sequence[str] = ("svg", "png", "pdf"),
) -> Path:
    """Write compare.md, compare.html, compare.csv and plots/ into `out`; returns the page. Raises BadInput."""
    from reports.plots import comparison as plot
    from reports.plots import figures

    with atomic_write.draft(out, last=PAGE) as folder:
        plots = folder / "plots"
        plots.mkdir()
        drawn = plot.draw(comparison)
        if drawn is not None:
            figures.write(drawn, plots, PICTURE, kinds)
        made = document(comparison, command, drawn is not None)
        images = {PICTURE: plots / f"{PICTURE}.svg"} if drawn is not None else {}
        (folder / "compare.md").write_text(markdown.render(made), encoding="utf-8")
        text = tables.ratios_csv(comparison)
        (folder / "compare.csv").write_text(text, encoding="utf-8", newline="")
        (folder / PAGE).write_text(html.render(made, images), encoding="utf-8")
    return out / PAGE
