"""What two points that differ in one thing say: planted pairs whose answer is known, and pairs that stay silent."""

from __future__ import annotations

from dataclasses import replace
from math import log, sqrt

import pytest

from bench.profile import stats
from bench.profile.records import Visit
from reports.analysis.analysis import Analysis
from reports.analysis.elasticity import CONTRADICTS, SILENT, SUPPORTS
from tests.reports import synthetic
from tests.reports.synthetic import profile

BOUNDS = ("bandwidth", "compute", "overhead", "implementation")


def one(name, *points, **fields):
    """The only experiment of this name between the points."""
    (found,) = (o for o in Analysis(profile(points, **fields)).experiments if o.experiment == name)
    return found


def words(outcome):
    """What it says of each bound that it does not pass over."""
    said = {bound: outcome.answer(bound).word for bound in BOUNDS}
    return {bound: word for bound, word in said.items() if word != SILENT}


def timed(point, factor):
    """The point at `factor` times its time, roofs untouched."""
    return replace(point, seconds=tuple(taken * factor for taken in point.seconds))


def at_speed(point, speed):
    """The point on a machine that ran at `speed` while it was measured: memory and step alike."""
    return replace(
        timed(point, 1 / speed),
        roof_bytes_per_s=tuple(roof * speed for roof in point.roof_bytes_per_s),
    )


def step(**look):
    """A streamed LSTM step of 512 units: its weights fit the last cache, which reads three times as fast as memory."""
    return synthetic.point(**{"hidden": 512, "visits": 3} | look)


def resident(**look):
    """The same step with its weights in the cache."""
    return step(residency="resident", **look)


def test_a_step_that_follows_the_two_roofs_is_bound_by_bandwidth():
    found = one("residency", step(fraction=0.9), resident(fraction=0.9))
    assert [row.case.residency for row in found.rows] == ["resident", "streamed"]
    assert words(found) == {"bandwidth": SUPPORTS}
    assert set(found.answer("bandwidth").excludes) == {"compute", "overhead"}
    assert found.elasticity.median == pytest.approx(1.0, abs=0.02)
    assert found.predicted["compute"] == found.predicted["overhead"] == 0


def test_the_interval_joins_those_of_both_points():
    """Of one visit, eleven rounds that go evenly from 0.98 to 1.02 of a step's share of its roof; of three, medians

    0.6 % apart, with Student's t of two degrees of freedom. As the root of two squares, either.
    """
    ends = stats.estimate([1 + 0.02 * (2 * number / 10 - 1) for number in range(11)])
    of_rounds = log(ends.high / ends.low) / 2
    of_visits = 4.303 * 0.006 / sqrt(3)
    for visits, wide in ((None, of_rounds), (3, of_visits)):
        look = {"fraction": 0.9, "spread": 0.02, "floor": 1e-9, "visits": visits}
        found = one("residency", step(**look), resident(**look))
        reach = sqrt(2) * wide / log(155 / 52)
        assert found.elasticity.high - found.elasticity.median == pytest.approx(reach, rel=0.03)
        assert found.elasticity.median - found.elasticity.low == pytest.approx(reach, rel=0.03)


def test_a_step_that_takes_as_long_from_memory_as_from_the_cache_is_not():
    streamed = step(fraction=0.6)
    hot = resident()
    hot = timed(hot, streamed.seconds[5] / hot.seconds[5])
    found = one("residency", streamed, hot)
    assert words(found) == {"bandwidth": CONTRADICTS, "implementation": SUPPORTS}
    assert found.elasticity.median == pytest.approx(0.0, abs=0.01)


def test_between_following_and_not_it_says_nothing():
    assert words(one("residency", step(fraction=0.9), resident(fraction=0.55))) == {}


def test_a_wide_interval_says_nothing():
    noisy = {"fraction": 0.9, "spread": 0.4}
    assert words(one("residency", step(**noisy), resident(**noisy))) == {}


