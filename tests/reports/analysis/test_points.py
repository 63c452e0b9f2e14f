"""Points against their roofs: fractions worked out by hand, and nothing made up where a profile lacks something."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile.records import Level, Visit
from reports.analysis.analysis import Analysis
from reports.analysis.roofs import Roofs
from tests.reports import synthetic
from tests.reports.synthetic import KIB, MIB, profile, roof


def only(point, **fields):
    """The row of a profile's one point."""
    (row,) = Analysis(profile([point], **fields)).rows
    return row


def planted(seconds, roofs, **fields):
    """A point of 1000 bytes read, 100 written and 4000 FLOPs, with these samples."""
    return replace(
        synthetic.point(),
        seconds=tuple(seconds),
        roof_bytes_per_s=tuple(roofs),
        bytes={"weights": 900, "activations": 200, "read": 1000, "written": 100},
        flops={"linear": 4000, "recurrent": 2000, "pointwise": 10},
        **fields,
    )


def test_a_fraction_is_what_paper_and_pencil_say():
    # 1000 / 50e9 + 100 / 40e9 = 20 + 2.5 ns; 4000 / 180e9 = 22.2 ns; the floor is 5 ns.
    row = only(planted([45e-9], [50e9], floor_seconds=5e-9))
    assert row.t_bytes.median == pytest.approx(22.5e-9)
    assert row.t_flops.median == pytest.approx(22.2222e-9, rel=1e-4)
    assert row.fraction.median == pytest.approx(0.5)
    assert row.explained.median == pytest.approx(27.5 / 45)
    assert row.overhead.median == pytest.approx(5 / 45)
    assert row.bytes_per_s == pytest.approx(1100 / 45e-9)
    assert row.flop_per_s == pytest.approx(4000 / 45e-9)
    assert row.intensity == pytest.approx(4000 / 1100)


def test_the_larger_of_the_two_times_is_the_limit():
    row = only(planted([100e-9], [500e9]))
    assert row.t_bytes.median == pytest.approx(4.5e-9)
    assert row.fraction.median == pytest.approx(0.222222, rel=1e-4)


def test_fractions_are_formed_round_by_round():
    # The machine slows down to a half and back; the step keeps to half of its roof throughout.
    seconds, roofs = [45e-9, 90e-9, 45e-9], [50e9, 22.2222e9, 50e9]
    row = only(planted(seconds, roofs, roof_flop_per_s=(1e15,) * 3))
    assert row.fraction.median == pytest.approx(0.5)
    rounds = sorted((1000 / r + 100 / 40e9) / s for s, r in zip(seconds, roofs, strict=True))
    assert row.fraction.low == pytest.approx(rounds[0])
    assert row.fraction.high == pytest.approx(rounds[-1])


def test_a_paired_arithmetic_sample_goes_before_the_roof():
    row = only(planted([100e-9], [500e9], roof_flop_per_s=(80e9,)))
    assert row.t_flops.median == pytest.approx(50e-9)
    assert row.fraction.median == pytest.approx(0.5)


def test_a_paired_write_sample_goes_before_the_surveyed_roof():
    point = planted((1.0, 2.0), (1000.0, 1000.0), roof_write_bytes_per_s=(100.0, 50.0))
    assert only(point).byte_times == pytest.approx([2.0, 3.0])
    assert only(point).fraction.median == pytest.approx((2.0 + 1.5) / 2)


def test_bytes_written_beside_those_read_take_a_triads_time():
    # 10 s of reading and 1 of writing apart; or 200 of the bytes read, with all that are written, in 300 / 200 s, and
    # the other 800 in 8. A triad of 60 byte/s would take 5 s and leave 8: apart they are quicker
    sampled = {"roof_write_bytes_per_s": (100.0, 100.0), "roof_triad_bytes_per_s": (200.0, 60.0)}
    point = planted((19.0, 22.0), (100.0, 100.0), **sampled)
    row = only(point)
    assert row.byte_times == pytest.approx([max(10.0, 9.5), 11.0])
    assert row.triad_roof == 130.0
    assert only(replace(point, roof_triad_bytes_per_s=(125.0, 125.0))).byte_times == pytest.approx(
        [10.4, 10.4]
    )


