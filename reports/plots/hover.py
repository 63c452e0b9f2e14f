"""What stands beside the pointer that rests on a point of the page."""

from html import escape

from bench.profile.stats import Estimate
from reports.analysis.points import Row
from reports.analysis.verdict import Verdict
from reports.analysis.wording import giga, marked, number, percent, percent_range, span, time_unit


def hover(row: Row, verdict: Verdict) -> str:
    """A point's figures and verdict, in the HTML that Plotly reads; a profile's words stay words."""
    floor = row.point.floor_seconds
    unit, factor = time_unit([row.seconds.median])

    def time(seconds: float) -> str:
        return f"{number(seconds * factor)} {unit}"

    def middle(value: Estimate | None) -> str:
        return time(value.median) if value else ""

    counted = row.counted_intensity
    reason = f": {verdict.reason}" if verdict.reason else ""
    share = (
        f"{percent(row.fraction.median)} of its roof"
        if row.fraction
        else "no roof to hold it against"
    )
    lines = [
        f"time {time(row.seconds.median)} ({span(row.seconds, factor)})",
        f"{giga(row.bytes_per_s)} GB/s, {giga(row.flop_per_s)} GFLOP/s, {number(row.intensity)} FLOP/byte",
        share + (f" ({percent_range(row.fraction)})" if row.fraction else ""),
        f"verdict: {marked(verdict)}{reason}",
    ]
    if row.limit:
        parts = f"bytes {middle(row.t_bytes)}, FLOPs {middle(row.t_flops)}"
        lines.append(f"roofs allow {middle(row.limit)}: {parts}")
    if floor is not None:
        lines.append(f"floor of a call {time(floor)}")
    modelled = counted is None
    lines.append("bytes modelled" if modelled else f"bytes counted: {number(counted)} FLOP/byte")
    return "<br>".join(escape(line, quote=False) for line in lines)
