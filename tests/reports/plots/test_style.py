"""The look that pictures and page share."""

from __future__ import annotations

from itertools import combinations
from math import dist

import pytest

from bench.profile import suite
from reports.plots import style


def test_an_implementation_keeps_its_colour(made):
    for shown in (["torch_cell"], [point.implementation for point in made.points]):
        assert style.colours(shown)["torch_cell"] == style.PALETTE[0]


def lab(colour):
    """L*, a* and b* of a colour in sRGB (IEC 61966-2-1, CIE 15)."""
    linear = []
    for at in (1, 3, 5):
        v = int(colour[at : at + 2], 16) / 255
        linear.append(v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4)
    rows = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
    white = (0.9505, 1.0, 1.089)
    x, y, z = (
        (sum(a * b for a, b in zip(row, linear, strict=True)) / most) ** (1 / 3)
        for row, most in zip(rows, white, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("screen", [style.LIGHT, style.DARK], ids=["light", "dark"])
def test_no_two_colours_of_a_screen_are_alike(screen):
    """On a dark screen blue and sky blue were 7.8 apart."""
    shown = style.LIGHT | screen
    colours = [lab(colour) for name, colour in shown.items() if name.startswith("colour-")]
    assert len(colours) == len(style.PALETTE)
    assert min(dist(a, b) for a, b in combinations(colours, 2)) > 18


def test_implementations_of_a_suite_have_a_colour_each():
    """A run of suite gpu had eight in six colours: its two fused steps looked alike."""
    for name in suite.names():
        shown = {point.implementation for point in suite.load(name, "cuda", 2, 0).points}
        assert len(set(style.colours(shown).values())) == len(shown), name