def test_a_machine_that_slows_down_between_two_points_does_not_change_the_answer():
    slow = at_speed(resident(fraction=0.9), 0.6)
    found = one("residency", step(fraction=0.9), slow)
    assert words(found) == {"bandwidth": SUPPORTS}


def test_roofs_that_lie_too_near_each_other_decide_nothing():
    hot = resident(fraction=0.9)
    hot = at_speed(hot, 1.45 * 52e9 / hot.roof_bytes_per_s[0])
    found = one("residency", step(fraction=0.9), hot)
    assert (words(found), found.elasticity) == ({}, None)
    further = at_speed(hot, 1.1)
    assert words(one("residency", step(fraction=0.9), further)) == {"bandwidth": SUPPORTS}


def test_arithmetic_takes_the_same_time_wherever_the_weights_lie():
    points = step(fraction=0.9, batch=64), resident(fraction=0.9, batch=64)
    found = one("residency", *points)
    assert words(found) == {"compute": SUPPORTS}
    assert found.answer("compute").excludes == ("bandwidth",)
    slow = one("residency", points[0], timed(points[1], 3))
    assert words(slow) == {"compute": CONTRADICTS, "implementation": SUPPORTS}


def test_where_another_limit_takes_over_the_time_goes_from_the_one_to_the_other():
    """At batch 4 bytes from memory are the larger limit, and products where the weights are resident."""
    streamed, hot = step(fraction=0.9, batch=4), resident(fraction=0.9, batch=4)
    found = one("residency", streamed, hot)
    assert words(found) == {"bandwidth": SUPPORTS, "compute": SUPPORTS}
    assert set(found.answer("bandwidth").excludes) == {"compute", "overhead"}
    assert set(found.answer("compute").excludes) == {"bandwidth", "overhead"}


def test_a_time_that_leaves_the_limits_on_the_way_says_nothing_of_either():
    """Products at half of their roof hold up the resident step; the streamed one may wait for bytes all the same."""
    streamed, hot = step(fraction=0.9, batch=4), resident(fraction=0.5, batch=4)
    assert words(one("residency", streamed, hot)) == {}


def test_the_batch_tells_bandwidth_from_compute_and_never_from_overhead():
    points = [step(fraction=0.9, batch=batch) for batch in (1, 2)]
    found = one("batch", *points)
    assert words(found) == {"bandwidth": SUPPORTS}
    assert found.answer("bandwidth").excludes == ("compute",)
    assert found.elasticity.median == pytest.approx(0.0, abs=0.01)
    points = [step(fraction=0.9, batch=batch) for batch in (64, 128)]
    found = one("batch", *points)
    assert words(found) == {"compute": SUPPORTS}
    assert found.elasticity.median == pytest.approx(1.0, abs=0.01)


def test_neighbouring_batches_are_compared_and_no_others():
    points = [step(batch=batch) for batch in (1, 16, 4)]
    pairs = [
        tuple(row.case.batch for row in outcome.rows)
        for outcome in Analysis(profile(points)).experiments
        if outcome.experiment == "batch"
    ]
    assert pairs == [(1, 4), (4, 16)]


def test_a_second_sequence_that_costs_as_much_as_the_first_is_not_bandwidth():
    one_sequence = step(fraction=0.9)
    two = timed(step(fraction=0.9, batch=2), 2)
    found = one("batch", one_sequence, two)
    assert words(found) == {"bandwidth": CONTRADICTS, "implementation": SUPPORTS}


@pytest.mark.parametrize(
    ("activations", "excluded"),
    [("bfloat16", {"overhead"}), ("float32", {"overhead", "compute"})],
)
def test_half_the_bytes_take_half_the_time_of_a_step_that_waits_for_them(activations, excluded):
    """Products of bfloat16 run 2.3 times as fast here, so arithmetic could halve the time of bfloat16 throughout;

    with activations of float32 no kernel can use them.
    """
    narrow = step(fraction=0.9, dtype="bfloat16")
    narrow = replace(narrow, case=replace(narrow.case, activations=activations))
    found = one("bytes", step(fraction=0.9), narrow)
    assert words(found) == {"bandwidth": SUPPORTS}
    assert found.elasticity.median == pytest.approx(1.0, abs=0.01)
    assert set(found.answer("bandwidth").excludes) == excluded


