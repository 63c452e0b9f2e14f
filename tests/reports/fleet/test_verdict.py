"""What is said of a node by its passes: numbers in, held against medians and quantiles computed another way."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from reports.fleet import verdict
from reports.fleet.verdict import FAST, SAME, SLOW, UNTOLD

CHANCE = np.array([0.01])


def of(*nodes):
    """Passes of nodes in one figure, as `judge` takes them; the shorter rows lack passes."""
    most = max(map(len, nodes))
    rows = [[*row, *[np.nan] * (most - len(row))] for row in nodes]
    return np.array(rows, float)[:, :, None]


@pytest.mark.parametrize("nodes", [2, 3, 4, 7, 8])
def test_a_node_is_held_against_the_median_of_all_others(nodes):
    values = np.random.default_rng(nodes).standard_normal((nodes, 3))
    values[:2] = values[0]  # ties
    values[nodes // 2, 1] = np.nan
    found = verdict.leave_one_out(values)
    for row, column in np.ndindex(values.shape):
        others = np.delete(values[:, column], row)
        others = others[~np.isnan(others)]
        there = len(others) and not np.isnan(values[row, column])
        ordered, left = np.sort(others), len(others)
        # of an even number what lies nearest between the two middle ones
        ends = (ordered[(left - 1) // 2], ordered[left // 2]) if there else (np.nan, np.nan)
        expected = np.clip(values[row, column], *ends)
        assert found[row, column] == pytest.approx(expected, nan_ok=True)


def test_equal_nodes_beside_as_many_slow_ones_are_neither_fast_nor_slow():
    random = np.random.default_rng(9)
    values = random.normal(0, 0.003, (5, 2, 1))
    values[:2] += 0.1
    found = verdict.judge(values, CHANCE, 1.03)
    words = [found.word(row, 0, 1.03) for row in range(5)]
    assert words[:2] == [SLOW, SLOW]
    assert FAST not in words


def test_one_bad_pass_of_a_node_hides_no_other():
    random = np.random.default_rng(10)
    values = random.normal(0, 0.005, (8, 2, 1))
    values[1] += 0.08
    values[0, 1] += 0.4
    found = verdict.judge(values, CHANCE, 1.03)
    assert found.word(1, 0, 1.03) == SLOW
    assert found.word(0, 0, 1.03) == UNTOLD
    assert found.noise[0] < 0.01


def test_a_class_that_tells_next_to_nothing_says_so_and_ends():
    alone = verdict.judge(of((0.0, 0.1)), np.array([1e-9]), 1.03)
    assert np.isnan(alone.told).all()
    once = verdict.judge(of((0.0, 0.1), *[(0.0,)] * 5), np.array([1e-9]), 1.03)
    assert np.isnan(once.told).all()


@pytest.mark.parametrize("freedom", [1.0, 3.0, 10.0])
def test_far_away_the_smallest_slowdown_goes_on_as_before(freedom):
    below, above = (verdict._found(freedom, verdict.FAR * by) for by in (0.999, 1.001))
    assert above / below == pytest.approx(1.002, rel=0.002)


def test_the_interval_is_students_with_the_noise_of_all_passes():
    values = np.random.default_rng(1).normal(0, 0.01, (6, 2, 1))
    found = verdict.judge(values, CHANCE, 1.03)
    noise = np.sqrt(np.mean((values[:, 0, 0] - values[:, 1, 0]) ** 2) / 2)
    assert found.noise[0] == pytest.approx(noise)
    error = noise / np.sqrt(2) * np.sqrt(1 + np.pi / (8 + np.pi))  # of five others
    reach = stats.t.ppf(0.99, 6) * error
    assert found.high[0, 0] - found.shift[0, 0] == pytest.approx(reach)
    assert found.shift[0, 0] - found.low[0, 0] == pytest.approx(reach)


def test_the_variance_of_a_median_is_about_that_of_normal_samples():
    random = np.random.default_rng(2)
    for count in (1, 3, 7, 21):
        drawn = np.median(random.standard_normal((40_000, count)), axis=1)
        assert verdict.median_variance(np.array([count]))[0] == pytest.approx(drawn.var(), rel=0.04)


def test_the_smallest_slowdown_is_found_in_four_of_five_fleets():
    random = np.random.default_rng(3)
    error, freedom, reach = 0.01, 8.0, stats.t.ppf(0.99, 8)
    least = verdict.smallest(
        np.array([error]), np.array([freedom]), np.array([reach]), np.log(1.001)
    )[0]
    seen = least + error * random.standard_normal(200_000)
    known = error * np.sqrt(random.chisquare(freedom, 200_000) / freedom)
    assert np.mean(seen > reach * known) == pytest.approx(verdict.POWER, abs=0.01)


def test_three_slow_nodes_of_eight_do_not_hide_one_another():
    random = np.random.default_rng(4)
    values = random.normal(0, 0.005, (8, 2, 1))
    values[:3] += 0.1
    found = verdict.judge(values, CHANCE, 1.03)
    words = [found.word(row, 0, 1.03) for row in range(8)]
    assert words[:3] == [SLOW] * 3
    assert SLOW not in words[3:]


def test_words_follow_from_the_interval_and_from_what_is_asked():
    values = of((0.0, 0.001), (0.0, -0.001), (0.0, 0.001), (0.1, 0.101), (-0.1, -0.101))
    found = verdict.judge(values, CHANCE, 1.03)
    assert [found.word(row, 0, 1.03) for row in range(5)] == [SAME, SAME, SAME, SLOW, FAST]
    assert found.word(3, 0, 1.2) == SAME
    wide = verdict.judge(of((0.0, 0.1), (0.1, 0.0), (0.05, -0.05)), CHANCE, 1.03)
    assert {wide.word(row, 0, 1.03) for row in range(3)} == {UNTOLD}


def test_one_pass_each_tells_no_noise_and_calls_nobody_slow():
    found = verdict.judge(of((0.0,), (0.0,), (0.5,)), CHANCE, 1.03)
    assert found.shift[2, 0] == 0.5
    assert np.isinf(found.high).all()
    assert np.isnan(found.told[0])
    assert found.word(2, 0, 1.03) == UNTOLD


def test_a_node_of_one_pass_is_held_by_the_noise_of_the_others():
    random = np.random.default_rng(5)
    rows = [tuple(random.normal(0, 0.005, 2)) for _ in range(8)]
    found = verdict.judge(of(*rows, (0.2,)), CHANCE, 1.03)
    assert found.word(8, 0, 1.03) == SLOW
    once, twice = (found.high - found.shift)[[8, 0], 0]
    assert once > twice


def test_a_node_whose_passes_lie_far_apart_is_judged_by_its_own():
    random = np.random.default_rng(6)
    rows = [tuple(random.normal(0, 0.005, 2)) for _ in range(20)]
    found = verdict.judge(of(*rows, (0.0, 0.4)), CHANCE, 1.03)
    assert found.shift[20, 0] > 0.15
    assert found.word(20, 0, 1.03) == UNTOLD


def test_a_figure_that_a_node_lacks_is_not_said_of_it_and_moves_nobody():
    both = np.random.default_rng(7).normal(0, 0.01, (5, 2, 2))
    both[4, :, 1] = np.nan
    found = verdict.judge(both, np.array([0.01, 0.01]), 1.03)
    assert found.word(4, 1, 1.03) is None
    without = verdict.judge(both[:4], np.array([0.01, 0.01]), 1.03)
    assert found.shift[:4, 1] == pytest.approx(without.shift[:, 1])


def test_a_suspect_is_held_again_against_what_was_measured_beside_it():
    random = np.random.default_rng(8)
    first = random.normal(0, 0.01, (12, 2, 1))
    first[0] += 0.2
    judged = verdict.judge(first, CHANCE, 1.03)
    later = random.normal(0.3, 0.01, (12, 2, 1))  # all are slower since, the suspect no more
    assert not verdict.again(first[[0]], later[[0]], first[[1]], later[[1]], judged, 0.02, 1.03)
    later[0] += 0.2
    assert verdict.again(first[[0]], later[[0]], first[[1]], later[[1]], judged, 0.02, 1.03)
