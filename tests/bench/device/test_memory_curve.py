"""The read curve of planted machines: where memory begins is told by the curve, whatever the system reports."""

from __future__ import annotations

import random
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.device import cpu_sweep, memory_curve, memory_rate, sweeps
from bench.roofs import read
from bench.session import point_warnings
from bench.timing import call_limit, rounds

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
L1, L2 = 64 * KIB, 2 * MIB
REPORTED = 32 * MIB
CACHES = [(1, L1), (2, L2), (3, REPORTED)]
FREE = 6 * GIB


class Memory:
    """An arena that takes no memory; it remembers how large it became."""

    def __init__(self, most):
        self.most_bytes, self.size_bytes, self.address = most, 0, 0

    def grow(self, size):
        assert size <= self.most_bytes
        self.size_bytes = max(self.size_bytes, size)


def roof(size, count, variant, samples):
    return sweeps.record("cpu", read, variant, samples, threads=count, working_set_bytes=size)


@pytest.fixture
def swept(monkeypatch):
    """Sweep a machine whose bandwidth at each size is given, with so much noise; what is read off, and the arena."""
    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)

    def sweep(rate, most=FREE, noise=0.01, reported=REPORTED, thorough=True, seed=0, counts=(1, 2)):
        chance = random.Random(seed)

        def prepare(variant, _address, size, count):
            moved = read.bytes_per_pass(variant, size, count)
            assert moved, "too small a block, which the probe refuses"
            return SimpleNamespace(bytes=moved, size=size)

        def seconds(contender):
            return contender.run.bytes / rate(contender.run.size) * chance.uniform(1, 1 + 2 * noise)

        monkeypatch.setattr(read, "prepare", prepare)
        monkeypatch.setattr(
            rounds,
            "best",
            lambda contender, repeats, *_: [seconds(contender) for _ in range(repeats)],
        )
        monkeypatch.setattr(rounds, "once", lambda contender, _seconds: seconds(contender))
        monkeypatch.setattr(rounds, "again", lambda contender, _calls: seconds(contender))
        arena, limit = Memory(most), call_limit.Limit()
        roofs = list(memory_curve.sweep(arena, reported, 4096, counts, thorough, 1, limit))
        return memory_curve.read_off(roofs, max(counts), reported, CACHES), arena

    return sweep


def stairs(last_cache, cache=150e9, memory=50e9):
    """Bandwidth by size: two private caches, a shared one of `last_cache` bytes, memory."""

    def rate(size):
        if size <= L1:
            return 400e9
        if size <= L2:
            return 220e9
        return cache if size <= last_cache else memory

    return rate


def fading(start, end, cache=130e9, memory=76e9):
    """A cache that keeps a share of what is too large for it: the time of a byte goes from one to the other."""

    def rate(size):
        if size <= L2:
            return stairs(start)(size)
        missed = min(1.0, max(0.0, (size - start) / (end - start)))
        return 1 / ((1 - missed) / cache + missed / memory)

    return rate


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("last_cache", [16 * MIB, 32 * MIB, 64 * MIB, 256 * MIB])
def test_memory_begins_behind_the_cache_there_is_not_behind_the_one_reported(
    swept, last_cache, seed
):
    found, arena = swept(stairs(last_cache), seed=seed)
    assert [one.name for one in found.levels] == ["L1", "L2", "L3", "DRAM"]
    *_, cache, memory = found.levels
    assert cache.up_to_bytes == last_cache
    assert cache.bytes_per_s == pytest.approx(150e9, rel=0.05)
    assert memory.bytes_per_s == pytest.approx(50e9, rel=0.05)
    assert not found.unsure
    assert found.span >= 4 * last_cache
    assert found.span <= arena.most_bytes
    assert not list(point_warnings.of_memory(found.unsure, found.largest))


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_a_cache_that_fades_over_two_doublings_is_not_memory(swept, seed, thorough):
    found, _ = swept(fading(64 * MIB, 256 * MIB), seed=seed, thorough=thorough)
    memory = found.levels[-1]
    assert memory.name == "DRAM"
    assert memory.bytes_per_s == pytest.approx(76e9, rel=0.05)
    assert found.span >= 256 * MIB
    assert not found.unsure


@pytest.mark.parametrize("seed", range(5))
def test_a_curve_that_never_flattens_ends_in_the_largest_set_and_a_warning(swept, seed):
    found, arena = swept(lambda size: 400e9 * (32 * KIB / size) ** 0.15, seed=seed)
    assert found.levels[-1].name == "largest set"
    assert "DRAM" not in [one.name for one in found.levels]
    assert found.unsure
    assert found.largest == arena.size_bytes == 4 * GIB
    assert found.span == min(found.largest, max(GIB, 4 * found.last_cache))
    (warning,) = point_warnings.of_memory(found.unsure, found.largest)
    assert warning.code == "memory not reached"


