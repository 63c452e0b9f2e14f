"""Every figure of every planned point as CSV: SI units in the names, an empty field for a missing figure."""

from collections.abc import Iterable
from dataclasses import fields

from kernels.case import Case
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.tables.columns import csv_text
from reports.tables.points import planned

ENDS, QUANTILES = ("median", "low", "high"), ("min", "p50", "p90", "p99")
ESTIMATES = {
    "seconds": "seconds",
    "t_bytes": "t_bytes_seconds",
    "t_flops": "t_flops_seconds",
    "limit": "limit_seconds",
    "fraction": "fraction",
    "explained": "explained",
    "normalised": "normalised_bytes",
}
COUNTS = {
    "flops": ("linear", "recurrent", "pointwise"),
    "bytes": ("weights", "activations", "read", "written", "gradients"),
    "projection": ("linear", "read"),
    "reads": ("W", "U"),
}
ABOUT = (
    "implementation",
    "version",
    "choice",
    "status",
    "reason",
    "order",
    "at",
    "steps_per_sample",
)
MEMORY = ("weight_sets", "working_set_bytes", "page_bytes", "error", "tolerance", "floor_seconds")


def _each(of: str, names: Iterable[str]) -> dict[str, str]:
    return {name: f"{of}.{name}" for name in names}


COLUMNS: dict[str, str] = {
    **_each("point.case", (field.name for field in fields(Case))),
    **_each("point", ABOUT),
    "rounds": "rounds",
    **{f"{title}_{end}": f"row.{name}.{end}" for name, title in ESTIMATES.items() for end in ENDS},
    **{f"single_step_seconds_{end}": f"point.single_step_seconds.{end}" for end in QUANTILES},
    **{
        f"{name}_{unit}": f"point.{unit}.{name}" for unit, names in COUNTS.items() for name in names
    },
    **_each("point", (*MEMORY, "launch_seconds", "joules")),
    **_each("row", ("bytes_per_s", "flop_per_s")),
    "flop_per_byte": "row.intensity",
    "write_roof_bytes_per_s": "row.write_roof",
    "triad_roof_bytes_per_s": "row.triad_roof",
    "arithmetic_roof_flop_per_s": "peak",
    "level": "row.level",
    "verdict": "said",
    "confirmed": "verdict.confirmed",
    "verdict_because": "verdict.reason",
}
"""By a column's name where its figure stands: in the point, its row or its verdict, or computed here."""


def points_csv(analysis: Analysis) -> str:
    """One line per planned point, the failed and skipped ones too, under a line of names."""
    return csv_text(lines(analysis))


def lines(analysis: Analysis) -> list[dict[str, object]]:
    """The same as records: a column's name and its value, None where a figure is missing."""
    paths = {name: path.split(".") for name, path in COLUMNS.items()}
    found = []
    for one in planned(analysis):
        known = {
            "point": one.point,
            "row": one.row,
            "verdict": one.verdict,
            "rounds": len(one.point.seconds),
            "peak": analysis.roofs.peak(one.case),
            "said": wording.verdict(one.verdict) if one.verdict else None,
        }
        found.append({name: _figure(known, path) for name, path in paths.items()})
    return found


def _figure(known: object, path: Iterable[str]) -> object:
    for name in path:
        if known is None:
            return None
        known = known.get(name) if isinstance(known, dict) else getattr(known, name)
    return known
