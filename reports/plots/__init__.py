"""Pictures: what is drawn is computed once (`chart_data`); a module each draws a still picture, the page the rest.

Decides nothing; no table, no text of a report. Imports `analysis`, `compare` and the wording of tables.
"""

from typing import Any

from bench.profile.records import Profile


def roofline(profile: Profile, ax: Any = None) -> Any:
    """The measured roofline, into `ax` or a figure of its own; returns the axes, None without a point to draw."""
    from reports.analysis.analysis import Analysis
    from reports.plots import chart_data, measured_roofline

    return measured_roofline.draw(chart_data.charts(Analysis(profile)), ax)
