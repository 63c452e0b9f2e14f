"""What the tests of pictures share: a profile's axes, its files, its text."""

from __future__ import annotations

from reports.analysis.analysis import Analysis
from reports.page import build
from reports.plots import bandwidth, batch, chart_data, measured_roofline


def charts(made):
    """What is drawn of a profile."""
    return chart_data.charts(Analysis(made))


def roofline(made):
    """The axes of its roofline."""
    return measured_roofline.draw(charts(made))


def time_against_batch(made):
    """The axes of its times."""
    return batch.draw(charts(made))


def bandwidth_against_working_set(made):
    """The axes of its curves."""
    return bandwidth.draw(charts(made))


def saved(made, folder):
    """Its pictures, written: their names."""
    pictures = chart_data.pictures(charts(made))
    build.save_pictures(charts(made), folder, pictures)
    return list(pictures)


def texts(ax):
    """All text drawn on axes."""
    return [text.get_text() for text in ax.texts]