def test_however_fast_narrow_products_are_a_kernel_may_not_use_them():
    """Four times the speed in bfloat16 would predict a quarter of the time; half of it lies on the way there."""
    points = step(fraction=0.9), step(fraction=0.9, dtype="bfloat16")
    fast = synthetic.roof("matmul", [800e9], dtype="bfloat16")
    found = one("bytes", *points, roofs=(*profile().roofs, fast))
    assert found.answer("bandwidth").excludes == ("overhead",)


def test_where_narrow_products_are_no_faster_bytes_exclude_compute_too():
    points = step(fraction=0.9), step(fraction=0.9, dtype="bfloat16")
    roofs = [roof for roof in profile().roofs if (roof.kind, roof.dtype) != ("matmul", "bfloat16")]
    found = one("bytes", *points, roofs=tuple(roofs))
    assert set(found.answer("bandwidth").excludes) == {"compute", "overhead"}


def test_two_dtypes_of_as_many_bytes_are_no_experiment_with_bytes():
    one = step(fraction=0.9, dtype="bfloat16")
    other = replace(one, case=replace(one.case, dtype="float16", activations="float16"))
    found = Analysis(profile((one, other))).experiments
    assert not [outcome for outcome in found if outcome.experiment == "bytes"]


def test_a_quarter_of_the_bytes_is_held_against_a_quarter_of_the_time():
    wide = step(fraction=0.9)
    bytes_read = wide.bytes["read"] // 4
    narrow = replace(
        timed(wide, 0.25),
        case=replace(wide.case, dtype="int8"),
        bytes=wide.bytes | {"read": bytes_read, "weights": bytes_read},
    )
    found = one("bytes", wide, narrow)
    assert words(found) == {"bandwidth": SUPPORTS}
    assert words(one("bytes", wide, timed(narrow, 3.5))) == {
        "bandwidth": CONTRADICTS,
        "implementation": SUPPORTS,
    }


def threaded(read, products, taken):
    """A step at one and at two threads, speed of roofs and step at one thread `read`, `products`, `taken` of two's."""
    both = step(fraction=0.9)
    alone = replace(
        timed(both, 1 / taken),
        case=replace(both.case, threads=1),
        roof_bytes_per_s=tuple(roof * read for roof in both.roof_bytes_per_s),
    )
    made = profile()
    roofs = [
        replace(roof, threads=1, samples=tuple(sample * share for sample in roof.samples))
        for kind, share in (("write", read), ("matmul", products))
        for roof in made.roofs
        if roof.kind == kind
    ]
    return [alone, both], {"roofs": (*made.roofs, *roofs)}


def on_threads(**speeds):
    """What that pair says."""
    points, fields = threaded(**speeds)
    return one("threads", *points, **fields)


def test_threads_decide_where_the_speed_ups_of_the_two_roofs_differ():
    found = on_threads(read=0.9, products=0.5, taken=0.9)
    assert words(found) == {"bandwidth": SUPPORTS}
    assert found.answer("bandwidth").excludes == ("compute",)
    assert found.elasticity.median == pytest.approx(-0.15, abs=0.02)


def test_threads_say_nothing_where_the_roofs_speed_up_alike():
    # 1.5 against 1.9: 1.27 times, less than the 1.3 that decide.
    found = on_threads(read=1 / 1.5, products=1 / 1.9, taken=1 / 1.5)
    assert "compute" not in found.answer("bandwidth").excludes
    assert (
        "compute"
        in on_threads(read=1 / 1.4, products=1 / 1.9, taken=1 / 1.4).answer("bandwidth").excludes
    )


def test_one_thread_is_compared_with_the_most_there_are():
    points = [
        replace(point, case=replace(point.case, threads=threads))
        for threads, point in ((t, step()) for t in (1, 2, 4))
    ]
    roofs = tuple(replace(r, threads=t) for r in profile().roofs for t in (1, 2, 4))
    found = one("threads", *points, roofs=roofs)
    assert [row.case.threads for row in found.rows] == [1, 4]


