"""The look that pictures and page share."""

from __future__ import annotations

from reports.plots import style


def test_an_implementation_keeps_its_colour(made):
    for shown in (["torch_cell"], [point.implementation for point in made.points]):
        assert style.colours(shown)["torch_cell"] == style.PALETTE[0]
