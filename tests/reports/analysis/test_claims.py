"""The six claims on planted machines: where each holds, where it fails, and where it cannot be told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile.experiments import BYTES, THREADS
from bench.profile.records import Point
from kernels import case as contract
from kernels.roofline_model import BANDWIDTH, CALL, COMPUTE
from reports.analysis import claims
from reports.analysis.analysis import Analysis
from reports.analysis.claims import REFUTED, SUPPORTED, UNDECIDED, UNTESTED
from reports.analysis.elasticity import SUPPORTS, Answer
from reports.analysis.experiments import Outcome
from tests.reports import synthetic
from tests.reports.analysis.test_experiments import step, threaded, timed
from tests.reports.synthetic import profile

BATCHES = (1, 2, 4, 8)


def told(number, *points, **fields):
    """What a profile of these points says of one claim."""
    (claim,) = (c for c in Analysis(profile(points, **fields)).claims if c.number == number)
    return claim


def bandwidth_bound(batches=BATCHES, cell="lstm", **look):
    """A series at 90 % of its roofs, from memory and from the cache."""
    kinds = {"cell": cell, "fraction": 0.9, "visits": 3} | look
    return [
        synthetic.point(hidden=512, residency=residency, batch=batch, **kinds)
        for residency in ("streamed", "resident")
        for batch in batches
    ]


def compute_bound(batches=(1, 2)):
    """The same on a machine whose products run a thousandth as fast: arithmetic is the limit from batch 1 on."""
    slow = {dtype: rate / 1000 for dtype, rate in synthetic.MATMUL.items()}
    points = []
    for point in bandwidth_bound(batches):
        flops = point.flops["linear"] / slow["float32"]
        points.append(timed(point, flops / 0.9 / point.seconds[5]))
    kept = tuple(roof for roof in profile().roofs if roof.kind != "matmul")
    made = tuple(synthetic.roof("matmul", [rate], dtype=dtype) for dtype, rate in slow.items())
    return points, {"roofs": (*kept, *made)}


def counted(point, layers, count=8):
    """A step whose dispatcher ran the products of so many linear layers."""
    case = point.case
    layer = 2 * case.batch * case.hidden * (case.input + case.hidden)
    return replace(point, products={"count": count, "flops": layers * layer})


def parts(share, batch=1, layers=4):
    """A step with its products counted, and its linear layers alone taking this share of its time."""
    whole = step(fraction=0.9, batch=batch)
    alone = replace(timed(whole, share), case=replace(whole.case, part="linear"))
    return counted(whole, layers), alone


# 1: four linear layers that hold nearly all of it


def test_linear_layers_that_take_nearly_all_the_time_hold_the_claim():
    claim = told(1, *parts(0.97))
    assert claim.text == SUPPORTED
    assert "LSTM 4 in 8 products" in claim.figures[0]
    assert "97 % (" in claim.figures[1]


def test_linear_layers_that_take_two_thirds_do_not():
    assert told(1, *parts(0.66)).text == REFUTED


def test_an_interval_across_the_threshold_leaves_it_open():
    for share in (0.895, 0.9, 0.905):
        assert told(1, *parts(share)).text == UNDECIDED


def test_where_they_hold_it_up_to_a_batch_it_says_so():
    assert told(1, *parts(0.97), *parts(0.6, batch=4)).text == "supported up to batch 1"


def test_without_linear_parts_only_the_layers_are_counted():
    cells = {"rnn": 1, "lstm": 4, "gru": 3}
    claim = told(1, *(counted(step(cell=cell), layers, 2) for cell, layers in cells.items()))
    assert claim.text == UNTESTED
    assert all(f"{cell.upper()} {n} in 2" in claim.figures[0] for cell, n in cells.items())
    assert "no linear part of an LSTM" in claim.figures[1]


def test_an_lstm_that_ran_other_products_than_four_layers_refutes_it():
    """Whatever the model of its FLOPs says: three layers, or the input's product computed twice."""
    assert told(1, *parts(0.97, layers=3)).text == REFUTED
    assert told(1, *parts(0.97, layers=6)).text == REFUTED
    limbs = counted(step(implementation="limbs"), 12)
    case = replace(limbs.case, dtype="int8", activations="float32")
    assert told(1, *parts(0.97), replace(limbs, case=case)).text == SUPPORTED
    other = counted(step(fraction=0.9, implementation="other"), 3)
    assert told(1, *parts(0.97), other).text == REFUTED


