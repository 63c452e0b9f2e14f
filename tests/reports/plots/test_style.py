"""The look that pictures and page share."""

from __future__ import annotations

from bench.profile import suite
from reports.plots import style


def test_an_implementation_keeps_its_colour(made):
    for shown in (["torch_cell"], [point.implementation for point in made.points]):
        assert style.colours(shown)["torch_cell"] == style.PALETTE[0]


def test_implementations_of_a_suite_have_a_colour_each():
    """A run of suite gpu had eight in six colours: its two fused steps looked alike."""
    for name in suite.names():
        shown = {point.implementation for point in suite.load(name, "cuda", 2, 0).points}
        assert len(set(style.colours(shown).values())) == len(shown), name