def test_what_a_sequence_reads_before_its_first_step_is_over_when_it_writes():
    """900 bytes come first. Beside the 100 left go 50 written, in 150 / 125 s; 50 more take half a second."""
    sampled = {"roof_write_bytes_per_s": (100.0,), "roof_triad_bytes_per_s": (125.0,)}
    point = planted((19.0,), (100.0,), **sampled)
    assert only(point).byte_times == pytest.approx([10.4])
    hoisted = replace(
        point,
        case=replace(point.case, steps=2, residency="resident"),
        projection={"linear": 2000, "read": 900},
    )
    assert only(hoisted).byte_times == pytest.approx([9.0 + 1.2 + 0.5])


def test_a_point_is_drawn_under_the_limit_that_its_triad_allows():
    point = synthetic.point(phase="train")
    rounds = len(point.seconds)
    point = replace(
        point,
        roof_write_bytes_per_s=(synthetic.WRITE_BYTES_PER_S,) * rounds,
        roof_triad_bytes_per_s=(1.4 * point.roof_bytes_per_s[0],) * rounds,
    )
    found = Analysis(profile([point]))
    (row,), (under,) = found.rows, found.under.values()
    assert under.seconds == pytest.approx(row.limit.median)
    alone = only(replace(point, roof_triad_bytes_per_s=()))
    assert row.limit.median < 0.9 * alone.limit.median


def test_a_point_planted_at_half_its_roof_scores_a_half():
    assert only(synthetic.point(fraction=0.5)).fraction.median == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("dtype", "matmul", "expected"),
    [
        ("float32", {"float32": 100e9, "bfloat16": 400e9}, 100e9),
        ("bfloat16", {"float32": 300e9, "bfloat16": 161e9}, 300e9),
        ("bfloat16", {"float32": 100e9, "bfloat16": 400e9}, 400e9),
        ("float32", {"bfloat16": 400e9}, None),
    ],
)
def test_weights_may_be_widened_but_not_narrowed(dtype, matmul, expected):
    made = profile(roofs=tuple(roof("matmul", [v / 2, v], dtype=k) for k, v in matmul.items()))
    assert Roofs(made).arithmetic_roof("cpu", 2, dtype) == expected


def test_roofs_of_other_threads_devices_and_datasheets_do_not_count():
    others = [
        roof("matmul", [9e12], dtype="float32", threads=1),
        roof("matmul", [9e12], dtype="float32", device="cuda"),
        roof("matmul", [9e12], dtype="float32", source="datasheet"),
        roof("matmul", [1e9, 3e9, 2e9], dtype="float32"),
    ]
    assert Roofs(profile(roofs=tuple(others))).arithmetic_roof("cpu", 2, "float32") == 3e9


def test_a_roof_is_the_best_of_its_samples():
    read = roof("read", [2.0, 5.0, 3.0], working_set_bytes=MIB)
    made = Roofs(profile(roofs=(read, roof("read", [], working_set_bytes=KIB))))
    assert made.curve("cpu") == {2: [(MIB, 5.0)]}
    assert made.typical_curve("cpu") == {2: [(MIB, 3.0)]}
    assert made.curve("cuda") == {}


def test_of_a_record_the_first_three_samples_count_for_the_best_and_all_for_the_median():
    """However many rounds a sweep had. Before method 3 all counted."""
    read = roof("read", [2.0, 5.0, 3.0, 9.0, 8.0], working_set_bytes=MIB)
    again = roof("read", [4.0, 6.0, 1.0, 7.0], working_set_bytes=MIB)
    for method, best in ((2, 9.0), (3, 6.0)):
        made = Roofs(profile(roofs=(read, again), method=method))
        assert made.curve("cpu") == {2: [(MIB, best)]}
        assert made.typical_curve("cpu") == {2: [(MIB, 5.0)]}


def test_a_level_has_as_its_median_that_of_its_own_sizes():
    sizes = {32 * KIB: 9.0, 64 * KIB: 8.0, MIB: 5.0, 2 * MIB: 4.0, 4 * MIB: 3.0, 8 * MIB: 2.0}
    reads = tuple(
        roof("read", [rate, rate, 2 * rate], working_set_bytes=size) for size, rate in sizes.items()
    )
    found = (Level("cpu", "L1", 64 * KIB, 10.0), Level("cpu", "DRAM", None, 5.0))
    made = Roofs(profile(roofs=reads, levels=found))
    assert [made.typical_level("cpu", level) for level in found] == [8.5, 3.5]


