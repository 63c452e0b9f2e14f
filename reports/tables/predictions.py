"""Predictions as a table, as sentences, and as CSV. Rows in, text out."""

from dataclasses import asdict
from functools import partial

from reports.analysis.wording import percent, span, time_unit
from reports.compare.predict import Prediction, Predictions
from reports.tables.columns import Column, Table, csv_text, middle, scaled, table
from reports.tables.comparison import apart, ends

CARRIED = (
    "A step keeps its factor over the roofs' limit; the call costs what it costs there. Roofs are as beside the "
    "steps there, not the best; intervals hold how they moved, and by how much known predictions went wrong, or where "
    "these are few, those between the gallery's profiles."
)
OTHER_LIBRARY = (
    "A published machine ran another library, whose share of the roof is its own: where few steps are known on both, "
    "intervals do not hold that."
)


def predictions(found: Predictions) -> Table:
    """Predicted and, where known, measured times with the error."""
    unit, factor = time_unit(row.predicted.median for row in found.rows)
    columns: tuple[Column[Prediction], ...] = (
        Column("case", lambda row: row.work.setting),
        Column("B", lambda row: row.work.work.batch),
        Column("implementation", lambda row: row.entry.implementation),
        Column("% of roof there", lambda row: middle(row.entry.fraction), percent),
        Column(f"predicted, {unit}", lambda row: row.predicted.median, scaled(factor)),
        Column("interval", lambda row: row.predicted, partial(span, factor=factor)),
        Column(f"measured, {unit}", lambda row: row.measured, scaled(factor)),
        Column("error", lambda row: row.error, signed),
        Column("remark", lambda row: "the call bounds it" if row.call_bound else ""),
    )
    return table(columns, found.rows)


def notes(found: Predictions) -> list[str]:
    """How predictions were made, what is left out, and how far they went wrong where that is known."""
    notes = [
        CARRIED,
        *([OTHER_LIBRARY] if found.source.measured != found.target.measured else []),
        *apart((found.source, found.target)),
        *found.source.remarks,
        *found.target.remarks,
    ]
    if found.without:
        notes.append(f"{found.without} steps are left out: a fraction or a roof is not known.")
    if found.known and not found.errors:
        notes.append(
            f"Of {found.known} steps known on both, too few to sum up, the interval holds {found.covered}."
        )
    if found.errors:
        middling, most = (f"{100 * value:.0f} %" for value in found.errors)
        notes.append(
            f"Error over {found.known} steps known on both: median {middling}, nine in ten {most}; the interval holds "
            f"{found.covered} of them."
        )
    return notes


def predictions_csv(found: Predictions) -> str:
    """Every prediction in SI units, one line each."""
    lines: list[dict[str, object]] = [
        {
            "source": found.source.name,
            "target": found.target.name,
            **asdict(row.work.work),
            "implementation": row.entry.implementation,
            **ends("predicted_seconds", row.predicted),
            "measured_seconds": row.measured,
            "error": row.error,
            "call_bound": row.call_bound,
        }
        for row in found.rows
    ]
    return csv_text(lines)


def signed(value: float) -> str:
    """A relative error: +12 %, −3.1 %."""
    return ("+" if value >= 0 else "\N{MINUS SIGN}") + percent(abs(value))