def test_the_call_is_judged_where_it_takes_half_the_time_and_is_what_does_not_move():
    def call(point):
        return replace(point, seconds=(1e-5,) * 11, floor_seconds=8e-6)

    small = {"hidden": 64}
    streamed, hot = (step(residency=r, **small) for r in ("streamed", "resident"))
    found = one("residency", call(streamed), call(hot))
    assert words(found)["overhead"] == SUPPORTS
    assert "bandwidth" in found.answer("overhead").excludes
    moving = one("residency", timed(call(streamed), 4), call(hot))
    assert "overhead" not in words(moving)


def test_a_floor_is_taken_off_before_time_is_held_against_bytes():
    """40 % call, 60 % bytes: the whole time does not follow the roofs, what is beyond the call does."""
    points = [
        replace(
            point,
            seconds=tuple(taken + 1e-4 for taken in point.seconds),
            floor_seconds=1e-4,
        )
        for point in (step(fraction=1.0, spread=0), resident(fraction=1.0, spread=0))
    ]
    assert words(one("residency", *points)) == {"bandwidth": SUPPORTS}


def drifting(roofs, follows, floors=()):
    """A step in as many visits of two like rounds: read roofs in GB/s, and how much of their movement it follows."""
    point = step(fraction=0.9, visits=None)
    last = roofs[-1]
    seconds = [
        point.seconds[5] * (last / roof) ** follows * (1 + (-1) ** visit / 100)
        for visit, roof in enumerate(roofs)
    ]
    return replace(
        point,
        seconds=twice(seconds),
        roof_bytes_per_s=twice(roof * 1e9 for roof in roofs),
        floor_beside=twice(floors),
        visits=tuple(Visit(synthetic.AT, 2) for _ in roofs),
    )


def twice(values):
    """Each of them in two rounds."""
    return tuple(value for value in values for _ in (1, 2))


FELL = (60, 59, 57, 55, 52, 50)
STOOD = (1e-6,) * 6


@pytest.mark.parametrize(
    ("follows", "floors", "said"),
    [
        (1.0, STOOD, {"bandwidth": SUPPORTS}),
        (0.0, STOOD, {"bandwidth": CONTRADICTS}),
        (0.5, STOOD, {}),
        (1.0, (), {}),  # nothing tells whether the whole machine slowed down
        (0.0, (), {"bandwidth": CONTRADICTS}),
        (1.0, tuple(6e-5 / roof for roof in FELL), {}),  # the call slowed down as much as the roof
    ],
)
def test_a_roof_that_moved_between_visits_tells_whether_the_step_follows_it(follows, floors, said):
    found = one("roof drift", drifting(FELL, follows, floors))
    assert words(found) == said
    assert found.elasticity.median == pytest.approx(follows, abs=0.1)


def test_a_roof_that_stood_still_and_few_visits_tell_nothing():
    still, few = (
        drifting((55, 54, 53, 52, 51, 50.5), 1.0, STOOD),
        drifting(FELL[::2], 1.0, STOOD[:3]),
    )
    assert Analysis(profile([still])).experiments == ()
    assert Analysis(profile([few])).experiments == ()


def test_a_roof_that_rounds_scatter_as_much_as_visits_tells_nothing():
    """Medians as before, and rounds 8 % to either side of them."""
    follows = drifting(FELL, 0.0, STOOD)
    assert words(one("roof drift", follows)) == {"bandwidth": CONTRADICTS}
    wide = [
        roof * (1.08 if index % 2 else 0.92) for index, roof in enumerate(follows.roof_bytes_per_s)
    ]
    scattered = replace(follows, roof_bytes_per_s=tuple(wide))
    single = {
        name: getattr(follows, name)[::2]
        for name in ("seconds", "roof_bytes_per_s", "floor_beside")
    }
    singles = replace(follows, **single, visits=tuple(Visit(synthetic.AT, 1) for _ in FELL))
    for point in (scattered, singles):
        assert Analysis(profile([point])).experiments == ()