def test_without_a_count_of_products_four_layers_are_not_taken_on_trust():
    whole, alone = parts(0.97)
    claim = told(1, replace(whole, products=None), alone)
    assert claim.text == UNDECIDED
    assert "not counted" in claim.figures[0]
    slow, part = parts(0.66)
    assert told(1, replace(slow, products=None), part).text == REFUTED


# 2: bandwidth-bound


def test_a_confirmed_run_of_bandwidth_holds_up_to_its_last_batch():
    """At batch 8 the products are the larger limit, from memory too."""
    claim = told(2, *bandwidth_bound())
    assert claim.text == "supported up to batch 4, undecided up to 8"
    assert (
        "bandwidth (DRAM) \N{CHECK MARK} at batch 1 (confirmed: residency and batch agree)"
        in claim.figures[0]
    )
    assert told(2, *bandwidth_bound((1, 2))).text == SUPPORTED


def test_what_the_arithmetic_would_need_is_set_against_what_memory_gives():
    (figure,) = (f for f in told(2, *bandwidth_bound()).figures if "busy" in f)
    # 8.4 MB within the 23 us that 4.2 MFLOP take at 180 GFLOP/s: 361 GB/s, of 52.
    assert "it would need 361 GB/s, 6.9\N{MULTIPLICATION SIGN} the 52.0" in figure


def test_on_a_machine_bound_by_arithmetic_it_fails():
    points, fields = compute_bound()
    claim = told(2, *points, **fields)
    assert claim.text == REFUTED
    assert (
        "compute \N{CHECK MARK} at batch 1 (confirmed: residency and batch agree)"
        in claim.figures[0]
    )


def test_a_slow_implementation_does_not_hold_it():
    assert told(2, *bandwidth_bound(fraction=0.4)).text == REFUTED


def test_an_unconfirmed_verdict_is_no_evidence():
    claim = told(2, step(fraction=0.9))
    assert claim.text == UNDECIDED
    assert "unconfirmed: no point to compare it with" in claim.figures[0]


def test_the_implementation_that_comes_nearest_to_its_roof_speaks_for_the_machine():
    slow = bandwidth_bound((1, 2), implementation="slow", fraction=0.3)
    assert told(2, *slow, *bandwidth_bound((1, 2))).text == SUPPORTED
    # Nearer still, but its verdict is not confirmed.
    nearer = step(implementation="nearer", fraction=0.95)
    assert told(2, nearer, *bandwidth_bound((1, 2))).text == SUPPORTED


# 3: more compute units do not help


def narrowed(point, factor=0.5):
    """The same step with weights of bfloat16, at this share of its time."""
    narrow = step(fraction=0.9, dtype="bfloat16", batch=point.case.batch)
    return timed(narrow, factor * point.seconds[5] / narrow.seconds[5])


def test_a_free_batch_alone_decides_nothing():
    claim = told(3, *bandwidth_bound((1, 2, 4, 8, 16)))
    assert (claim.text, claim.until) == (UNDECIDED, None)
    assert "free batch 8; by the roofs arithmetic takes over at 8" in claim.figures[0]
    points, fields = compute_bound()
    assert told(3, *points, **fields).text == UNDECIDED


def test_where_fewer_bytes_help_it_holds_as_far_as_sequences_ride_free():
    series = bandwidth_bound((1, 2, 4, 8, 16))
    claim = told(3, *series, narrowed(series[0]))
    assert claim.text == "supported up to batch 8"
    assert told(3, *bandwidth_bound(), narrowed(series[0])).text == SUPPORTED


def test_between_free_and_not_free_it_is_open():
    one, two, four, eight, last = bandwidth_bound((1, 2, 4, 8, 16))[:5]
    swing = [1.24 * (1 + 0.1 * place) for place in synthetic.VISITED]
    open_at_8 = replace(eight, seconds=tuple(one.seconds[5] * each for each in swing))
    claim = told(3, one, two, four, open_at_8, last, narrowed(one))
    assert claim.text == "supported up to batch 4, undecided up to 8"


def test_a_free_batch_below_what_an_experiment_decides_says_nothing():
    """Open at batch 1 and 2, decided at 4 alone: sequences ride free up to 2, or not at all."""
    one, two, four = bandwidth_bound((1, 2, 4))[:3]
    last = timed(four, 2)
    assert told(3, one, two, last, narrowed(last, 1.0)).text == UNDECIDED
    assert told(3, one, timed(two, 2), last, narrowed(last)).text == UNDECIDED