def test_a_curve_goes_on_to_a_quarter_of_the_free_memory_and_no_further(swept):
    """Flat from 2 GiB on, which 4 GiB cannot tell: two doublings are asked for."""
    found, arena = swept(fading(64 * MIB, 2 * GIB))
    assert found.levels[-1].name == "largest set"
    found, arena = swept(fading(64 * MIB, 2 * GIB), most=8 * GIB)
    assert found.levels[-1].name == "DRAM"
    assert arena.size_bytes == 8 * GIB


def test_a_cache_that_keeps_a_part_of_every_set_lets_memory_be_told_where_its_sets_cannot_be_walked(
    swept,
):
    """Of 1 GiB, the most that may be walked, an eighth is kept; of 2.4 GiB a twentieth."""
    cache, memory = 130e9, 40e9

    def rate(size):
        kept = min(size, 128 * MIB)
        return size / (kept / cache + (size - kept) / memory)

    found, _ = swept(rate, most=GIB, noise=0.002)
    last = found.levels[-1]
    assert last.name == "DRAM"
    assert last.bytes_per_s == pytest.approx(memory, rel=0.02)
    assert rate(GIB) > 1.09 * memory
    assert not found.unsure
    assert found.span == GIB
    assert found.nearly_flat == pytest.approx(128 * MIB * (1 - memory / cache) / 0.05, rel=0.1)
    late = SimpleNamespace(
        key="late", status="ok", case=SimpleNamespace(residency="streamed"), working_set_bytes=GIB
    )
    (warning,) = point_warnings.of_streaming([late], found.nearly_flat)
    assert warning.code == "not streamed for sure"


def test_a_neighbours_burst_makes_no_curve_fall(swept):
    """For the first third of the rounds the largest set alone is slow."""
    calm, arena = swept(stairs(32 * MIB))
    met = []

    def disturbed(size):
        met.append(size)
        slow = size == GIB and met.count(GIB) <= 16
        return stairs(32 * MIB)(size) * (0.5 if slow else 1)

    found, grown = swept(disturbed)
    assert found.levels[-1].name == "DRAM"
    assert grown.size_bytes == arena.size_bytes == GIB
    assert found.span == calm.span


def test_where_little_memory_is_free_no_level_is_called_memory(swept):
    found, arena = swept(stairs(32 * MIB), most=64 * MIB)
    assert arena.size_bytes <= 64 * MIB
    assert found.levels[-1].name == "largest set"
    assert found.unsure


def test_a_flat_curve_of_little_memory_may_be_a_cache(swept):
    """8 MiB are reported, 32 there are, and no more may be walked: flat, and no memory."""
    found, _ = swept(stairs(32 * MIB), most=32 * MIB, reported=8 * MIB)
    assert found.levels[-1].name == "largest set"
    assert found.unsure
    found, _ = swept(stairs(8 * MIB), most=256 * MIB, reported=8 * MIB)
    assert found.levels[-1].name == "DRAM"


def test_where_nothing_is_flat_the_sets_span_four_times_the_last_cache_found_as_far_as_they_may(
    swept,
):
    found, _ = swept(lambda size: stairs(512 * MIB)(size) * (GIB / max(size, GIB)) ** 0.3)
    assert found.unsure
    assert found.last_cache == 512 * MIB
    assert found.span == 2 * GIB


def test_a_curve_without_any_step_leaves_the_reported_cache_to_be_outgrown(swept):
    found, _ = swept(lambda _size: 20e9)
    assert [one.name for one in found.levels] == ["DRAM"]
    assert found.span >= 4 * REPORTED


def test_a_sweep_that_took_long_is_not_begun_again_with_twice_as_much(swept, monkeypatch):
    """A machine with a terabyte whose curve never flattens: half an hour would go into it."""
    seconds = iter(range(0, 10**6, 40))
    monkeypatch.setattr(memory_curve, "perf_counter", lambda: next(seconds))
    found, _ = swept(lambda size: 400e9 * (32 * KIB / size) ** 0.15, most=256 * GIB)
    assert found.largest == GIB
    assert found.unsure


@pytest.mark.parametrize("reported", [1152 * MIB, 1 << 40])
def test_where_more_cache_is_reported_than_may_be_walked_the_curve_goes_as_far_as_it_may(
    swept, reported
):
    """It may be true, so that nothing walked is called memory."""
    for most in (16 * MIB, 768 * MIB, GIB):
        found, arena = swept(stairs(reported), most=most, reported=reported)
        assert arena.size_bytes == found.span == found.largest > most // 2
        assert found.levels[-1].name == "largest set"
        assert found.unsure


@pytest.mark.parametrize("threads", [1, 2, 64, 256])
@pytest.mark.parametrize("reported", [1, 4 * KIB, 64 * KIB])
def test_less_cache_reported_than_threads_can_share_out_costs_no_run(swept, reported, threads):
    found, _ = swept(stairs(32 * MIB), reported=reported, counts=(threads,))
    *_, cache, memory = found.levels
    assert (cache.up_to_bytes, memory.name) == (32 * MIB, "DRAM")


def test_a_cache_of_which_neighbours_hold_half_is_outgrown_as_if_they_were_gone(swept):
    found, _ = swept(stairs(24 * MIB))
    assert found.last_cache == REPORTED
    found, _ = swept(stairs(8 * MIB))
    assert found.last_cache == 8 * MIB


