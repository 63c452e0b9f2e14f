"""Pictures agree with percentages: a point stands at its fraction of the line it belongs to, however the roof moved."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, isnan, log

import pytest

from bench.profile.stats import median
from kernels.case import ARITHMETIC
from reports import locate, published
from reports.analysis.analysis import Analysis
from reports.compare import match, measured
from reports.plots import batch, chart_data, comparison, measured_roofline, style, time_roofline
from reports.plots.page_data import data as page_data
from tests.reports import synthetic
from tests.reports.plots import charts
from tests.reports.synthetic import moving, profile

NAMES = [*locate.gallery(), "moving", "largest set", "counted", "one thread"]
CLOSE = 1e-9
SHORT = 3 * 1e-4
"""How near ratios of figures of five digits come, of which up to three are rounded."""


@pytest.fixture(scope="module", params=NAMES)
def made(request):
    """Profiles whose roofs moved, the gallery's among them."""
    if request.param == "moving":
        return moving()
    if request.param == "largest set":
        *caches, last = synthetic.levels()
        return moving(levels=(*caches, replace(last, name="largest set", up_to_bytes=128 << 20)))
    if request.param == "counted":
        counted = {"tool": "cachegrind", "read": 12_000_000, "written": 100_000}
        return replace(
            made := moving(), points=tuple(replace(p, counted_bytes=counted) for p in made.points)
        )
    if request.param == "one thread":
        made = profile([synthetic.point(threads=1, batch=batch) for batch in (1, 4)])
        write = synthetic.roof("write", [40e9], working_set_bytes=65536, threads=1)
        products = synthetic.roof("matmul", [90e9], dtype="float32", threads=1)
        return replace(made, roofs=(*made.roofs, write, products))
    return locate.load(request.param)[0]


def whole_steps(drawn):
    """The rows of the still roofline."""
    return [one.row for line in chart_data.shown(drawn, "roofline") for one in line.points]