def test_what_failed_speaks_of_no_batch_that_rides_free():
    one, two = bandwidth_bound((1, 2))[:2]
    failed = Point(two.case, two.implementation, "failed", reason="wrong")
    assert told(3, one, failed, narrowed(one)).text == SUPPORTED


def test_bytes_that_help_a_step_that_its_core_holds_are_no_evidence():
    """From the cache it takes as long as from memory: half the bytes are half the work of a core, too."""
    one = step(fraction=0.9)
    hot = step(fraction=0.9, residency="resident")
    hot = timed(hot, one.seconds[5] / hot.seconds[5])
    assert told(3, one, narrowed(one)).text == SUPPORTED
    assert told(3, one, narrowed(one), hot).text == UNDECIDED


@pytest.mark.parametrize(
    ("taken", "text"), [(0.5, REFUTED), (1 / 1.2, SUPPORTED), (0.65, UNDECIDED)]
)
def test_a_second_core_that_helps_more_than_its_bandwidth_refutes_it(taken, text):
    """Two cores read 1.2 times as much as one, and multiply twice as much."""
    points, fields = threaded(read=1 / 1.2, products=0.5, taken=taken)
    assert told(3, *points, **fields).text == text


def test_fewer_bytes_and_sequences_that_disagree_leave_it_open():
    one, two = bandwidth_bound((1, 2))[:2]
    assert told(3, one, timed(two, 2), narrowed(one)).text == UNDECIDED
    assert told(3, one, timed(two, 2), narrowed(one, 1.0)).text == REFUTED


def test_fewer_bytes_that_do_not_help_speak_against_lack_of_bandwidth():
    narrow = step(fraction=0.9, dtype="bfloat16")
    assert told(3, step(fraction=0.9), narrow).text == SUPPORTED
    against = told(3, step(fraction=0.9), timed(narrow, 2))
    assert against.text == REFUTED
    assert "bfloat16 for float32 weights: elasticity of time to bytes 0.00" in against.figures[0]


@pytest.mark.parametrize(("slower", "silent"), [(1.0, False), (1.38, True), (2.0, False)])
def test_a_figure_that_decides_nothing_says_so(slower, silent):
    narrow = timed(step(fraction=0.9, dtype="bfloat16"), slower)
    claim = told(3, step(fraction=0.9), narrow)
    assert (claim.text == UNDECIDED) == silent
    assert claim.figures[0].endswith("which decides nothing") == silent


def test_without_other_threads_weights_or_batches_it_cannot_be_told():
    claim = told(3, step(fraction=0.9))
    assert claim.text == UNTESTED
    assert "no other threads, weights or batches" in claim.figures[-1]


# 4: a small share of peak arithmetic


def test_a_step_below_half_of_the_arithmetic_roof_leaves_hardware_idle():
    claim = told(4, *bandwidth_bound((1, 2)))
    assert claim.text == SUPPORTED
    assert "of 180 GFLOP/s: B 1 13 % (13 %), B 2 26 % (26 %)" in claim.figures[0]


def test_up_to_the_batch_at_which_it_no_longer_does():
    assert told(4, *bandwidth_bound((1, 2, 64))).text == "supported up to batch 2"


def test_the_best_implementation_counts():
    both = [step(fraction=0.3, batch=64), step(fraction=0.9, batch=64, implementation="other")]
    assert told(4, *both).text == REFUTED


def test_without_an_arithmetic_roof_there_is_no_share_of_it():
    roofs = tuple(roof for roof in profile().roofs if roof.kind != "matmul")
    assert told(4, step(), roofs=roofs).text == UNTESTED


# 5: more parameters, more time


def test_three_cells_in_the_order_of_their_bytes_hold_it():
    claim = told(5, *(step(cell=cell, fraction=0.9) for cell in ("rnn", "gru", "lstm")))
    assert claim.text == SUPPORTED
    assert (
        "LSTM/RNN 3.99 (3.97\N{EN DASH}4.02) for 3.99\N{MULTIPLICATION SIGN} the bytes"
        in claim.figures[0]
    )
    assert "elasticity 1.00" in claim.figures[0]