def test_the_write_roof_is_the_nearest_in_ratio():
    sizes = (64 * KIB, MIB)
    made = profile(roofs=tuple(roof("write", [size], working_set_bytes=size) for size in sizes))
    assert Roofs(made).write_roof("cpu", 2, 8 * KIB) == 64 * KIB
    assert Roofs(made).write_roof("cpu", 2, 300 * KIB) == MIB  # nearer to 64 KiB by difference
    assert Roofs(made).write_roof("cpu", 1, 8 * KIB) is None


def test_the_read_curve_keeps_the_best_variant_of_each_size():
    made = profile(
        roofs=(
            roof("read", [10.0, 15.0], working_set_bytes=MIB, implementation="a"),
            roof("read", [11.0, 12.0], working_set_bytes=MIB, implementation="b"),
            roof("read", [30.0], working_set_bytes=KIB),
            roof("read", [7.0], working_set_bytes=MIB, threads=1),
        )
    )
    expected = {1: [(MIB, 7.0)], 2: [(KIB, 30.0), (MIB, 15.0)]}
    assert Roofs(made).curve("cpu") == expected


def test_a_sentinel_is_no_part_of_a_curve():
    """Single looks at the largest set between two sweeps, when the memory was quick; and two of them in a row."""

    def sweep(rate):
        return [
            roof("read", [rate * share], working_set_bytes=size, implementation=name)
            for size in (KIB, MIB)
            for name, share in (("a", 1.0), ("b", 0.9), ("c", 0.8), ("d", 0.7))
        ]

    def look(name):
        return roof("read", [99.0], working_set_bytes=MIB, implementation=name)

    made = profile(
        roofs=(
            *sweep(30.0),
            roof("call", [1.0]),
            look("a"),
            look("b"),
            *sweep(20.0),
            roof("call", [1.0]),
            look("c"),
        ),
        method=1,
    )
    assert Roofs(made).curve("cpu") == {2: [(KIB, 30.0), (MIB, 30.0)]}
    assert Roofs(made).typical_curve("cpu") == {2: [(KIB, 25.0), (MIB, 25.0)]}
    called = [replace(one, kind="sentinel") for one in (look("a"), look("b"))]
    now = profile(roofs=(*sweep(30.0), *called))
    assert Roofs(now).curve("cpu") == {2: [(KIB, 30.0), (MIB, 30.0)]}


def test_few_variants_of_a_large_set_are_a_sweep_too():
    """Beyond the caches only the best variants are swept, in records of their own."""
    records = [
        roof("read", [rate], working_set_bytes=MIB, implementation=name)
        for name, rate in (("a", 10.0), ("b", 9.0), ("c", 8.0), ("d", 7.0), ("a", 11.0))
    ]
    apart = roof("call", [1.0])
    made = profile(roofs=(*records[:4], apart, records[4]))
    assert Roofs(made).curve("cpu") == {2: [(MIB, 11.0)]}


@pytest.mark.parametrize(
    ("working_set", "threads", "level"),
    [
        (64 * KIB, 2, "L1"),
        (64 * KIB + 1, 2, "L2"),
        (33 * MIB, 2, "DRAM"),
        (33 * MIB, 1, "DRAM"),
        # Half the private caches: where a smaller set lies at one thread the levels do not say.
        (MIB, 1, None),
        (None, 2, None),
    ],
)
def test_a_working_set_lies_in_its_level(working_set, threads, level):
    point = synthetic.point(threads=threads)
    point = replace(point, working_set_bytes=working_set, roof_bytes_per_s=(52e9,) * 11)
    assert only(point).level == level


@pytest.mark.parametrize(("paired", "level"), [(100e9, "DRAM"), (110e9, None), (10e9, "DRAM")])
def test_a_level_is_not_named_where_the_roof_beside_the_point_is_anothers(paired, level):
    assert only(replace(synthetic.point(), roof_bytes_per_s=(paired,) * 11)).level == level


