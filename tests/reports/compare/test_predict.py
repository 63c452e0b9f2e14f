"""A prediction is the other's limit over the share reached here; on its own roofs a machine predicts itself."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from random import Random

import pytest

from bench.profile import roof_times
from bench.profile.records import Point
from bench.profile.stats import median
from reports import locate, published
from reports.analysis import roofs
from reports.analysis.analysis import Analysis
from reports.compare import match, measured, predict
from reports.locate import BadInput
from tests.reports import synthetic
from tests.reports.synthetic import MIB, READ, profile, roof

DRAM_BYTES_PER_S = READ[-1][1]


def multiplied(made):
    """The same points, each with the best product sampled beside it."""
    points = []
    for point in made.points:
        peak = max(synthetic.MATMUL[name] for name in {point.case.dtype, "float32"})
        points.append(replace(point, roof_flop_per_s=(peak,) * len(point.seconds)))
    return replace(made, points=tuple(points))


def twice_as_fast(made):
    """Another machine whose every roof is twice as high, with points that keep their shares."""
    roofs = [replace(one, samples=tuple(2 * s for s in one.samples)) for one in made.roofs]
    points = [
        replace(
            p,
            seconds=tuple(s / 2 for s in p.seconds),
            roof_bytes_per_s=tuple(2 * r for r in p.roof_bytes_per_s),
            roof_flop_per_s=tuple(2 * r for r in p.roof_flop_per_s),
            floor_seconds=p.floor_seconds / 2 if p.floor_seconds else None,
        )
        for p in made.points
    ]
    machine = {**made.machine, "id": "fast", "label": "fast"}
    return replace(made, roofs=tuple(roofs), points=tuple(points), machine=machine)


def test_steps_that_keep_their_share_are_predicted_on_a_machine_of_twice_the_roofs():
    made = multiplied(synthetic.suite())
    found = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(twice_as_fast(made)), "b")
    )
    good = sum(point.status == "ok" for point in made.points)
    assert len(found.rows) + found.without == good
    assert len(found.rows) >= good - 2
    # The curve is stepped: a resident set between two of its sizes is off by the step.
    streamed = [row for row in found.rows if row.entry.work.residency == "streamed"]
    for row in streamed:
        assert row.error == pytest.approx(0, abs=1e-6)
    assert found.errors[0] < 0.1


def test_a_streamed_step_reads_at_the_memory_of_the_other_whatever_its_sets_span_there():
    made = profile([synthetic.point(fraction=0.5)])
    big = replace(
        made,
        machine={**made.machine, "id": "big"},
        points=(Point(made.points[0].case, "torch_cell", "skipped", reason="not asked"),),
        roofs=(
            *made.roofs,
            roof("read", [DRAM_BYTES_PER_S / 4], working_set_bytes=4096 * MIB),
        ),
    )
    (row,) = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(big), "b")
    ).rows
    moved = made.points[0].bytes
    needed = moved["read"] / (DRAM_BYTES_PER_S / 4) + moved["written"] / 40e9
    assert row.predicted.median == pytest.approx(needed / 0.5, rel=1e-3)
    assert row.measured is None
    assert row.predicted.low < row.predicted.median < row.predicted.high


def test_training_that_finds_its_weights_in_a_cache_makes_no_step_quicker():
    """It reads each set twice in a row: beside it the probe reads faster than beside a step."""
    steps = [synthetic.point(fraction=0.5, batch=batch) for batch in (1, 2)]
    training = [
        synthetic.moved(
            synthetic.point(fraction=0.5, phase="train", batch=batch), [1.6 * DRAM_BYTES_PER_S]
        )
        for batch in (1, 2, 4)
    ]
    made = profile([*steps, *training])
    found = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(twice_as_fast(made)), "b")
    )
    assert {row.entry.work.phase for row in found.rows} == {"step", "train"}
    for row in found.rows:
        assert row.error == pytest.approx(0, abs=1e-6)


def test_what_was_sampled_of_writing_beside_a_step_is_what_it_writes_at_there():
    """As its fraction was formed; the best of the survey may be twice that."""
    made = profile([synthetic.point(fraction=0.5, phase="train")])
    (point,) = made.points
    slow = [synthetic.WRITE_BYTES_PER_S / 2] * len(point.seconds)
    least = [
        point.bytes["read"] / read + point.bytes["written"] / write
        for read, write in zip(point.roof_bytes_per_s, slow, strict=True)
    ]
    paired = replace(
        point, roof_write_bytes_per_s=tuple(slow), seconds=tuple(2 * each for each in least)
    )
    made = replace(made, points=(paired,))
    fast = twice_as_fast(made)
    (there,) = fast.points
    quick = replace(there, roof_write_bytes_per_s=tuple(2 * each for each in slow))
    other = measured.system(Analysis(replace(fast, points=(quick,))), "b")
    (row,) = predict.predict(measured.system(Analysis(made), "a"), other).rows
    assert row.error == pytest.approx(0, abs=1e-3)


def test_a_step_that_was_held_against_a_triad_is_held_against_one_there():
    """As its fraction was formed; a step that was not is charged the sum on either machine."""
    for triad in (60e9, None):
        (point,) = profile([synthetic.point(fraction=0.5, phase="train")]).points
        rounds = len(point.seconds)
        sampled = {"roof_write_bytes_per_s": (synthetic.WRITE_BYTES_PER_S,) * rounds}
        sampled |= {"roof_triad_bytes_per_s": (triad,) * rounds} if triad else {}
        point = replace(point, **sampled)
        shares = roof_times.roof_fractions(point, None)
        point = replace(
            point,
            seconds=tuple(2 * t * s for t, s in zip(point.seconds, shares, strict=True)),
        )
        made = replace(profile([point]), points=(point,))
        fast = twice_as_fast(made)
        twice = {name: tuple(2 * rate for rate in rates) for name, rates in sampled.items()}
        fast = replace(fast, points=tuple(replace(one, **twice) for one in fast.points))
        (row,) = predict.predict(
            measured.system(Analysis(made), "a"), measured.system(Analysis(fast), "b")
        ).rows
        assert row.entry.together == bool(triad)
        assert row.error == pytest.approx(0, abs=1e-6)


def test_a_step_that_the_call_bounds_is_marked():
    made = profile([synthetic.point(fraction=0.3, floor=1.0)])
    other = twice_as_fast(made)
    (row,) = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(other), "b")
    ).rows
    assert row.call_bound


def test_the_curve_is_read_between_its_sizes_and_held_at_its_ends():
    curve = ((1024, 400.0), (4096, 100.0))
    assert roofs.interpolated(curve, 2048) == pytest.approx(200.0)
    assert roofs.interpolated(curve, 1) == 400.0
    assert roofs.interpolated(curve, 1 << 40) == 100.0


def test_a_published_machine_is_predicted_in_its_own_work():
    """The recurrent product alone, at the datasheet's bandwidth, over the share reached here."""
    made = synthetic.suite()
    target = published.find("NVIDIA P100")
    found = predict.predict(measured.system(Analysis(made), "a"), target)
    for row in found.rows:
        assert row.work.work.part == "recurrent"
        needed = max((row.work.read + row.work.written) / 732e9, row.work.flops / 9.3e12)
        assert row.predicted.median == pytest.approx(needed / row.entry.fraction.median)