def test_a_gru_that_is_as_slow_as_an_lstm_leaves_it_open_and_a_slower_one_refutes_it():
    rnn, gru, lstm = (step(cell=cell, fraction=0.9) for cell in ("rnn", "gru", "lstm"))
    assert told(5, rnn, timed(gru, 4 / 3), lstm).text == UNDECIDED
    assert told(5, rnn, timed(gru, 2), lstm).text == REFUTED


def test_an_order_that_has_little_to_do_with_the_bytes_refutes_it():
    """Four times the bytes in 1.5 times the time: something else is paid for."""
    rnn, gru, lstm = (step(cell=cell, fraction=0.9) for cell in ("rnn", "gru", "lstm"))
    order = timed(rnn, 4 / 1.5), timed(gru, 4 / 3 / 1.2), lstm
    claim = told(5, *order)
    assert claim.text == REFUTED
    assert "LSTM/RNN 1.50" in claim.figures[0]
    assert "GRU/RNN 1.25" in claim.figures[0]


def test_without_the_other_cells_there_is_nothing_to_compare():
    assert told(5, step(), step(cell="gru")).text == UNTESTED


# 6: training, and other machines


def test_training_is_told_by_its_own_points(monkeypatch):
    assert told(6, *bandwidth_bound()).figures == ("no training step was measured on cpu",)
    monkeypatch.setattr(contract, "PHASES", ("step", "train"))
    trained = [replace(p, case=replace(p.case, phase="train")) for p in bandwidth_bound((1, 2))]
    assert told(6, *trained).text == SUPPORTED
    assert told(2, *trained).text == UNTESTED
    slow = [replace(p, case=replace(p.case, phase="train")) for p in bandwidth_bound(fraction=0.3)]
    assert told(6, *slow).text == REFUTED


def on_cuda(points):
    """The points, and the roofs, as of a GPU."""
    moved = [replace(p, case=replace(p.case, device="cuda", threads=0)) for p in points]
    made = profile(moved)
    roofs = tuple(replace(r, device="cuda", threads=None) for r in made.roofs if r.threads == 2)
    return moved, {
        "roofs": roofs,
        "levels": tuple(replace(level, device="cuda") for level in made.levels),
    }


def test_a_gpu_is_judged_as_a_cpu_is():
    points, fields = on_cuda(bandwidth_bound())
    found = Analysis(profile(points, **fields)).claims
    assert {claim.device for claim in found} == {"cuda"}
    assert [claim.text for claim in found[1:4]] == [
        "supported up to batch 4, undecided up to 8",
        UNDECIDED,
        "supported up to batch 2",
    ]


def test_a_profile_of_two_devices_has_the_claims_of_each():
    points, fields = on_cuda(bandwidth_bound((1,)))
    both = replace(profile([*points, step()]), roofs=(*profile().roofs, *fields["roofs"]))
    found = Analysis(both).claims
    assert [(c.device, c.number) for c in found] == [
        (device, number) for device in ("cpu", "cuda") for number in range(1, 7)
    ]
    on_cpu, on_gpu = (claim.figures[0] for claim in found if claim.number == 2)
    assert ("2 threads" in on_cpu, "cuda" in on_cpu, "cuda" in on_gpu) == (True, False, True)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [replace(step(), status="failed", reason="wrong")],
        [step(cell="gru")],
        [step(part="linear")],
    ],
)
def test_a_profile_without_an_lstm_step_supports_nothing(points):
    assert all(claim.verdict == UNTESTED for claim in Analysis(profile(points)).claims)


def test_every_claim_has_a_verdict_its_figures_and_its_experiment():
    found = Analysis(synthetic.suite()).claims
    assert [claim.number for claim in found] == [1, 2, 3, 4, 5, 6]
    for claim in found:
        assert claim.verdict in (SUPPORTED, REFUTED, UNDECIDED, UNTESTED)
        assert claim.figures
        assert all(claim.figures)
        assert claim.experiment
        assert claim.statement


@pytest.mark.parametrize(
    ("experiment", "excluded", "meant"),
    [(THREADS, (CALL,), None), (THREADS, (COMPUTE, CALL), True), (BYTES, (CALL,), True)],
)
def test_threads_tell_bandwidth_only_where_they_exclude_arithmetic(experiment, excluded, meant):
    (row,) = Analysis(profile([synthetic.point()])).rows
    answers = {BANDWIDTH: Answer(SUPPORTS, excluded)}
    outcome = Outcome(experiment, (row, row), (row.point.key,), answers=answers)
    assert claims._for_lack_of_bandwidth(outcome) is meant