def marks(ax, muted=False):
    """(x, y) of every mark of a point."""
    return [
        (float(x), float(y))
        for line in ax.lines
        if line.get_marker() in style.MARKERS
        and line.get_linestyle() == "None"
        and (line.get_color() == style.MUTED) == muted
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def bars(ax):
    """(x, low, high) of every error bar."""
    found = []
    for line in (line for line in ax.lines if line.get_marker() == "_"):
        x, y = line.get_xdata(), line.get_ydata()
        found += [(x[i], y[i], y[i + 1]) for i in range(0, len(x), 3)]
    return found


def lines(ax):
    """(slopes of the bandwidth lines, heights of the arithmetic ones) that are drawn."""
    ends = [
        (*map(float, line.get_xdata()), *map(float, line.get_ydata()))
        for line in ax.lines
        if len(line.get_xdata()) == 2 and line.get_marker() == "None"
    ]
    slopes = [y0 / x0 for x0, x1, y0, y1 in ends if x0 < x1 and y0 < y1]
    return slopes, [y0 for x0, x1, y0, y1 in ends if x0 < x1 and y0 == y1]


def has(found, *wanted):
    """Whether such a tuple is among those found."""
    return any(tuple(one) == pytest.approx(wanted, rel=CLOSE) for one in found)


def level_of(made, point):
    """The rate of the level that a point's working set lies in, GB/s."""
    known = [one for one in made.levels if one.device == point.case.device]
    return next(
        (one.bytes_per_s / 1e9 for one in known[:-1] if point.working_set_bytes <= one.up_to_bytes),
        known[-1].bytes_per_s / 1e9,
    )


def panel(axes, rows, row):
    """The axes a row is drawn on, of rows of cells and columns of residencies."""
    cells = list(dict.fromkeys(one.case.cell for one in rows))
    kinds = {one.case.residency for one in rows}
    return axes[cells.index(row.case.cell), 0 if row.case.residency in kinds - {"resident"} else -1]


def test_a_point_of_the_roofline_stands_at_its_fraction_of_the_line_of_its_level(made):
    drawn = charts(made)
    axes, rows = measured_roofline.draw(drawn), whole_steps(drawn)
    assert rows
    for row in rows:
        ax = panel(axes, rows, row)
        x = row.counted_intensity or row.intensity
        slopes, flats = lines(ax)
        slope = level_of(made, row.point)
        if row.case.threads in (0, made.environment["threads"]):  # a GPU's own, or all
            assert any(slope == pytest.approx(one, rel=CLOSE) for one in slopes)
        else:
            slope = median(row.point.roof_bytes_per_s) / 1e9
        peaks = [flat for flat in flats if flat == pytest.approx(peak_of(made, row), rel=CLOSE)]
        line = min([slope * x, *peaks])
        assert has(marks(ax), x, row.fraction.median * line)
        if row.fraction.low < row.fraction.high:
            assert has(bars(ax), x, row.fraction.low * line, row.fraction.high * line)
    assert sum(len(marks(ax)) for ax in axes.flat) >= len(rows)


def peak_of(made, row):
    """The best product that a case's dtypes widen to, GFLOP/s; infinite where none was measured."""
    mine = ARITHMETIC[row.case.dtype, row.case.activations]
    rates = [
        max(roof.samples) / 1e9
        for roof in made.roofs
        if roof.kind == "matmul" and roof.dtype in mine and roof.threads == row.case.threads
    ]
    return max(rates, default=float("inf"))


def test_the_band_of_a_roof_holds_the_line_and_every_roof_beside_the_points(made):
    """But for resident points beside which more than twice the line was read: that was the level before."""
    drawn = charts(made)
    lines = chart_data.shown(drawn, "roofline")
    rows = [row for row in whole_steps(drawn) if row.case.threads == made.environment["threads"]]
    for level in made.levels if rows else ():
        beside = [
            median(row.point.roof_bytes_per_s)
            for row in rows
            if level_of(made, row.point) * 1e9 == pytest.approx(level.bytes_per_s)
            and (
                row.case.residency == "streamed"
                or median(row.point.roof_bytes_per_s) <= 2 * level.bytes_per_s
            )
        ]
        rate = level.bytes_per_s * chart_data.GIGA
        band = chart_data.moved(lines, {level.name: rate}).get(level.name)
        assert (band is None) == (not beside)
        if band:
            beside = [one * chart_data.GIGA for one in beside]
            assert band == (min(*beside, rate), max(*beside, rate))


def test_in_the_roofline_of_times_what_is_allowed_is_the_fraction_of_what_was_taken(made):
    drawn = charts(made)
    axes, rows = time_roofline.draw(drawn), whole_steps(drawn)
    dots = [
        (float(x), float(y))
        for ax in axes
        for line in ax.lines
        if line.get_marker() == "."
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]
    places = [place for ax in axes for place in marks(ax)]
    factor = max(map(max, places)) / max(row.seconds.median for row in rows)
    for row in rows:
        share = row.fraction.median
        here = [
            one
            for one in places
            if max(one) == pytest.approx(row.seconds.median * factor, rel=CLOSE)
        ]
        assert any(has(dots, x * share, y * share) for x, y in here)


def test_a_time_against_batch_is_what_the_drawn_roofs_allow_over_the_fraction(made):
    drawn = charts(made)
    axes, rows = batch.draw(drawn), whole_steps(drawn)
    cells = list(dict.fromkeys(row.case.cell for row in rows))
    own = {"cpu": "float32", "cuda": "bfloat16"}
    alike = [row for row in rows if row.case.dtype == own[row.case.device]]
    alike = [row for row in alike if row.point.fetched == ("W", "U")]
    assert alike
    cells = [cell for cell in cells if cell in {row.case.cell for row in alike}]
    kinds = {row.case.residency for row in alike}
    for row in alike:
        column = 0 if row.case.residency in kinds - {"resident"} else -1
        ax = axes[cells.index(row.case.cell), column]
        allowed = [y for x, y in marks(ax, muted=True) if x == row.case.batch]
        assert any(has(marks(ax), row.case.batch, y / row.fraction.median) for y in allowed)
    for ax in axes.flat:
        for x, y in marks(ax):
            assert any(x == at and y >= least * (1 - 0.03) for at, least in marks(ax, muted=True))


def test_the_steps_of_a_comparison_stand_under_the_lines_of_their_own_machines(made):
    systems = [
        measured.system(Analysis(made), "A"),
        measured.system(
            Analysis(replace(made, machine={**made.machine, "id": "other"}, points=slower(made))),
            "B",
        ),
        published.find("NVIDIA P100"),
    ]
    try:
        found = match.compare(systems)
    except match.BadInput:
        found = match.compare(systems[:2])
    axes, (points, _) = comparison.draw(found), comparison.shown(found)
    for index, one in enumerate(found.systems):
        own = [
            Drawn([line for line in ax.lines if line.get_color() == style.PALETTE[index]])
            for ax in axes.flat
        ]
        assert points[index]
        for entry in points[index]:
            if entry.fraction is None or entry.level is None:
                continue
            x, rate = (
                entry.flops / (entry.read + entry.written),
                dict(one.levels)[entry.level] / 1e9,
            )
            peaks = one.roofs[entry.work.threads].peaks if one.measured else one.roofs["all"].peaks
            peak = peaks.get((entry.work.dtype, entry.work.activations), float("inf")) / 1e9
            y = entry.fraction.median * min(rate * x, peak)
            # On a panel that has its mark and its line.
            assert any(
                has(marks(ax), x, y) and any(rate == pytest.approx(one) for one in lines(ax)[0])
                for ax in own
            )


def slower(made):
    """The same points, a tenth slower."""
    return tuple(replace(p, seconds=tuple(1.1 * s for s in p.seconds)) for p in made.points)


class Drawn:
    """Some of the lines of axes."""

    def __init__(self, lines):
        self.lines = lines


def test_the_page_draws_every_point_at_its_fraction_of_its_lines(made):
    drawn = charts(made)
    data = page_data(drawn)
    assert any("roofline" in point["marks"] for point in data["points"])
    rows = [one.row for line in drawn.lines for one in line.points]
    assert {row.point.key for row in rows} == {row.point.key for row in Analysis(made).rows}
    for point, row in zip(data["points"], rows, strict=True):
        series = data["series"][point["series"]]
        setup, name = data["setups"][series["setup"]], drawn.setups[series["setup"]].name
        share, marks = point["fraction"], point["marks"]
        rate = next(
            (one["rate"] for one in setup["levels"] if one["name"] == point["level"]),
            median(row.point.roof_bytes_per_s) / 1e9 if row.point.roof_bytes_per_s else None,
        )
        if "roofline" in marks:
            x, *ends, _ = marks["roofline"]
            line = min(rate * x, setup["peaks"].get(series["arithmetic"], float("inf")))
            for end, fraction in zip(ends, row.fraction, strict=True):
                assert end / line == pytest.approx(fraction, rel=SHORT)
        if "bandwidth_against_working_set" in marks:
            curve = next(one for one in setup["curves"] if one["name"] == f"read, {name}")
            x, y, *_ = marks["bandwidth_against_working_set"]
            line = at(curve, x)
            assert y / line <= share * (1 + SHORT)
            # the fraction is the median of what is longer round by round
            moving = row.byte_times
            products = row.flop_times
            longer = all(b > f for b, f in zip(moving, products, strict=True))
            if longer and not row.point.projection:
                assert y / line == pytest.approx(share, rel=SHORT)


def at(curve, working_set):
    """A drawn curve, straight between its marks on logarithmic axes."""
    ends = curve["places"]
    for (x0, y0), (x1, y1) in pairwise(ends):
        if x0 <= working_set <= x1:
            return exp(log(y0) + log(y1 / y0) * log(working_set / x0) / log(x1 / x0))
    return ends[-1][1] if working_set > ends[-1][0] else ends[0][1]


def test_a_point_without_a_fraction_is_in_no_picture():
    bare = replace(synthetic.point(batch=2), roof_bytes_per_s=())
    axes = measured_roofline.draw(charts(profile([synthetic.point(), bare])))
    assert len(marks(axes[0, 0])) == 1
    assert measured_roofline.draw(charts(profile([bare]))) is None
    assert batch.draw(charts(profile([bare]))) is None
    assert not isnan(marks(axes[0, 0])[0][1])