def test_a_gpus_steps_on_a_machine_without_one_are_refused_by_what_is_missing():
    made = synthetic.suite()
    cpu = measured.system(Analysis(made), "cpu")
    gpu = replace(cpu, name="gpu", roofs={"cuda": cpu.roofs["all"]}, entries=cpu.entries[:1])
    work = replace(gpu.entries[0].work, threads="cuda", device="cuda")
    gpu = replace(gpu, entries=(replace(gpu.entries[0], work=work, seconds=(1.0,)),))
    with pytest.raises(BadInput, match="cpu has no roofs of cuda"):
        predict.predict(gpu, cpu)


def machine(made, name="other"):
    """The same profile as another machine's."""
    return replace(made, machine={**made.machine, "id": name, "label": name})


def drifting(scale, seed):
    """A machine whose memory moves between 46 and 126 GB/s, times `scale`, and whose survey saw the best of it.

    Its steps take floor + limit / 0.8 by the roof beside them.
    """
    chance = Random(seed)
    points = []
    stills = [
        synthetic.point(cell, hidden=hidden, batch=batch, residency=residency)
        for cell in ("rnn", "lstm", "gru")
        for hidden in (1024, 2048)
        for batch in (1, 2, 4, 8, 32)
        for residency in ("streamed", "resident")
    ]
    for still in stills:
        roof = chance.choice((46e9, 50e9, 54e9, 58e9, 126e9)) * scale
        paired = tuple(roof * chance.uniform(0.97, 1.03) for _ in still.seconds)
        read, written = still.bytes["read"], still.bytes["written"]
        peak = synthetic.MATMUL["float32"] * scale
        taken = [
            5e-6 * scale
            + max(read / r + written / (40e9 * scale), still.flops["linear"] / peak) / 0.8
            for r in paired
        ]
        floor = 5e-6 * scale
        points.append(
            replace(
                still,
                roof_bytes_per_s=paired,
                roof_flop_per_s=(peak,) * len(taken),
                seconds=tuple(taken),
                floor_seconds=floor,
            )
        )
    roofs_ = [
        replace(
            one,
            samples=tuple(126e9 * scale if one.kind == "read" else s * scale for s in one.samples),
        )
        for one in synthetic.profile().roofs
    ]
    return machine(profile(points, roofs=tuple(roofs_)), f"drifting {scale} {seed}")