def test_a_part_without_products_is_no_measure_of_the_cores_speed():
    """Its arithmetic roof was sampled all the same; only the call's floor tells then."""
    beside = drifting(FELL, 1.0, STOOD)
    flops = {"linear": 0, "recurrent": 0, "pointwise": 10}
    case = replace(beside.case, part="pointwise")
    part = replace(beside, case=case, flops=flops, roof_flop_per_s=(180e9,) * 12)
    assert words(one("roof drift", part)) == {"bandwidth": SUPPORTS}
    assert words(one("roof drift", replace(part, floor_beside=()))) == {}


def test_a_disturbed_visit_of_a_shared_point_speaks_to_one_kind_of_experiment_alone():
    """Its second, fourth and sixth visit are slow: batch looks at those, residency at the others."""
    shared = step(fraction=0.9, visits=None)
    middle = shared.seconds[5]
    slow = [middle * (1.7 if visit % 2 else 1) for visit in range(6)]
    shared = replace(
        shared,
        seconds=tuple(slow),
        roof_bytes_per_s=shared.roof_bytes_per_s[:6],
        visits=tuple(Visit(synthetic.AT, 1) for _ in slow),
    )
    points = shared, resident(fraction=0.9), step(fraction=0.9, batch=2)
    # the variance of three visits that are alike is no more than rounding
    assert words(one("residency", *points)) == {"bandwidth": SUPPORTS}
    assert words(one("batch", *points)) == {"bandwidth": CONTRADICTS, "implementation": SUPPORTS}
    cut = {name: getattr(shared, name)[:5] for name in ("seconds", "roof_bytes_per_s", "visits")}
    five = replace(shared, **cut)
    assert words(one("residency", five, *points[1:])) == {}


def test_a_quicker_implementation_shows_that_the_machine_allows_it():
    slow, quick = (
        step(fraction=0.4),
        step(implementation="other", fraction=0.9),
    )
    found = one("peer comparison", slow, quick)
    assert found.about == (slow.key,)
    assert words(found) == {
        "bandwidth": CONTRADICTS,
        "compute": CONTRADICTS,
        "implementation": SUPPORTS,
    }
    assert found.quicker.median == pytest.approx(0.9 / 0.4)
    nearly = step(implementation="other", fraction=0.5)
    assert words(one("peer comparison", slow, nearly)) == {}


def test_a_peer_comparison_is_not_won_by_a_machine_that_ran_faster():
    slow = step(fraction=0.4)
    lucky = at_speed(step(implementation="other", fraction=0.4), 2.0)
    assert words(one("peer comparison", slow, lucky)) == {}


def test_a_single_step_reads_all_its_weights_however_often_sequences_would():
    slow = replace(step(fraction=0.4), reads={"W": "per_step", "U": "per_step"})
    hoisted = replace(
        step(implementation="other", fraction=0.9),
        reads={"W": "per_call", "U": "per_step"},
    )
    assert words(one("peer comparison", slow, hoisted)) == words(
        one("peer comparison", slow, replace(hoisted, reads=slow.reads))
    )


@pytest.mark.parametrize(
    "spoilt",
    [
        {"roof_bytes_per_s": ()},
        {"floor_seconds": None},
        {"bytes": None},
        {"status": "failed", "reason": "wrong"},
    ],
)
def test_a_point_that_cannot_be_held_takes_part_in_no_experiment(spoilt):
    points = [replace(step(), **spoilt), resident()]
    assert Analysis(profile(points)).experiments == ()


def test_an_impossible_point_takes_part_in_no_experiment():
    assert Analysis(profile([step(fraction=1.2), resident()])).experiments == ()


def test_points_that_differ_in_two_things_are_not_compared():
    points = [step(), resident(batch=2), resident(implementation="other")]
    assert Analysis(profile(points)).experiments == ()