@pytest.mark.parametrize(("there", "level"), [(30e9, "DRAM"), (44e9, "DRAM"), (46e9, None)])
def test_fewer_threads_are_in_memory_where_their_own_curve_is_as_slow(there, level):
    """One thread reads 80 GB/s of the last cache and 25 of memory: sqrt(80 * 25) = 44.7 is between them."""
    sizes = {16 * MIB: 80e9, 33 * MIB: there, 512 * MIB: 25e9}
    curve = [
        roof("read", [rate], working_set_bytes=size, threads=1) for size, rate in sizes.items()
    ]
    ends = (("L3", 32 * MIB, 200e9), ("DRAM", None, 50e9))
    point = replace(synthetic.point(threads=1), working_set_bytes=33 * MIB)
    point = replace(point, roof_bytes_per_s=(there,) * 11)
    both = roof("read", [50e9], working_set_bytes=512 * MIB)
    made = only(point, roofs=(*curve, both), levels=tuple(Level("cpu", *end) for end in ends))
    assert made.level == level


def test_the_level_of_no_levels_is_none():
    assert only(synthetic.point(), levels=()).level is None
    assert only(synthetic.point(), levels=(Level("cuda", "HBM", None, 4e12),)).level is None


def test_points_of_one_machine_are_compared_by_time_times_paired_roof_round_by_round():
    point = replace(
        synthetic.point(),
        seconds=(1.0, 2.0, 4.0),
        roof_bytes_per_s=(9.0, 5.0, 2.0),
        roof_flop_per_s=(),
    )
    assert only(point).normalised.median == 9.0  # of 9, 10 and 8; the medians' product would be 10


def test_what_is_missing_is_none_and_never_zero():
    point = synthetic.point()
    without_roofs = only(point, roofs=())
    assert without_roofs.t_bytes is None
    assert without_roofs.t_flops is None
    assert without_roofs.fraction is None
    assert only(replace(point, floor_seconds=None)).explained is None
    assert only(replace(point, floor_seconds=None)).fraction is not None
    unpaired = only(replace(point, roof_bytes_per_s=()))
    assert (unpaired.fraction, unpaired.normalised) == (None, None)
    uncounted = only(replace(point, flops=None, bytes=None))
    assert (uncounted.bytes_per_s, uncounted.flop_per_s, uncounted.intensity) == (None,) * 3


def test_a_part_without_products_is_limited_by_bytes_alone():
    flops = {"linear": 0, "recurrent": 0, "pointwise": 21}
    row = only(replace(synthetic.point(part="pointwise"), flops=flops), roofs=(
        roof("write", [synthetic.WRITE_BYTES_PER_S], working_set_bytes=64 * KIB),
    ))  # fmt: skip
    assert row.t_flops.median == 0
    assert row.limit == row.t_bytes
    assert row.intensity is None


def visited(seconds, *counts, roofs=None, **fields):
    """A planted point whose rounds were taken in visits of so many."""
    roofs = roofs or [500e9] * len(seconds)
    visits = tuple(Visit(synthetic.AT, count) for count in counts)
    return planted(seconds, roofs, visits=visits, **fields)


def test_of_visits_the_medians_count_and_students_interval_over_them():
    # medians 100, 110 and 121 ns: logarithms ln(1.1) apart, and t of two degrees of freedom is 4.303
    seconds = [99e-9, 100e-9, 190e-9, 110e-9, 121e-9, 121e-9]
    row = only(visited(seconds, 3, 1, 2))
    reach = 1.1 ** (4.3027 / 3**0.5)
    assert row.seconds == pytest.approx((110e-9, 110e-9 / reach, 110e-9 * reach), rel=1e-4)
    # a roof that stands still gives the fraction the same spread: 1000 / 500e9 + 100 / 40e9 is 4.5 ns; and
    # arithmetic's of the sweep has none
    assert row.fraction.median == pytest.approx(22.2222 / 110, rel=1e-4)
    assert row.fraction.high / row.fraction.median == pytest.approx(reach, rel=1e-4)
    assert row.t_flops.low == row.t_flops.median == row.t_flops.high


