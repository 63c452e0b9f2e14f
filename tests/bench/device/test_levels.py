"""Levels are found on synthetic curves whose plateaus are known."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.device import levels

KIB, MIB = 1 << 10, 1 << 20
SIZES = [size for power in range(14) for size in (32 * KIB << power, 48 * KIB << power)][:-1]
"""32 KiB to 256 MiB, two per doubling."""

THREE_CACHES = ((96 * KIB, 300e9), (2 * MIB, 150e9), (32 * MIB, 80e9), (None, 20e9))

curves = st.integers(1, 30).flatmap(
    lambda count: st.lists(st.floats(1e9, 1e12), min_size=count, max_size=count).map(
        lambda rates: dict(zip(SIZES, rates, strict=False))
    )
)


def stairs(steps, noise=0.0, seed=0):
    """A curve of plateaus (end, byte/s); noise is the largest relative deviation of a size."""
    chance = random.Random(seed)
    return {
        size: next(rate for end, rate in steps if end is None or size <= end)
        * (1 + chance.uniform(-noise, noise))
        for size in SIZES
    }


@pytest.mark.parametrize("seed", range(20))
def test_three_caches_and_memory_are_found_through_five_per_cent_of_noise(seed):
    found = levels.plateaus(stairs(THREE_CACHES, noise=0.05, seed=seed))
    assert len(found) == 4
    for (end, rate), (true_end, true_rate) in zip(found, THREE_CACHES, strict=True):
        assert rate == pytest.approx(true_rate, rel=0.05)
        if true_end:
            # an odd size out, where noise crosses the middle between two levels, cannot happen at these ratios
            assert end == max(size for size in SIZES if size <= true_end)
    assert found[-1][0] == SIZES[-1]


def test_without_noise_the_levels_are_the_plateaus_themselves():
    found = levels.plateaus(stairs(THREE_CACHES))
    assert [end for end, _ in found] == [96 * KIB, 2 * MIB, 32 * MIB, SIZES[-1]]
    assert [rate for _, rate in found] == pytest.approx([rate for _, rate in THREE_CACHES])


@pytest.mark.parametrize("seed", range(5))
def test_a_flat_curve_is_one_level(seed):
    found = levels.plateaus(stairs(((None, 50e9),), noise=0.05, seed=seed))
    assert len(found) == 1
    assert found[0][0] == SIZES[-1]
    assert found[0][1] == pytest.approx(50e9, rel=0.05)
    (memory,) = levels.named("cpu", found, [(1, 64 * KIB), (2, MIB)])
    assert (memory.name, memory.up_to_bytes) == ("DRAM", None)
    assert levels.last_cache_bytes(found) == 0


def test_a_slope_between_two_plateaus_belongs_to_the_nearer_of_them():
    """From 4 to 32 MiB the rate falls by the same factor at every size: the middle of the slope ends the cache."""
    rates = []
    for size in SIZES:
        if size <= 4 * MIB:
            rates.append(100e9)
        elif size < 32 * MIB:
            share = len([s for s in SIZES if 4 * MIB < s <= size]) / len(
                [s for s in SIZES if 4 * MIB < s <= 32 * MIB]
            )
            rates.append(100e9 * 0.2**share)
        else:
            rates.append(20e9)
    found = levels.plateaus(dict(zip(SIZES, rates, strict=True)))
    assert [rate for _, rate in found] == pytest.approx([100e9, 20e9], rel=0.05)
    assert 8 * MIB <= found[0][0] <= 16 * MIB


ZEN_4 = (
    128,
    "L1 0.0625 L2 1.5 L3 32",
    """0.03125:457 0.046875:463 0.0625:456 0.09375:246 0.125:240 0.1875:238 0.25:235 0.375:234 0.5:235 0.75:233 1:231
    1.5:216 2:203 3:197 4:198 6:198 8:199 12:196 16:195 24:182 32:145 64:77 128:64 256:62 512:62 1024:63""",
)
ZEN_4_IN_HASTE = (
    128,
    "L1 0.0625 L2 1 L3 16",
    """0.03125:410 0.0625:451 0.125:232 0.25:232 0.5:233 1:230 2:201 4:188 8:190 16:187 32:68 64:40 128:34 256:33
    512:34 1024:33""",
)
ZEN_4_DISTURBED = (
    64,
    "L1 0.0625 L2 1.5 L3 24",
    """0.03125:429 0.046875:437 0.0625:402 0.09375:237 0.125:210 0.1875:234 0.25:229 0.375:235 0.5:235 0.75:234 1:220
    1.5:221 2:195 3:192 4:191 6:188 8:188 12:195 16:189 24:114 32:30 64:17 128:21 256:23 512:26 1024:26""",
)


@pytest.mark.parametrize("measured", [ZEN_4, ZEN_4_IN_HASTE, ZEN_4_DISTURBED])
def test_the_levels_of_measured_curves_are_the_machines(measured):
    """MiB and GB/s of two cores of a Zen 4, which reports 64 KiB, 2 MiB and 32 MiB; from where rounds were flat."""
    flat, expected, points = measured
    pairs = (one.split(":") for one in points.split())
    curve = {int(float(mib) * MIB): float(rate) * 1e9 for mib, rate in pairs}
    found = levels.named(
        "cpu", levels.plateaus(curve, flat * MIB), [(1, 64 * KIB), (2, 2 * MIB), (3, 32 * MIB)]
    )
    ends = [f"{one.name} {one.up_to_bytes / MIB:g}" for one in found[:-1] if one.up_to_bytes]
    assert " ".join(ends) == expected


@pytest.mark.parametrize("fall", [1.06, 1.08, 1.1])
def test_a_run_that_falls_by_more_than_a_twentieth_from_size_to_size_is_an_edge(fall):
    """Two levels with 12 sizes between them that fall by the same factor: so little that one mean nearly fits three."""
    rates = [100e9] * 7 + [100e9 / fall**power for power in range(1, 13)]
    curve = dict(zip(SIZES, rates + [rates[-1]] * 8, strict=True))
    found = levels.plateaus(curve)
    assert [rate for _, rate in found] == pytest.approx([100e9, rates[-1]], rel=0.03)


@pytest.mark.parametrize("ratio", [1.5, 2.0, 4.0, 6.0])
def test_the_tail_of_a_cache_that_keeps_a_part_of_every_set_is_no_level(ratio):
    """Through 2 % of noise; of 40 such curves. Three quarters of a set of four times the cache come from memory."""
    memory, cache, wrong = 20e9, MIB, 0
    for seed in range(40):
        chance = random.Random(seed)
        curve = {
            size: size
            / (min(size, cache) / (ratio * memory) + max(0, size - cache) / memory)
            * (1 + chance.gauss(0, 0.02))
            for size in SIZES
        }
        found = levels.plateaus(curve)
        wrong += len(found) != 2
        assert cache <= found[0][0] <= 4 * cache
    assert wrong <= 3


def test_levels_that_noise_alone_would_part_are_one():
    """At 8 % of noise, means of a few sizes lie a step apart; of 40 curves of one cache that fades, and memory."""
    memory, cache, wrong = 20e9, 3 * MIB, 0
    for seed in range(40):
        chance = random.Random(seed)
        curve = {
            size: size
            / (min(size, cache) / (2 * memory) + max(0, size - cache) / memory)
            * (1 + chance.gauss(0, 0.08))
            for size in SIZES
        }
        wrong += len(levels.plateaus(curve)) != 2
    assert wrong <= 6


def test_two_sizes_are_a_first_level_and_a_doubling_is_one_between_others():
    curve = dict.fromkeys([32 * KIB, 64 * KIB], 400e9) | dict.fromkeys(
        [128 * KIB, 256 * KIB], 200e9
    )
    curve |= dict.fromkeys([512 * KIB << power for power in range(11)], 50e9)
    assert [end for end, _ in levels.plateaus(curve)] == [64 * KIB, 256 * KIB, 512 * MIB]


def test_where_memorys_rate_is_known_the_last_level_has_it():
    curve = stairs(THREE_CACHES)
    found = levels.plateaus(curve, 64 * MIB, 18e9)
    assert [rate for _, rate in found] == pytest.approx([300e9, 150e9, 80e9, 18e9])


def test_steps_smaller_than_an_eighth_are_one_level():
    found = levels.plateaus(stairs(((MIB, 110e9), (None, 100e9))))
    assert len(found) == 1


def test_a_curve_that_rises_with_the_working_set_is_noise_and_one_level():
    rates = [50e9 * 1.02**number for number in range(len(SIZES))]
    assert len(levels.plateaus(dict(zip(SIZES, rates, strict=True)))) == 1


def test_no_curve_has_no_levels():
    with pytest.raises(ValueError, match="no read curve"):
        levels.plateaus({})


def test_a_virtual_machine_that_reports_its_hosts_cache_keeps_the_curves_end_for_it():
    """The system says 260 MiB; the curve falls at 24 MiB, and the curve wins."""
    found = levels.plateaus(
        stairs(((96 * KIB, 300e9), (2 * MIB, 150e9), (24 * MIB, 80e9), (None, 20e9)))
    )
    named = levels.named("cpu", found, [(1, 96 * KIB), (2, 4 * MIB), (3, 260 * MIB)])
    assert [level.name for level in named] == ["L1", "L2", "L3", "DRAM"]
    assert [level.up_to_bytes for level in named] == [96 * KIB, 2 * MIB, 24 * MIB, None]
    assert levels.last_cache_bytes(found) == 24 * MIB


def test_the_middle_of_a_level_lies_inside_it_on_whole_pages_and_that_of_memory_at_its_end():
    found = levels.plateaus(stairs(THREE_CACHES))
    middles = list(levels.middles(levels.named("cpu", found, []), 32 * KIB, 128 * MIB).values())
    ends = [32 * KIB, *(end for end, _ in found)]
    for middle, (start, end) in zip(middles[:-1], pairwise(ends), strict=False):
        assert start <= middle <= end
        assert middle % 4096 == 0
    assert middles[-1] == 128 * MIB


@given(curves)
def test_levels_are_never_none_their_ends_ascend_and_their_rates_descend_by_a_step(curve):
    found = levels.plateaus(curve)
    assert found
    assert found[-1][0] == max(curve)
    for (end, rate), (next_end, next_rate) in pairwise(found):
        assert end < next_end
        assert rate >= 0.999 * levels.STEP * next_rate
    assert {end for end, _ in found} <= curve.keys()


@given(curves, st.sampled_from([0.5, 3.0, 1000.0]))
def test_a_machine_faster_in_everything_has_the_same_levels_faster(curve, factor):
    found = levels.plateaus(curve)
    scaled = levels.plateaus({size: rate * factor for size, rate in curve.items()})
    assert [end for end, _ in scaled] == [end for end, _ in found]
    assert [rate for _, rate in scaled] == pytest.approx([rate * factor for _, rate in found])


@given(curves)
def test_no_level_is_faster_than_the_fastest_size_or_slower_than_the_slowest(curve):
    for _, rate in levels.plateaus(curve):
        assert min(curve.values()) * 0.999 <= rate <= max(curve.values()) * 1.001


@pytest.mark.parametrize(
    ("found", "reported", "meant"),
    [
        (24 * MIB, 32 * MIB, 32 * MIB),
        (16 * MIB, 32 * MIB, 32 * MIB),
        (15 * MIB, 32 * MIB, 15 * MIB),
        (48 * MIB, 32 * MIB, 48 * MIB),
        (512 * KIB, 32 * MIB, MIB),
        (0, 32 * MIB, 32 * MIB),
    ],
)
def test_streamed_weights_outgrow_what_was_found_or_what_is_reported_a_little_above(
    found, reported, meant
):
    assert levels.last_level(found, reported) == meant
