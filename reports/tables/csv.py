"""Every figure of every planned point as CSV: SI units in the names, an empty field for a missing figure."""

from __future__ import annotations

import csv
import io

from bench.profile.records import Point, Profile
from bench.profile.stats import Estimate, median
from reports.analysis import points, roofs
from reports.analysis.points import Row
from reports.analysis.verdict import Verdict
from reports.tables import points as point_table

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""

ABOUT = ("implementation", "version", "status", "reason", "order", "at", "steps_per_sample")
MEMORY = ("weight_sets", "working_set_bytes", "page_bytes", "error", "tolerance", "floor_seconds")
SPENT = ("launch_seconds", "joules")
ESTIMATES = (
    ("seconds", "seconds"),
    ("t_bytes", "t_bytes_seconds"),
    ("t_flops", "t_flops_seconds"),
    ("limit", "limit_seconds"),
    ("fraction", "fraction"),
    ("explained", "explained"),
    ("normalised", "normalised_bytes"),
)
COUNTS = (
    ("flops", ("linear", "recurrent", "pointwise")),
    ("bytes", ("weights", "activations", "read", "written", "gradients")),
    ("projection", ("linear", "read")),
    ("reads", ("W", "U")),
)


def points_csv(profile: Profile) -> str:
    """One line per planned point, the failed and skipped ones too, under a line of names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for index, line in enumerate(lines(profile)):
        if index == 0:
            writer.writerow(line)
        writer.writerow([field(value) for value in line.values()])
    return out.getvalue()


def lines(profile: Profile) -> list[dict[str, object]]:
    """The same as records: a column's name and its value, None where a figure is missing."""
    known = point_table.held(profile)
    return [
        _line(profile, point, *known.get(point.key, (None, None)))
        for point in points.ordered(profile)
    ]


def _line(
    profile: Profile, point: Point, row: Row | None, found: Verdict | None
) -> dict[str, object]:
    line: dict[str, object] = point.case.to_dict()
    line |= {name: getattr(point, name) for name in ABOUT}
    line["rounds"] = len(point.seconds)
    for name, title in ESTIMATES:
        value: Estimate | None = getattr(row, name) if row else None
        for end in ("median", "low", "high"):
            line[f"{title}_{end}"] = getattr(value, end) if value else None
    for end in ("min", "p50", "p90", "p99"):
        line[f"single_step_seconds_{end}"] = (point.single_step_seconds or {}).get(end)
    for unit, names in COUNTS:
        counts = getattr(point, unit) or {}
        line |= {f"{name}_{unit}": counts.get(name) for name in names}
    line |= {name: getattr(point, name) for name in (*MEMORY, *SPENT)}
    line |= _rates(profile, point, row)
    line["verdict"] = found.text if found else None
    line["confirmed"] = found.confirmed if found else None
    line["verdict_because"] = found.reason if found else None
    return line


def _rates(profile: Profile, point: Point, row: Row | None) -> dict[str, object]:
    case = point.case
    write = points.written_at(profile, point) if row else ()
    peak = roofs.arithmetic_roof(profile, case.device, case.threads, case.dtype, case.activations)
    return {
        "bytes_per_s": row.bytes_per_s if row else None,
        "flop_per_s": row.flop_per_s if row else None,
        "flop_per_byte": row.intensity if row else None,
        "write_roof_bytes_per_s": median(write) if write else None,
        "arithmetic_roof_flop_per_s": peak,
        "level": row.level if row else None,
    }


def field(value: object) -> object:
    """Text on one line; what a spreadsheet would run as a formula is made plain text by a leading apostrophe."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    return f"'{text}" if text.startswith(FORMULA) else text
