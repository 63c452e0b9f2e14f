"""What a terminal shows: figures, verdicts and reasons as they are, and nothing that would steer it."""

from __future__ import annotations

from bench.profile.records import Point
from reports.analysis.analysis import Analysis
from reports.page import terminal
from tests.reports import synthetic
from tests.reports.synthetic import profile


def test_the_closing_table_shows_figures_verdicts_and_reasons(capsys):
    failed = Point(
        synthetic.point(batch=2).case, "torch_cell", "failed", reason="[bold]wrong[/nope]"
    )
    terminal.closing(Analysis(profile([synthetic.point(fraction=0.5, spread=0.02), failed])))
    text = capsys.readouterr().out
    assert "lstm 1024 streamed float32" in text
    assert "49\N{EN DASH}51 %" in text
    # of 11 rounds from 0.98 to 1.02 the interval ends a little beyond the third and the ninth
    assert "1.2 %" in text
    assert "2.0\N{MULTIPLICATION SIGN} to gain) \N{DAGGER}" in text
    assert "failed: [bold]wrong[/nope]" in text
    assert "unconfirmed" in text


def test_a_rule_parts_series_and_no_points_of_one(capsys):
    points = [synthetic.point(batch=batch) for batch in (1, 2)]
    terminal.closing(Analysis(profile(points)))
    within = capsys.readouterr().out.count("\u251c")
    terminal.closing(Analysis(profile([*points, synthetic.point("gru")])))
    assert (within, capsys.readouterr().out.count("\u251c")) == (0, 1)