def test_how_far_visits_lie_apart_is_told_by_all_points_of_a_device_together():
    """Variances that are all alike scatter less than chance: what they have in common is as good as known."""
    points = [
        replace(visited([100e-9, 110e-9, 121e-9], 1, 1, 1), case=synthetic.point(batch=b).case)
        for b in (1, 2, 4)
    ]
    on_a_gpu = replace(points[0], case=replace(points[0].case, device="cuda", threads=0))
    rows = Analysis(profile([*points, on_a_gpu])).rows
    reach = 1.1 ** (1.95996 / 3**0.5)
    known = [row.seconds.high / row.seconds.median for row in rows]
    assert known[:3] == pytest.approx([reach] * 3, rel=0.35)
    assert known[3] == pytest.approx(1.1 ** (4.3027 / 3**0.5), rel=1e-4)


def test_one_visit_has_the_interval_of_its_rounds():
    seconds = [99e-9, 100e-9, 101e-9, 120e-9, 130e-9]
    rounds = only(planted(seconds, [500e9] * 5)).seconds
    assert only(visited(seconds, 5)).seconds == rounds
    assert only(visited(seconds, 0, 5)).seconds == rounds


def test_the_fraction_is_the_larger_of_two_median_fractions():
    """Bytes take 23, 20 and 26 ns, products 22.2 ns throughout: the median of the larger ones would be 23."""
    roofs = [1000 / (t * 1e-9 - 2.5e-9) for t in (23.0, 20.0, 26.0)]
    row = only(planted([100e-9] * 3, roofs))
    assert row.fraction.median == pytest.approx(0.23)
    slower = only(
        planted([100e-9] * 3, roofs, roof_flop_per_s=(4000 / 24.9e-9, 4000 / 24e-9, 4000 / 21e-9))
    )
    assert slower.fraction.median == pytest.approx(0.24)  # of 24.9, 24 and 26
    assert slower.limit.median == pytest.approx(24e-9)


def test_a_floor_beside_the_step_counts_round_by_round():
    floors = (10e-9, 20e-9, 40e-9)
    row = only(
        planted([40e-9, 50e-9, 200e-9], [500e9] * 3, floor_seconds=20e-9, floor_beside=floors)
    )
    assert row.overhead.median == pytest.approx(0.25)  # of 0.25, 0.4 and 0.2
    assert row.explained.median == pytest.approx(32.2222 / 40, rel=1e-4)  # of that, 0.84 and 0.31


def test_points_never_move_a_roof():
    slow, fast = synthetic.point(fraction=0.5), synthetic.point(fraction=5.0, batch=2)
    (alone,) = Analysis(profile([slow])).rows
    (beside, _) = Analysis(profile([slow, fast])).rows
    assert alone == beside


def test_rows_come_in_one_order():
    points = [
        synthetic.point("gru"),
        synthetic.point("lstm", batch=4),
        synthetic.point("lstm", implementation="b"),
        synthetic.point("lstm", implementation="a"),
        synthetic.point("rnn", residency="streamed"),
        synthetic.point("rnn", residency="resident"),
    ]
    made = profile(points)
    keys = [
        (r.case.cell, r.case.residency, r.case.batch, r.point.implementation)
        for r in Analysis(made).rows
    ]
    assert keys == [
        ("rnn", "resident", 1, "torch_cell"),
        ("rnn", "streamed", 1, "torch_cell"),
        ("lstm", "streamed", 1, "a"),
        ("lstm", "streamed", 1, "b"),
        ("lstm", "streamed", 4, "torch_cell"),
        ("gru", "streamed", 1, "torch_cell"),
    ]


def test_visits_as_far_apart_as_figures_can_be_overflow_nowhere():
    """A profile may come from a stranger: a million million times as long in one visit as in the other."""
    far = visited([1e-12, 1e24], 1, 1, roofs=[1e-12, 1e24])
    points = [replace(far, case=replace(far.case, batch=batch)) for batch in (1, 2)]
    analysis = Analysis(profile(points))
    assert len(analysis.held) == 2
    assert all(row.seconds.low > 0 for row in analysis.rows)
    assert analysis.headline
    assert analysis.claims
    assert analysis.series