@pytest.mark.parametrize("scale", [1.0, 1.7])
def test_a_memory_that_moved_is_predicted_by_what_it_is_as_a_rule_and_the_interval_holds(scale):
    source, target = drifting(1.0, 1), drifting(scale, 2)
    found = predict.predict(
        measured.system(Analysis(source), "a"), measured.system(Analysis(target), "b")
    )
    assert found.errors[0] < 0.1
    assert len(found.rows) == 60
    assert found.covered >= 0.95 * len(found.rows)
    for row in found.rows:
        assert row.predicted.low <= row.predicted.median <= row.predicted.high


def test_the_call_is_the_other_machines_own_and_only_the_rest_follows_the_roofs():
    made = profile([synthetic.point(hidden=256, residency="resident", fraction=0.4, floor=3e-6)])
    taken, floor = median(made.points[0].seconds), 3e-6
    later = replace(made.points[0], seconds=tuple(1.5 * s for s in made.points[0].seconds))
    dear = machine(replace(made, points=(replace(later, floor_seconds=30e-6),)))
    (row,) = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(dear), "b")
    ).rows
    assert row.predicted.median == pytest.approx(30e-6 + taken - floor, rel=1e-3)
    # By the emptiest calls, where its own was not measured there.
    calls = [replace(made, roofs=(*made.roofs, roof("call", [one]))) for one in (2e-6, 8e-6)]
    none = replace(calls[1], points=(replace(later, floor_seconds=None),))
    (row,) = predict.predict(
        measured.system(Analysis(calls[0]), "a"), measured.system(Analysis(machine(none)), "b")
    ).rows
    assert row.predicted.median == pytest.approx(4 * floor + taken - floor, rel=1e-3)


def test_both_stages_of_a_hoisted_sequence_have_their_limit():
    """The products of the inputs are bound by arithmetic, the steps by bandwidth: the two add up."""
    still = synthetic.point(batch=4, residency="resident", steps=16, fraction=0.9, hidden=2048)
    flops, moved = still.flops["linear"], still.bytes["read"]
    hoisted = replace(
        still,
        projection={"linear": flops // 2, "read": moved // 32},
        reads={"W": "per_call", "U": "per_step"},
    )
    made = multiplied(profile([hoisted]))
    (row,) = Analysis(made).rows
    (entry,) = measured.system(Analysis(made), "a").entries
    (known,) = measured.system(Analysis(made), "a").roofs.values()
    assert predict.limit(entry, known).median == pytest.approx(row.limit.median, rel=1e-3)
    assert row.limit.median > 1.1 * max(row.t_bytes.median, row.t_flops.median)


def test_an_interval_is_as_wide_as_the_other_predictions_went_wrong():
    """Steps of one implementation lose a third of their share there, and a step that is not known there says so."""
    points = [
        synthetic.point(cell, hidden=hidden, batch=batch)
        for cell in ("rnn", "lstm", "gru")
        for hidden in (512, 1024)
        for batch in (1, 2, 4, 8)
    ]
    made = profile(points)
    slow = [replace(p, seconds=tuple(1.5 * s for s in p.seconds)) for p in points]
    found = predict.predict(
        measured.system(Analysis(made), "a"), measured.system(Analysis(machine(profile(slow))), "b")
    )
    assert all(
        row.predicted.high == pytest.approx(1.5 * row.predicted.median, rel=0.01)
        for row in found.rows
    )
    few = replace(made, points=tuple(points[:4]))
    short = predict.predict(
        measured.system(Analysis(few), "a"), measured.system(Analysis(machine(profile(slow))), "b")
    )
    for row in short.rows:
        reach = row.predicted.high / row.predicted.median
        assert predict.SHARE <= reach < 1.1 * predict.SHARE
        assert row.predicted.median / row.predicted.low >= predict.SHARE


def test_fewer_than_five_known_errors_are_not_summed_up():
    for count, told in ((4, False), (5, True)):
        made = profile([synthetic.point(batch=b) for b in range(1, count + 1)])
        found = predict.predict(
            measured.system(Analysis(made), "a"),
            measured.system(Analysis(twice_as_fast(made)), "b"),
        )
        assert found.known == count
        assert (found.errors is not None) == told


def test_machines_predict_each_other_within_the_interval_though_no_other_step_is_known(monkeypatch):
    """Those of the gallery with steps in common, and two boards that others published; the bar is 85 in 100."""
    monkeypatch.setattr(predict, "ENOUGH", 10**9)
    systems = [measured.system(Analysis(locate.load(name)[0]), name) for name in locate.gallery()]
    systems += [published.find(name) for name in ("NVIDIA P100", "NVIDIA TitanXp")]
    pairs = 0
    for source, target in permutations(systems, 2):
        alike = source.measured == target.measured and source.machine != target.machine
        boards = not source.measured and not target.measured
        if (alike or boards) and len(match.matched(source, target)) >= 20:
            found = predict.predict(source, target)
            assert found.covered >= 0.85 * found.known
            pairs += 1
    assert pairs >= 2
