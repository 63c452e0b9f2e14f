"""A promise, and where all of them are: each module of MODULES exports its own as PROMISES."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import inf, sqrt
from pathlib import Path

import numpy as np

MODULES = ("intervals", "verdicts", "gates", "levels", "predictions", "fleets")
FIGURES = Path(__file__).with_name("figures.json")
SEED = 20261127


@dataclass(frozen=True)
class Promise:
    """Something that the method promises, how it is simulated, and between which bounds it must come out.

    section   of METHODOLOGY, or another document
    name      identifies it in figures.json: `interval, visits 4 %`
    text      what is promised, as the table says it
    simulate  a generator of random numbers and a number of trials in, the figure out
    least     the least that it may be, `most` the most
    trials    of the figure that is published; `quick` of the one that the tests look at
    share     whether the figure is a share of the trials, so that its own chance is binomial; else `within` says by how
              much a quick figure may lie beyond its bound
    """

    section: int | str
    name: str
    text: str
    simulate: Callable[[np.random.Generator, int], float]
    least: float = -inf
    most: float = inf
    trials: int = 5000
    quick: int = 500
    share: bool = True
    within: float = 0.0

    def figure(self, trials: int) -> float:
        """As simulated so many times, with a seed of its own."""
        seed = [SEED, *self.name.encode()]
        return float(self.simulate(np.random.default_rng(seed), trials))

    def slack(self, trials: int) -> float:
        """By how much chance alone may carry a figure of so many trials beyond its bound: four standard deviations."""
        if not self.share:
            return self.within
        bounds = [bound for bound in (self.least, self.most) if 0 < bound < 1]
        return max((4 * sqrt(bound * (1 - bound) / trials) for bound in bounds), default=0.0)


def every() -> tuple[Promise, ...]:
    """All promises of the modules that there are."""
    found: list[Promise] = []
    for name in MODULES:
        if Path(__file__).with_name(f"{name}.py").exists():
            found += import_module(f"tests.statistics.{name}").PROMISES
    return tuple(found)


def published() -> dict[str, dict[str, float]]:
    """The figures as last simulated in full: by a promise's name its `figure` and `trials`."""
    known: dict[str, dict[str, float]] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return known


def table() -> list[str]:
    """The promises of METHODOLOGY and their figures, as bench/PROMISES.md shows them."""
    known = published()
    lines = ["| section | promised | bar | simulated | trials |", "| --- | --- | --- | --- | --- |"]
    for one in every():
        if not isinstance(one.section, int):
            continue  # another document's
        found = known[one.name]
        cells = [one.text, bar(one), f"{found['figure']:.3g}", f"{found['trials']:,}"]
        lines.append(f"| {one.section} | {' | '.join(cells)} |")
    return lines


def bar(one: Promise) -> str:
    """Between which bounds it must come out, in words."""
    if one.least == -inf and one.most == inf:
        return "none"
    if one.least > -inf and one.most < inf:
        return f"{one.least:g} to {one.most:g}"
    return f"at least {one.least:g}" if one.least > -inf else f"at most {one.most:g}"