@pytest.mark.parametrize("faster", [1.05, 1.1])
def test_a_cache_hardly_faster_than_memory_is_no_level_and_lifts_memorys_bandwidth_by_nothing(
    swept, faster
):
    found, _ = swept(stairs(32 * MIB, cache=faster * 50e9), noise=0.001)
    assert [one.name for one in found.levels] == ["L1", "L2", "DRAM"]
    assert found.levels[-1].bytes_per_s == pytest.approx(50e9, rel=0.01)


def test_flat_is_less_than_four_percent_over_two_doublings():
    assert memory_rate.flat_from([{1: 100.0, 2: 99.0, 4: 97.0}]) == 1
    assert memory_rate.flat_from([{1: 100.0, 2: 97.0, 4: 95.9}]) is None
    assert memory_rate.flat_from([{1: 130.0, 2: 100.0, 4: 99.0, 8: 98.0}]) == 2
    assert memory_rate.flat_from([{1: 100.0, 2: 100.0}]) is None
    assert memory_rate.flat_from([]) is None


def test_flat_is_a_curve_within_rounds_however_fast_the_machine_is_in_each():
    """As between the sweeps at the start and the end of a run, where memory ran at 33 and at 52 GB/s."""
    start = [{1: 34.0, 2: 33.0, 4: 33.0}] * 9
    end = [{1: 52.0, 2: 52.0, 4: 51.0}] * 9
    assert memory_rate.flat_from(start + end) == 1
    assert memory_rate.flat_from(start + [{1: 52.0, 2: 52.0}] * 20) == 1


def test_all_sizes_have_their_turn_in_every_round(monkeypatch):
    """So that a machine that changes its speed changes it for all of them; and their order turns."""
    walked = []
    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)
    monkeypatch.setattr(read, "prepare", lambda _variant, _address, size, _count: size)
    monkeypatch.setattr(rounds, "once", lambda contender, _: walked.append(contender.run) or 1e-3)
    sets = [32 * MIB << power for power in range(6)]
    assert sets == [32 * MIB << power for power in range(6)]
    list(cpu_sweep.memory(Memory(GIB), sets, 4096, 2, read.VARIANTS[:1], 3, 1, call_limit.Limit()))
    assert walked == sets + sets[::-1] + sets


def test_beyond_the_caches_one_stream_and_several_are_swept():
    """Streams a power of two apart may share a bank: the best kind of a small set may be the worst of a large one."""
    rates = {"1x8x16": 30.0, "1x8x8": 31.0, "2x4x16": 33.0, "4x4x16": 34.0, "4x4x8": 35.0}
    roofs = [roof(64 * MIB, 1, name, [rate, rate - 5]) for name, rate in rates.items()]
    small = [roof(MIB, 1, "1x8x16", [99.0])]
    assert {variant.name for variant in cpu_sweep.fastest([*roofs, *small], 1)} == {
        "1x8x8",
        "4x4x8",
    }


def test_memory_that_was_faster_while_smaller_sets_were_swept_is_no_cache(swept, monkeypatch):
    """Every size up to 256 MiB is swept first, and the largest only afterwards, in rounds."""
    slowed = [1.0]
    fast = cpu_sweep.memory

    def later(*arguments):
        slowed[0] = 0.6
        return fast(*arguments)

    monkeypatch.setattr(cpu_sweep, "memory", later)

    def rate(size):
        return stairs(32 * MIB)(size) * (slowed[0] if size > 32 * MIB else 1.0)

    found, _ = swept(rate)
    assert [level.name for level in found.levels] == ["L1", "L2", "L3", "DRAM"]
    assert found.levels[-1].bytes_per_s == pytest.approx(30e9, rel=0.05)


def test_no_level_is_faster_than_what_was_read_of_it():
    """A cache keeps its speed when memory is faster for a while: 30 GB/s in a first sweep, 60 in a second."""
    memory = {1: 30e9, 2: 60e9}
    roofs = []
    for sweep in (1, 2):
        for size in cpu_sweep.sizes(GIB, thorough=False):
            rate = stairs(64 * MIB, cache=98e9, memory=memory[sweep])(size)
            samples = [rate] * (12 if sweep == 1 else 6)
            made = roof(size, 2, "1x8x16", samples)
            roofs.append(replace(made, sweep=sweep if size >= 32 * MIB else None))
    found = memory_curve.read_off(roofs, 2, REPORTED, CACHES)
    cache, last = found.levels[-2:]
    assert cache.bytes_per_s == pytest.approx(98e9, rel=1e-6)
    assert last.bytes_per_s == pytest.approx(60e9, rel=1e-6)


def test_a_machine_hundreds_of_times_slower_has_a_curve_in_bounded_time(swept):
    """As emulated: where a pass over memory takes more than a second, larger sets are not walked."""
    found, _ = swept(lambda size: stairs(32 * MIB)(size) / 400)
    assert 64 * MIB <= found.largest < GIB
    assert found.levels[-1].bytes_per_s == pytest.approx(50e9 / 400, rel=0.05)
