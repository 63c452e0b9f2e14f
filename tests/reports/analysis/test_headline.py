"""The headline in every situation: true, clear about what it is about, and claiming no bound that is unconfirmed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile.records import Point, RunWarning
from kernels import case as contract
from reports.analysis.analysis import Analysis
from reports.analysis.wording import machine
from tests.reports import synthetic
from tests.reports.synthetic import profile


def series(fraction, implementation="torch_cell", **case):
    """Batches 1, 2, 4 and 8 at one fraction of the roof."""
    batches = (1, 2, 4, 8)
    return [
        synthetic.point(fraction=fraction, implementation=implementation, batch=batch, **case)
        for batch in batches
    ]


def test_the_best_implementation_is_named_with_pytorchs_own_beside_it():
    text = Analysis(profile([*series(0.8), *series(0.9, "torch_gates")])).headline
    assert text.startswith("On Synthetic CPU, an LSTM step of 1,024 units (float32, 2 threads, ")
    assert (
        "reaches 90 % of the measured roof (89\N{EN DASH}91 %) at batch 1 with torch_gates" in text
    )
    assert "PyTorch\u2019s own cell reaches 80 % (80 %)" in text
    assert "DRAM bandwidth allows at batch 1 (unconfirmed" in text


def test_a_bound_is_never_named_without_saying_that_it_is_unconfirmed():
    text = Analysis(profile(series(0.9))).headline
    assert "(unconfirmed: batch alone supports it)" in text
    assert "bound" not in text


def confirmed(**look):
    """A series from memory and from the cache: residency and batch confirm what bounds it."""
    kinds = {"fraction": 0.9, "hidden": 512, "visits": 3} | look
    return [
        synthetic.point(residency=residency, batch=batch, **kinds)
        for residency in ("streamed", "resident")
        for batch in (1, 2, 4, 8)
    ]


def test_a_confirmed_bound_is_named_up_to_its_last_batch():
    text = Analysis(profile(confirmed())).headline
    assert (
        "It is DRAM-bandwidth-bound up to batch 4 (confirmed: residency and batch agree)." in text
    )
    assert "unconfirmed" not in text


def test_a_memory_that_the_curve_did_not_reach_is_still_the_memory_that_bounds():
    *caches, last = synthetic.levels()
    made = replace(profile(confirmed()), levels=(*caches, replace(last, name="largest set")))
    assert "It is memory-bandwidth-bound up to batch 4" in Analysis(made).headline
    assert "memory bandwidth allows" in Analysis(replace(made, points=made.points[:1])).headline


def test_a_run_that_ends_with_the_plan_says_so_and_one_batch_is_no_run():
    two = [point for point in confirmed() if point.case.batch < 4]
    assert "bound up to batch 2, the largest measured (confirmed" in Analysis(profile(two)).headline
    narrow = synthetic.point(hidden=512, fraction=0.9, dtype="bfloat16")
    one = [*(point for point in two if point.case.batch == 1), narrow]
    assert (
        "It is DRAM-bandwidth-bound at batch 1 (confirmed: residency and bytes"
        in Analysis(profile(one)).headline
    )


def test_a_busy_machine_is_told_before_any_figure():
    busy = RunWarning("load", "run", "others kept 0.58 cores busy", "stop them")
    quiet = profile([synthetic.point()])
    loud = replace(quiet, warnings=(RunWarning("drift", "run", "it ran +20%", "-"), busy))
    words = Analysis(loud).headline
    assert (
        words == f"Others kept 0.58 cores busy: trust no single figure. {Analysis(quiet).headline}"
    )
    assert [warning.code for warning in Analysis(loud).warnings][:1] == ["load"]
    of_a_point = replace(quiet, warnings=(replace(busy, about="one"),))
    assert Analysis(of_a_point).headline == Analysis(quiet).headline


@pytest.mark.parametrize("message", ["", " ", "a\x1b[31mb", "\x90"])
def test_what_is_told_of_a_busy_machine_is_fit_for_a_terminal(message):
    busy = RunWarning("load", "run", message, "stop them")
    made = replace(profile([synthetic.point()]), warnings=(busy,))
    words = Analysis(made).headline
    assert words.isprintable()
    assert "trust no single figure" in words


def test_training_does_not_take_the_headline(monkeypatch):
    monkeypatch.setattr(contract, "PHASES", ("step", "train"))
    step = synthetic.point("gru", hidden=256, fraction=0.9)
    trained = synthetic.point(fraction=0.9)
    trained = replace(trained, case=replace(trained.case, phase="train"))
    assert "GRU step of 256 units" in Analysis(profile([trained, step])).headline


def test_where_nothing_touches_the_roof_it_says_so_and_by_how_much():
    text = Analysis(profile([*series(0.4), *series(0.5, "torch_gates")])).headline
    assert "no implementation measured touches the roof" in text
    assert "torch_gates, takes 1.29 ms (1.28\N{EN DASH}1.30) at batch 1, 50 % of the roof" in text
    assert "the machine would allow 2.0 times its speed" in text
    assert "PyTorch\u2019s own cell takes 1.62 ms (1.61\N{EN DASH}1.63), 40 % of it" in text
    assert "bandwidth" not in text


def test_pytorch_is_not_set_beside_itself():
    assert Analysis(profile(series(0.9))).headline.count("PyTorch") == 1


def test_a_missing_reference_is_said():
    assert "own cell has no figure" in Analysis(profile(series(0.9, "torch_gates"))).headline


def test_streamed_1024_comes_before_larger_and_resident_steps():
    points = [
        *series(0.9),
        *series(0.6, hidden=2048),
        *series(0.7, residency="resident"),
        *series(0.8, cell="gru"),
        *series(0.8, cell="rnn"),
        *series(0.95, phase="train"),
    ]
    assert (
        "LSTM step of 1,024 units (float32, 2 threads, weights fetched"
        in Analysis(profile(points)).headline
    )


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([*series(0.9, hidden=512), *series(0.9, hidden=2048)], "an LSTM step of 2,048 units"),
        (series(0.9, residency="resident"), "weights resident)"),
        (series(0.9, cell="gru"), "a GRU step of 1,024 units"),
        (series(0.9, cell="rnn"), "an RNN step of 1,024 units"),
        (series(0.9, part="linear"), "the linear part of an LSTM step"),
        (series(0.9, phase="train"), "an LSTM training step of 1,024 units"),
        ([*series(0.5, cell="rnn"), *series(0.9, phase="train")], "an RNN step of 1,024 units"),
    ],
)
def test_without_its_favourite_step_it_takes_the_next(points, words):
    assert words in Analysis(profile(points)).headline


def test_an_impossible_point_is_no_record():
    both = [*series(1.2, "torch_gates"), *series(0.9)]
    assert "90 %" in Analysis(profile(both)).headline
    assert "120 %" not in Analysis(profile(both)).headline
    alone = Analysis(profile(series(1.2))).headline
    assert "the roof or the bytes are wrong" in alone
    assert "%" not in alone


def test_an_open_bound_is_called_open():
    points = [synthetic.point(fraction=0.75, spread=0.05, floor=1e-9)]
    assert (
        "open: the interval allows bandwidth or implementation"
        in Analysis(profile(points)).headline
    )


def test_overhead_is_not_called_bandwidth():
    point = synthetic.point(fraction=0.3)
    text = Analysis(profile([replace(point, floor_seconds=0.7 * point.seconds[0])])).headline
    assert "cost of the call itself (unconfirmed" in text
    assert "bandwidth" not in text


def test_no_roof_no_percentage():
    text = Analysis(profile([replace(synthetic.point(), roof_bytes_per_s=())])).headline
    assert "no read roof was measured beside it" in text
    assert "%" not in text


@pytest.mark.parametrize("status", ["failed", "skipped"])
def test_no_good_point_at_all_is_a_sentence_too(status):
    points = [Point(synthetic.point().case, "torch_cell", status, reason="no")]
    assert Analysis(profile(points)).headline == Analysis(profile()).headline
    assert "no step could be measured" in Analysis(profile(points)).headline


@pytest.mark.parametrize(
    ("described", "name"),
    [
        ({"label": "Box\n 1", "cpu": {"model": "CPU"}}, "Box 1"),
        ({"label": " ", "cpu": {"model": "CPU"}}, "CPU"),
        ({"label": None, "cpu": {"model": None}}, "this machine"),
        ({}, "this machine"),
    ],
)
def test_a_machine_goes_by_its_label_else_its_processor(described, name):
    assert machine(profile(machine=described)) == name


def test_an_implementation_that_was_quicker_beside_a_quicker_memory_is_told():
    quicker = [
        replace(
            one,
            seconds=tuple(each / 2 for each in one.seconds),
            roof_bytes_per_s=tuple(2 * rate for rate in one.roof_bytes_per_s),
        )
        for one in series(0.8)
    ]
    text = Analysis(profile([*quicker, *series(0.9, "torch_gates")])).headline
    assert "reaches 90 % of the measured roof" in text
    assert "By the clock PyTorch\u2019s own cell was quicker, while the memory was" in text
    assert (
        "By the clock"
        not in Analysis(profile([*series(0.8), *series(0.9, "torch_gates")])).headline
    )


def on_a_gpu(point):
    return replace(point, case=replace(point.case, device="cuda", threads=0))


def test_on_a_gpu_alone_it_is_about_the_gpu_and_a_step_larger_than_a_launch():
    host = profile()
    machine_of = {**host.machine, "gpus": [{"name": "GPU X"}]}
    points = [on_a_gpu(one) for hidden in (1024, 4096) for one in series(0.9, hidden=hidden)]
    text = Analysis(replace(host, machine=machine_of, points=tuple(points))).headline
    assert text.startswith("On GPU X, an LSTM step of 4,096 units (float32, cuda, ")
    both = replace(host, machine=machine_of, points=(*points, *series(0.9)))
    assert machine(both) == "Synthetic CPU"
