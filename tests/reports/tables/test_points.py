"""Tables and the CSV: readable numbers, every point, and nothing that a spreadsheet or terminal would execute."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from bench.profile.records import Point, RunWarning, Visit
from bench.profile.stats import Estimate
from reports.analysis import wording
from reports.analysis.analysis import Analysis
from reports.tables import experiments, verdicts
from reports.tables import points as tables
from reports.tables.csv import points_csv
from tests.reports import synthetic
from tests.reports.synthetic import profile


def read(text):
    """The CSV's lines by name."""
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (0.01234, "0.0123"), (0.5, "0.500"), (4.567, "4.57"), (9.996, "10.0"), (78.91, "78.9"),
        (99.96, "100"), (123.4, "123"), (12345.6, "12,346"), (1.5e9, "1,500,000,000"), (None, "\N{EN DASH}"),
        (-0.0123, "-0.0123"), (-9.996, "-10.0"),
    ],
)  # fmt: skip
def test_numbers_have_three_digits_and_no_exponent(value, text):
    assert wording.number(value) == text


def test_percentages_sizes_and_units_read_as_people_write_them():
    assert [wording.percent(value) for value in (0.873, 0.0123, 0.9987, 1.0, None)] == [
        "87 %",
        "1.2 %",
        "99.9 %",
        "100 %",
        "\N{EN DASH}",
    ]
    assert wording.percent_range(Estimate(0.87, 0.85, 0.89)) == "85\N{EN DASH}89 %"
    assert wording.percent_range(Estimate(0.87, 0.868, 0.871)) == "87 %"
    assert [wording.size(value) for value in (100, 32 << 10, 3 << 19, 1 << 35)] == [
        "100 B",
        "32 KiB",
        "1.5 MiB",
        "32 GiB",
    ]
    assert wording.time_unit([1e-5, 2e-4, 3e-2]) == ("\u00b5s", 1e6)
    assert wording.time_unit([2e-3]) == ("ms", 1e3)


def test_every_planned_point_has_a_line_in_the_csv_with_si_figures():
    skipped = Point(synthetic.point(batch=2).case, "torch_cell", "skipped", reason="no, thanks")
    good, missing = read(points_csv(Analysis(profile([synthetic.point(fraction=0.5), skipped]))))
    assert float(good["fraction_median"]) == pytest.approx(0.5)
    assert float(good["seconds_median"]) == pytest.approx(float(good["limit_seconds_median"]) / 0.5)
    assert float(good["arithmetic_roof_flop_per_s"]) == 180e9
    assert good["confirmed"] == "False"
    assert (missing["status"], missing["reason"], missing["seconds_median"]) == (
        "skipped",
        "no, thanks",
        "",
    )


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_no_text_is_a_formula(reason):
    point = Point(synthetic.point().case, "a", "failed", reason=reason)
    assert read(points_csv(Analysis(profile([point]))))[0]["reason"].startswith("'")


def test_the_csv_of_nothing_is_empty():
    assert points_csv(Analysis(profile())) == ""


def test_the_points_table_sorts_by_numbers_and_names_warnings():
    point = synthetic.point()
    warning = RunWarning(
        "noisy", f"{point.key}, another-point", "interval of 9 %", "measure longer"
    )
    failed = Point(replace(point.case, batch=2), "torch_cell", "failed")
    table = tables.points(Analysis(profile([point, failed], warnings=(warning,))))
    by_name = dict(zip(table.header, table.numeric, strict=True))
    assert by_name["GB/s"]
    assert by_name["H"]
    assert not by_name["verdict"]
    first, second = table.rows
    assert first[-1].text == "noisy"
    assert second[-2].text == "failed: no reason recorded"
    assert len({len(row) for row in (table.header, *table.rows)}) == 1


def test_verdicts_of_a_series_are_told_in_runs():
    points = [
        synthetic.point(fraction=f, batch=b)
        for f, b in ((0.9, 1), (0.9, 2), (0.5, 4), (0.4, 8), (0.9, 16))
    ]
    (row,) = verdicts.by_series(Analysis(profile(points))).rows
    dash, mark, by = "\N{EN DASH}", "\N{DAGGER}", "\N{MULTIPLICATION SIGN}"
    assert row[2].text == (
        f"B 1{dash}2: bandwidth (DRAM) {mark}; "
        f"B 4{dash}8: implementation (2.0{dash}2.5{by} to gain) {mark}; B 16: compute {mark}"
    )


def test_evidence_shows_what_a_verdict_rests_on():
    table = verdicts.evidence(Analysis(profile([synthetic.point(fraction=0.5)])))
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["t_bytes"].sort > row["t_flops"].sort
    assert row["t_floor"].sort == 1e-6
    assert row["fraction"].text == "50 %"


def test_every_name_of_a_case_tells_training_from_inference():
    step, train = synthetic.point(), synthetic.point(phase="train")
    assert wording.setting(train.case) == wording.setting(step.case).replace("lstm,", "lstm train,")
    assert wording.short(train.case) == wording.short(step.case).replace("lstm ", "lstm train ")
    rows = tables.points(Analysis(profile([train, step]))).rows
    assert [row[1].text for row in rows] == ["cell", "cell, train"]


def test_what_does_not_follow_its_roof_has_a_range_of_it_and_the_time_it_could_gain():
    """Limit and call together take half of the time, one of them a tenth: twice the speed, not ten thirds."""
    wide = synthetic.point(fraction=0.4, spread=0.2)
    slow = replace(wide, floor_seconds=0.1 * wide.seconds[5])
    near = synthetic.point(batch=2, fraction=0.9)
    analysis = Analysis(profile([slow, near]))
    table = tables.points(analysis)
    column = table.header.index("% of roof")
    low, high = table.rows[0][column].text.removesuffix(" %").split("\N{EN DASH}")
    assert (int(low), int(high)) == pytest.approx((36, 44), abs=2)
    assert table.rows[1][column].text == "90 %"
    assert "2.0\N{MULTIPLICATION SIGN} to gain" in table.rows[0][-2].text


def test_roof_drift_has_the_roofs_it_lies_between():
    point = synthetic.point(fraction=0.9)
    roofs = tuple(rate * 1e9 for rate in (60, 59, 57, 55, 52, 50) for _ in (1, 2))
    drifted = replace(
        point,
        seconds=tuple(point.seconds[5] * 52e9 / roof for roof in roofs),
        roof_bytes_per_s=roofs,
        visits=(Visit(synthetic.AT, 2),) * 6,
    )
    (row,) = experiments.outcomes(Analysis(profile([drifted]))).rows
    texts = [cell.text for cell in row]
    assert "roof drift" in texts
    assert "60.0 GB/s \N{RIGHTWARDS ARROW} 50.0 beside it" in texts
