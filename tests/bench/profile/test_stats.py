"""Medians and their intervals, against the standard library, numpy, and binomial sums in whole numbers."""

from __future__ import annotations

import random
import statistics
from fractions import Fraction
from math import comb, inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.profile import stats

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


def holding(n, k):
    """Probability that the k-th smallest and the k-th largest of n values hold the median between them."""
    return 1 - Fraction(2 * sum(comb(n, i) for i in range(k)), 2**n)


def rank(n):
    """The k of an estimate from n values: the values 1 to n show it."""
    found = stats.estimate(range(1, n + 1))
    assert found.low + found.high == n + 1
    return int(found.low)


@given(numbers)
def test_the_median_is_the_standard_librarys(values):
    assert stats.median(values) == pytest.approx(statistics.median(values))


def test_the_median_of_an_odd_count_is_the_middle_and_of_an_even_count_between_the_middles():
    assert stats.median([9, 1, 5]) == 5
    assert stats.median([9, 1, 5, 2]) == 3.5
    assert stats.median([4]) == 4


@given(numbers, st.floats(0, 1))
def test_a_quantile_is_numpys(values, q):
    assert stats.quantile(values, q) == pytest.approx(float(np.quantile(values, q)), abs=1e-6)


@pytest.mark.parametrize(
    "function", [stats.median, lambda values: stats.quantile(values, 0.5), stats.estimate]
)
def test_nothing_has_no_median(function):
    with pytest.raises(ValueError, match=r"no (values|median)"):
        function([])


@pytest.mark.parametrize(
    ("n", "k"), [(1, 1), (2, 1), (5, 1), (6, 1), (8, 1), (9, 2), (10, 2), (20, 6)]
)
def test_the_interval_runs_from_the_kth_smallest_to_the_kth_largest(n, k):
    """6, 9, 10 and 20 as in the tables of the sign test at 5 % (two-sided)."""
    values = list(range(1, n + 1))
    random.Random(n).shuffle(values)
    assert stats.estimate(values) == (statistics.median(values), k, n + 1 - k)


@pytest.mark.parametrize("n", [*range(6, 60), 99, 100, 399, 400, 1000, 1023])
def test_the_interval_is_the_narrowest_that_holds_the_median_95_times_in_100(n):
    k = rank(n)
    assert holding(n, k) >= Fraction(95, 100)
    assert holding(n, k + 1) < Fraction(95, 100)


@pytest.mark.parametrize("n", [1024, 1500, 4096])
def test_the_interval_of_very_many_values_holds_it_as_often_and_is_at_most_two_ranks_wider(n):
    k = rank(n)
    assert holding(n, k) >= Fraction(95, 100)
    assert holding(n, k + 2) < Fraction(95, 100)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_of_fewer_than_six_values_it_gives_the_extremes(n):
    assert stats.estimate(range(n)) == (statistics.median(range(n)), 0, n - 1)


@pytest.mark.parametrize("n", [10, 25])
def test_the_interval_of_skewed_samples_holds_the_true_median_as_often_as_promised(n):
    """Simulated: 2000 samples of an exponential distribution, whose median is log 2."""
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        _, low, high = stats.estimate([chance.expovariate(1) for _ in range(n)])
        held += low <= 0.6931471805599453 <= high
    promised = float(holding(n, rank(n)))
    assert abs(held / 2000 - promised) < 4 * (promised * (1 - promised) / 2000) ** 0.5
    assert held / 2000 > 0.94


@pytest.mark.parametrize("n", [20, 400])
def test_more_confidence_takes_a_wider_interval(n):
    wide, narrow = stats.estimate(range(n), 0.99), stats.estimate(range(n), 0.9)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_more_confidence_takes_a_wider_interval_of_very_many_values():
    test_more_confidence_takes_a_wider_interval(2000)


def test_both_tails_count_to_their_ends():
    """Of 6 values the second and the fifth hold the median 50 times in 64, not 52."""
    assert holding(6, 2) == Fraction(50, 64)
    assert stats.estimate(range(1, 7), 0.80) == (3.5, 1, 6)
    assert stats.estimate(range(1, 7), 0.78) == (3.5, 2, 5)


@given(numbers)
def test_the_interval_holds_the_sample_median(values):
    found = stats.estimate(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)


def test_half_width_is_a_fraction_of_the_median():
    assert stats.Estimate(2.0, 1.5, 2.5).half_width == 0.25
    assert stats.Estimate(0.0, -1.0, 1.0).half_width == inf
