"""The time left that a run tells is right within a quarter once a fifth of it is done."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from bench import progress, records
from bench.suite import Planned
from kernels.contract import Case

GALLERY = Path(__file__).parents[2] / "reports" / "gallery"
RUNS = sorted((Path(__file__).parent / "fixtures" / "times").glob("*.jsonl"))


def plan(*names, batch=1):
    return [Planned(Case("lstm", 64, 64, batch), name) for name in names]


def errors(planned, took):
    """How far the estimate is off, in shares of what was really left, from the first fifth until a tenth is left."""
    for done in range(-(-len(took) // 5), len(took)):
        left = sum(took[done:])
        if left < 0.1 * sum(took):
            return
        spent = list(zip(planned, took[:done], strict=False))
        yield abs(progress.seconds_left(spent, planned[done : len(took)], 1.0) / left - 1)


def test_without_any_point_measured_each_takes_what_it_is_said_to():
    assert progress.seconds_left([], plan("a", "b", "c"), 1.5) == 4.5


def test_points_alike_take_what_those_before_them_took():
    planned = plan(*"abababab")
    spent = list(zip(planned, [2.0, 1.0, 2.0, 1.0], strict=False))
    assert progress.seconds_left(spent, planned[4:], 9.0) == pytest.approx(6.0)


def test_nothing_left_takes_no_time():
    assert progress.seconds_left([(plan("a")[0], 3.0)], [], 9.0) == 0.0


def test_compiling_is_expected_of_new_cases_of_an_implementation_that_compiled_and_of_no_other():
    done = [(one, 1.0) for batch in (1, 2, 4, 8) for one in plan("eager", batch=batch)]
    done += [(one, 11.0) for batch in (1, 2, 4) for one in plan("compiles", batch=batch)]
    usual = 1.0
    met, new = plan("compiles", batch=4), plan("compiles", batch=64)
    assert progress.seconds_left(done, met, 9.0) == pytest.approx(usual)
    assert progress.seconds_left(done, new, 9.0) == pytest.approx(usual + 10.0 * 3 / 4)
    assert progress.seconds_left(done, plan("eager", batch=64), 9.0) == pytest.approx(usual)


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_on_runs_as_they_were_measured_it_is_right_within_a_quarter_from_the_first_fifth_on(path):
    """A line for a point: how many seconds it took, by whom, and what its case has of its own."""
    points = [json.loads(line) for line in path.read_text().splitlines()]
    planned = [Planned(Case(**case), name) for _, name, case in points]
    assert max(errors(planned, [seconds for seconds, _, _ in points])) < 0.25


@pytest.mark.parametrize(
    "path", sorted(GALLERY.glob("*/profile.json")), ids=lambda p: p.parent.name
)
def test_on_published_runs_it_is_too(path):
    """Its points' beginnings are known to the second; the last point's end is not, so it is left out."""
    points = records.load(path).points
    began = [datetime.fromisoformat(point.at).timestamp() for point in points]
    took = [after - before for before, after in pairwise(began)]
    planned = [Planned(point.case, point.implementation) for point in points]
    assert max(errors(planned, took)) < 0.25


def test_large_points_and_streamed_ones_and_long_sequences_are_expected_to_take_what_such_took():
    def point(hidden, residency="resident", steps=1):
        return Planned(Case("lstm", hidden, hidden, 1, residency=residency, steps=steps), "a")

    def truth(planned):
        case = planned.case
        weights = 8 * case.hidden**2 + 8 * case.hidden
        flops = 2 * 8 * case.hidden**2 * case.steps
        size = weights + flops / progress.FLOPS_PER_WEIGHT
        return 0.5 + 0.25 * (case.residency == "streamed") + 3e-8 * size

    done = [point(h, way) for h in (64, 512, 2048) for way in ("resident", "streamed")] * 2
    left = [point(4096, "streamed"), point(64), point(1024, steps=64)]
    spent = [(planned, truth(planned)) for planned in done]
    expected = sum(truth(planned) for planned in left)
    assert progress.seconds_left(spent, left, 9.0) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (3500, "58 min"), (3590, "1 h 0 min"), (7500, "2 h 5 min")],
)  # fmt: skip
def test_a_length_of_time_is_told_in_words(seconds, words):
    assert progress.told(seconds) == words
