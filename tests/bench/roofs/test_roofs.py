"""Every probe moves the bytes it claims, all of them, and none beside them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench import roofs
from bench.device import cpu_sweep
from bench.profile.records import BEST_OF
from bench.roofs import _shared, _vector, barrier, call, copy, matmul, read, triad, write
from bench.timing import call_limit, rounds
from tests.bench.roofs.alone import one_thread

SIZE = 33_000
"""Bytes; no multiple of any probe's turn."""

GUARD = 1024
WRITERS = [write, copy, triad]
PROBES = [read, write, copy, triad, matmul, barrier, call]
probes = pytest.mark.parametrize(
    ("probe", "variant"),
    [(probe, variant) for probe in WRITERS for variant in probe.VARIANTS],
    ids=lambda value: getattr(value, "KIND", None) or value.name,
)
threads = pytest.mark.parametrize("threads", [1, 2, 3])


def block(size, seed=None):
    """Floats on a cache line with guards on both sides: (all of it, the block, the block's address)."""
    count = size // 4 + 2 * GUARD // 4 + 16
    whole = np.zeros(count, np.float32)
    if seed is not None:
        # small whole numbers, none of them 0: their float32 sums are exact in any order
        whole[:] = np.random.default_rng(seed).integers(1, 200, count)
    start = -whole.ctypes.data % 64 // 4 + GUARD // 4
    return whole, whole[start : start + size // 4], whole[start:].ctypes.data


def summed(variant, address, size, threads, sets=1, passes=1, times=1):
    """What the read probe adds up."""
    counters, sums = np.zeros(16 * threads, np.int64), np.zeros(16 * threads, np.float32)
    which, chunk = read.VARIANTS.index(variant), variant.chunk_bytes
    _shared.compiled(read.KIND)(
        which, chunk, variant.streams, address, size, sets, times, threads, passes, counters, sums
    )
    return sums


@pytest.mark.parametrize("variant", read.VARIANTS, ids=lambda variant: variant.name)
@threads
@pytest.mark.parametrize("sets", [1, 3])
def test_the_read_probe_adds_up_every_float_it_claims_to_read(variant, threads, sets):
    """The sum is numpy's, to the last bit: of the front of each set, as long as the bytes claimed."""
    size = SIZE // 64 * 64
    _whole, floats, address = block(size * sets, seed=sets)
    claimed = read.bytes_per_pass(variant, size, threads) // 4
    each = [floats[one * size // 4 :][:claimed] for one in range(sets)]
    expected = sum(int(values.sum(dtype=np.int64)) for values in each)
    assert expected < 2**24
    assert summed(variant, address, size, threads, sets).sum(dtype=np.float64) == expected


@pytest.mark.parametrize("variant", read.VARIANTS, ids=lambda variant: variant.name)
@threads
@pytest.mark.parametrize("sets", [1, 3])
@pytest.mark.parametrize("times", [1, 2])
def test_the_bytes_of_a_read_pass_are_four_for_every_float_it_adds(variant, threads, sets, times):
    """Counted by reading ones, each set as many times as asked."""
    size = SIZE // 64 * 64
    _whole, floats, address = block(size * sets)
    floats[:] = 1
    sums = summed(variant, address, size, threads, sets, times=times)
    assert 4 * sums.sum() == read.bytes_per_pass(variant, size, threads, sets, times)
    assert size * sets * times * 0.8 < 4 * sums.sum() <= size * sets * times


@pytest.mark.parametrize("variant", read.VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("sets", [1, 2])
def test_a_share_of_many_pieces_is_read_whole_and_each_piece_once(variant, sets):
    size = (5 * _shared.PIECE_BYTES // 2 + 12_345) // 64 * 64
    _whole, floats, address = block(size * sets)
    floats[:] = np.random.default_rng(0).integers(0, 4, len(floats))
    claimed = read.bytes_per_pass(variant, size, 1) // 4
    expected = sum(int(floats[one * size // 4 :][:claimed].sum()) for one in range(sets))
    assert summed(variant, address, size, 1, sets, passes=2)[0] == 2 * expected < 2**24


@pytest.mark.parametrize("variant", read.VARIANTS, ids=lambda variant: variant.name)
@pytest.mark.parametrize("size", [SIZE // 64 * 64, 3 * _shared.PIECE_BYTES])
def test_a_thread_that_is_done_reads_what_others_have_before_them(variant, size):
    """Two shares on one thread: whoever comes first is done before the other begins, and leaves nothing."""
    _whole, floats, address = block(size)
    floats[:] = 1
    with one_thread():
        sums = summed(variant, address, size, 2, passes=3)
    assert sorted(sums[::16]) == [0, 3 * read.bytes_per_pass(variant, size, 2) // 4]


@probes
@pytest.mark.parametrize("large", [False, True])
def test_small_shares_that_are_stored_to_are_their_owners_alone(probe, variant, large):
    """Else two cores would take the same lines from each other. Two shares on one thread: who comes first helps or not.

    Told by the turns of the loop that each thread counted.
    """
    size = _shared.TOGETHER_BYTES * (3 if large else 1)
    _whole, _floats, address = block(size)
    counters, sums = np.zeros(32, np.int64), np.zeros(32, np.float32)
    which, chunk = probe.VARIANTS.index(variant), variant.chunk_bytes
    with one_thread():
        _shared.compiled(probe.KIND)(
            which, chunk, variant.streams, address, size, 1, 1, 2, 1, counters, sums
        )
    turns = probe.bytes_per_pass(variant, size, 2) // _vector.ARRAYS[probe.KIND] // chunk
    assert sorted(sums[::16]) == ([0, turns] if large else [turns // 2, turns // 2])


@pytest.mark.parametrize("sets", [1, 2])
def test_who_helps_reads_all_of_a_pass_before_the_next_one(sets):
    """Else a block would be read as halves that fit a cache which it does not. Told by what float32 rounds away: ones

    of one share are lost beside the other's 2^24, unless they were added up before it came.
    """
    size = 2 * _shared.TOGETHER_BYTES // sets
    _whole, floats, address = block(size * sets)
    floats[0], floats[size // 8] = 1, 2**24
    with one_thread():
        sums = summed(read.VARIANTS[0], address, size, 2, sets, passes=3)
    assert sums.sum(dtype=np.float64) == 3 * 2**24


@pytest.mark.parametrize("variant", read.VARIANTS, ids=lambda variant: variant.name)
def test_every_pass_reads_everything_again(variant):
    _whole, floats, address = block(SIZE)
    floats[:] = 1
    once, thrice = (summed(variant, address, SIZE, 1, passes=n)[0] for n in (1, 3))
    assert thrice == 3 * once


def test_the_read_probe_runs_and_changes_nothing():
    whole, _floats, address = block(SIZE, seed=0)
    before = whole.copy()
    for variant in read.VARIANTS:
        read.prepare(variant, address, SIZE, 2)(3)
    assert np.array_equal(whole, before)


def test_a_block_too_small_to_read_is_refused_rather_than_read_beyond():
    variant = read.VARIANTS[0]
    assert read.bytes_per_pass(variant, 511, 1) == 0
    with pytest.raises(
        ValueError, match="511 bytes are too few for 1 threads of the read probe's 1x8x16"
    ):
        read.prepare(variant, 0, 511, 1)


@probes
@threads
def test_a_writing_probe_claims_every_byte_it_loads_and_stores(probe, variant, threads):
    """Counted by what changed: one stored byte of a write is one, of a copy two, of a triad three."""
    whole, floats, address = block(SIZE)
    floats[:] = np.arange(1, len(floats) + 1)
    before = whole.copy()
    probe.prepare(variant, address, SIZE, threads)(1)
    stored = 4 * int((whole != before).sum())
    assert stored > 0
    factor = {"write": 1, "copy": 2, "triad": 3}[probe.KIND]
    assert probe.bytes_per_pass(variant, SIZE, threads) == factor * stored


@probes
@threads
def test_a_writing_probe_stores_nothing_beside_its_block(probe, variant, threads):
    whole, floats, address = block(SIZE, seed=0)
    before = whole.copy()
    probe.prepare(variant, address, SIZE, threads)(2)
    first = (address - whole.ctypes.data) // 4
    assert np.array_equal(whole[:first], before[:first])
    assert np.array_equal(whole[first + len(floats) :], before[first + len(floats) :])


@pytest.mark.parametrize("variant", write.VARIANTS, ids=lambda variant: variant.name)
@threads
def test_write_fills_its_block_with_bytes_that_are_never_zero(variant, threads):
    _whole, floats, address = block(SIZE)
    filled = write.bytes_per_pass(variant, SIZE, threads)
    for passes in (3, 255):
        write.prepare(variant, address, SIZE, threads)(passes)
        assert set(floats.view(np.uint8)[:filled]) == {passes % 255 + 1}
    assert not floats.view(np.uint8)[filled:].any()


@pytest.mark.parametrize("variant", copy.VARIANTS, ids=lambda variant: variant.name)
@threads
def test_copy_makes_the_second_part_the_first(variant, threads):
    _whole, floats, address = block(SIZE, seed=1)
    before = floats.copy()
    copy.prepare(variant, address, SIZE, threads)(2)
    part = copy.bytes_per_pass(variant, SIZE, threads) // 8
    assert np.array_equal(floats[:part], before[:part])
    assert np.array_equal(floats[part : 2 * part], before[:part])
    assert np.array_equal(floats[2 * part :], before[2 * part :])


@pytest.mark.parametrize("variant", triad.VARIANTS, ids=lambda variant: variant.name)
@threads
def test_triad_makes_the_third_part_the_first_and_half_the_second(variant, threads):
    _whole, floats, address = block(SIZE, seed=2)
    before = floats.copy()
    triad.prepare(variant, address, SIZE, threads)(2)
    part = triad.bytes_per_pass(variant, SIZE, threads) // 12
    b, c = before[:part], before[part : 2 * part]
    assert np.array_equal(floats[: 2 * part], before[: 2 * part])
    assert np.array_equal(floats[2 * part : 3 * part], b + np.float32(0.5) * c)
    assert np.array_equal(floats[3 * part :], before[3 * part :])


@probes
def test_a_block_too_small_to_write_is_refused_rather_than_written_beyond(probe, variant):
    least = 2 * variant.chunk_bytes * _vector.ARRAYS[probe.KIND]
    assert probe.bytes_per_pass(variant, least, 2) == least
    assert probe.bytes_per_pass(variant, least - 1, 2) == 0
    with pytest.raises(ValueError, match="too few"):
        probe.prepare(variant, 0, least - 1, 2)


@probes
@pytest.mark.parametrize("size", [SIZE, 5 * _shared.PIECE_BYTES // 2 + 12_345])
def test_shares_are_written_whole_whoever_writes_them(probe, variant, size):
    """Two shares, each of one piece or of several, on one thread."""
    _whole, floats, address = block(size // 4 * 4, seed=3)
    before = floats.copy()
    with one_thread():
        probe.prepare(variant, address, size, 2)(2)
    part = probe.bytes_per_pass(variant, size, 2) // 4 // _vector.ARRAYS[probe.KIND]
    first, second = before[:part], before[part : 2 * part]
    expected = {
        "write": lambda: np.full(4 * part, 3, np.uint8).view(np.float32),
        "copy": lambda: first,
        "triad": lambda: first + np.float32(0.5) * second,
    }[probe.KIND]()
    start = part * (_vector.ARRAYS[probe.KIND] - 1)
    assert np.array_equal(floats[start : start + part], expected)
    assert np.array_equal(floats[start + part :], before[start + part :])


@threads
def test_the_empty_region_runs_in_every_thread(threads, monkeypatch):
    made = []
    zeros = np.zeros
    monkeypatch.setattr(np, "zeros", lambda *given: made.append(zeros(*given)) or made[-1])
    call.prepare(threads)(2)
    assert made[0][::16].tolist() == [1.0] * threads


@threads
def test_as_many_barriers_are_waited_at_by_every_thread_as_asked_for(threads, monkeypatch):
    numbers = []
    real = barrier._compiled()
    monkeypatch.setattr(
        barrier, "_compiled", lambda: lambda at, *given: numbers.append(given) or real(at, *given)
    )
    barrier.prepare(threads)(2500)
    assert numbers == [(threads, 1000), (threads, 1000), (threads, 500)]


def test_a_probe_is_found_by_its_file_and_swept_in_its_turn():
    ways = (roofs.CURVE, roofs.LEVELS, roofs.PRODUCTS, roofs.CALLS)
    found = [probe for way in ways for probe in roofs.probes("cpu", way)]
    assert [probe for probe in found if probe in PROBES] == PROBES
    assert [probe.__name__ for probe in found] == [f"bench.roofs.{one.KIND}" for one in found]
    assert {probe.KIND for probe in found} <= set(roofs.kinds())


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_says_its_kind_and_unit(probe):
    units = {"matmul": "flop/s", "barrier": "s", "call": "s"}
    assert units.get(probe.KIND, "byte/s") == probe.UNIT
    assert roofs.load("cpu", probe.KIND) is probe


def test_variants_have_different_names():
    for variants in (*_vector.VARIANTS.values(), matmul.variants("float32")):
        assert len({variant.name for variant in variants}) == len(variants)


@pytest.mark.parametrize(("thorough", "least"), [(True, 1.3), (False, 1.9)])
@pytest.mark.parametrize("largest", [32 << 10, 100 << 10, 33 << 20])
def test_the_read_curve_has_a_size_per_doubling_or_two_up_to_the_largest(largest, thorough, least):
    sizes = cpu_sweep.sizes(largest, thorough)
    assert sizes[0] == 32 << 10
    assert sizes[-1] <= largest < sizes[-1] * 2
    assert all(least < b / a <= least + 0.2 for a, b in pairwise(sizes))


@pytest.fixture
def instant(monkeypatch):
    """Samples without measuring; any number of threads."""
    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)
    monkeypatch.setattr(rounds, "best", lambda _contender, times, *_: [2e-6] * times)
    monkeypatch.setattr(rounds, "again", lambda *_: 1e-6)


@pytest.mark.usefixtures("instant")
def test_the_read_curve_tries_every_variant_at_every_size_and_thread_count():
    largest = 256 << 10
    _whole, _floats, address = block(largest)
    measured = list(cpu_sweep.read_curve(address, largest, 4096, [1, 2], True, call_limit.Limit()))
    found = {(roof.threads, roof.working_set_bytes, roof.implementation) for roof in measured}
    names = {variant.name for variant in read.VARIANTS}
    assert found == {
        (t, size, name) for t in (1, 2) for size in cpu_sweep.sizes(largest, True) for name in names
    }
    assert len(measured) == len(found)
    for roof in measured:
        assert len(roof.samples) == len(roof.at) == len(roof.counted) == BEST_OF
        assert max(roof.samples) <= roof.working_set_bytes / 1e-6


def test_the_samples_of_a_size_lie_apart_and_are_as_many_however_long_they_take(monkeypatch):
    """A neighbour's burst of some tenths of a second meets one of them; and calls are as the sample before asks for."""
    walked, calls = [], []
    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)
    monkeypatch.setattr(read, "prepare", lambda _variant, _address, size, _count: size)

    def again(contender, count):
        walked.append(contender.run)
        calls.append(count * contender.run / RATE)
        return contender.run / RATE

    monkeypatch.setattr(rounds, "again", again)

    def first(contender, *_):
        walked.append(contender.run)
        return [contender.run / RATE]

    monkeypatch.setattr(rounds, "best", first)
    largest = 1 << 20
    roofs_found = list(cpu_sweep.read_curve(0, largest, 4096, [1], False, call_limit.Limit()))
    once = [
        size
        for size in cpu_sweep.sizes(largest, False)
        for variant in read.VARIANTS
        if read.bytes_per_pass(variant, size, 1)
    ]
    assert walked == once * BEST_OF
    assert {len(roof.samples) for roof in roofs_found} == {BEST_OF}
    assert calls == pytest.approx([cpu_sweep.CURVE_SAMPLE_SECONDS] * len(calls), rel=0.01)


RATE = 1e10


def test_every_variant_that_writes_is_tried_and_the_two_fastest_are_sampled_in_full(monkeypatch):
    """Backward stores are made the fastest, by how long a glance at each says that it took."""
    whole, _floats, address = block(SIZE)
    tried, sampled = [], []
    monkeypatch.setattr(roofs, "probes", lambda *_: WRITERS)
    for probe in WRITERS:
        monkeypatch.setattr(probe, "prepare", lambda variant, *_: variant)
    monkeypatch.setattr(cpu_sweep.threads, "use", lambda _count: None)
    monkeypatch.setattr(
        rounds,
        "glance",
        lambda variant, _: tried.append(variant) or (1 if variant.how == "backward" else 2),
    )
    monkeypatch.setattr(
        rounds, "best", lambda contender, *_: sampled.append(contender.run) or [1e-6, 2e-6]
    )
    measured = list(cpu_sweep.within_levels(address, [SIZE], 4096, [1], 1, call_limit.Limit()))
    assert tried == [variant for probe in WRITERS for variant in probe.VARIANTS]
    assert [roof.implementation for roof in measured] == [variant.name for variant in sampled]
    assert [roof.kind for roof in measured] == ["write", "write", "copy", "copy", "triad", "triad"]
    assert {variant.how for variant in sampled} == {"backward"}
    assert not whole.any()


@pytest.mark.usefixtures("instant")
@pytest.mark.parametrize("count", [33, 128])
def test_a_machine_of_many_cores_has_a_read_curve_too(count):
    largest = 1 << 20
    _whole, _floats, address = block(largest)
    measured = list(cpu_sweep.read_curve(address, largest, 4096, [count], True, call_limit.Limit()))
    assert {roof.threads for roof in measured} == {count}
    assert all(min(roof.samples) > 0 for roof in measured)
