"""Ratios of medians: their intervals hold the truth, and words are given to intervals, not to points."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from bench.profile.stats import Estimate
from reports.compare import ratios


def noisy(middle, spread, count, seed):
    """Samples around a known middle."""
    return tuple(np.random.default_rng(seed).normal(middle, spread * middle, count))


def ratio(before, after):
    """Of one visit of one run."""
    return ratios.ratio([[before]], [[after]])


def test_a_ratio_of_scaled_samples_is_the_scale_exactly():
    before = noisy(1e-3, 0.05, 17, 1)
    found = ratio(before, tuple(2 * value for value in before))
    assert found.median == pytest.approx(2, rel=1e-12)
    assert found.low < 2.0 < found.high


def test_the_same_samples_are_one_measurement():
    before = noisy(1e-3, 0.3, 11, 1)
    assert ratio(before, before) == Estimate(1, 1, 1)


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says():
    hits = [
        found.low <= 1.1 <= found.high
        for seed in range(300)
        for found in [ratio(noisy(1, 0.03, 15, 2 * seed), noisy(1.1, 0.03, 15, 2 * seed + 1))]
    ]
    assert 0.90 <= np.mean(hits) <= 0.995


def test_a_ratio_is_the_same_each_time_and_turned_round_it_is_inverted():
    before, after = noisy(1, 0.02, 12, 1), noisy(1.3, 0.02, 12, 2)
    found, back = ratio(before, after), ratio(after, before)
    assert found == ratio(before, after)
    assert back.median == pytest.approx(1 / found.median)
    assert back.low == pytest.approx(1 / found.high, rel=0.01)


@pytest.mark.parametrize(
    ("low", "middle", "high", "word"),
    [
        (1.03, 1.05, 1.07, "slower"), (1.001, 1.05, 1.10, "slower"), (0.99, 1.05, 1.10, "ambiguous"),
        (1.003, 1.005, 1.007, "same"), (1, 1, 1, "same"), (0.97, 1.00, 1.03, "ambiguous"),
        (0.90, 0.93, 0.96, "faster"), (0.90, 0.95, 1.01, "ambiguous"), (1.015, 1.019, 1.03, "ambiguous"),
        (0.981, 0.99, 1.0, "same"),
    ],
)  # fmt: skip
def test_a_word_needs_its_whole_interval(low, middle, high, word):
    assert ratios.judged(Estimate(middle, low, high)) == word


def test_the_mean_of_many_is_told_better_than_each():
    pairs = [([[noisy(1, 0.03, 11, i)]], [[noisy(1.05, 0.03, 11, 1000 + i)]]) for i in range(60)]
    each, found = ratios.ratio(*pairs[0]), ratios.mean(pairs)
    assert found.low > 1.02
    assert found.high - found.low < (each.high - each.low) / 3


def test_a_step_follows_the_limits_it_meets_the_nearest_first():
    limits = {"bandwidth": 2.1, "arithmetic": 1.95, "call": 5.0}
    assert ratios.followed(2.0, limits) == ("arithmetic", "bandwidth")
    assert ratios.followed(3.0, limits) == ()
    assert ratios.followed(2.0, {"bandwidth": None, "call": 2.0}) == ("call",)


def test_few_runs_have_the_interval_of_student_not_of_so_few_values():
    """Of rounds that agree the interval is of the runs alone; Student's of two samples is the oracle."""
    before, after = (1.00, 1.03, 0.99), (1.10, 1.12, 1.17)
    found = ratios.ratio([[[one] * 5] for one in before], [[[one] * 5] for one in after])
    known = scipy.stats.ttest_ind(np.log(after), np.log(before)).confidence_interval(0.95)
    assert found.median == pytest.approx(np.exp(np.mean(np.log(after)) - np.mean(np.log(before))))
    assert np.log(found.low) == pytest.approx(known.low, abs=0.15 * (known.high - known.low))
    assert np.log(found.high) == pytest.approx(known.high, abs=0.15 * (known.high - known.low))


def test_visits_of_one_run_are_what_is_drawn_where_there_is_one_run():
    apart = [[[1.0] * 4, [1.1] * 4, [0.9] * 4]]
    alike = [[[1.0] * 4, [1.0] * 4, [1.0] * 4]]
    assert ratios.ratio(alike, apart).high > 1.15
    assert ratios.ratio(alike, [[[2.0] * 4] * 3]) == pytest.approx((2, 2, 2))
