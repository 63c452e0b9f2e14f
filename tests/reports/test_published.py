"""Published results are what their source says, under its accounting, and a set is one file."""

from __future__ import annotations

import pytest

from bench.profile.errors import BadFile
from reports import published
from reports.compare import predict
from reports.locate import BadInput

ONE = (
    'name = "One"\nsource = "s"\nlicence = "l"\naccounting = "a"\ndefects = ["d"]\n'
    'results = """\ndevice,library,dtype,cell,mode,hidden,batch,steps,forward_ms,backward_ms,backward_of\n'
    'Box,lib 1,float32,rnn,inference,1000,1,10,1.0,,\n"""\n'
    '[[device]]\nname = "Box"\nmemory = "DDR"\nbytes_per_s = 8e9\nflop_per_s = 1e12\n'
    'last_level_bytes = 1000\nremark = ""\n'
)


def entry(machine, **wanted):
    """The only entry of a published machine of these properties."""
    (found,) = [
        e
        for e in published.find(machine).entries
        if all(getattr(e.work, key) == value for key, value in wanted.items())
    ]
    return found


def test_figures_are_those_of_the_books_in_deepbenchs_accounting():
    """TitanXp, GRU 2560, B 1, T 1500: 190.7 us a step; weights 3HH floats at 412 GB/s, 75 % of the datasheet."""
    found = entry("NVIDIA TitanXp", cell="gru", hidden=2560, batch=1, phase="step", steps=1500)
    assert found.time == pytest.approx(190.7e-6, rel=1e-3)
    assert 3 * 2560 * 2560 * 4 / found.time == pytest.approx(412e9, rel=0.002)
    assert found.recurrent == found.flops == 6 * 2560 * 2560
    assert found.fraction.median == pytest.approx(0.753, abs=0.003)


def test_every_machine_has_results_and_roofs_that_are_called_datasheets():
    for name in published.names():
        one = published.find(name)
        assert one.origin == "published"
        assert not one.measured
        assert len(one.entries) >= 50
        assert any("datasheet figures" in remark for remark in one.remarks)
    assert published.find("NVIDIA P1000") is None


def test_a_training_step_is_published_only_where_backward_is_whole():
    assert not [e for e in published.find("AMD MI25").entries if e.work.phase == "train"]
    trained = [e for e in published.find("NVIDIA P100").entries if e.work.phase == "train"]
    assert {e.work.dtype for e in trained} == {"float32"}


def test_weights_that_fit_the_cache_are_not_held_against_memory():
    small = entry(
        "NVIDIA P100", cell="lstm", hidden=256, batch=16, phase="forward", dtype="float32"
    )
    assert small.fraction is None
    assert small.t_bytes is None


def test_another_set_is_another_file(tmp_path):
    (tmp_path / "one.toml").write_text(ONE)
    found = published.find("box", tmp_path)
    assert found.entries[0].time == pytest.approx(1e-4)
    assert found.entries[0].fraction.median == pytest.approx(
        5.0, rel=0.01
    )  # 4 MB in 0.1 ms at 8 GB/s


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ('name = "One"', "", "missing required field name"),
        ('name = "One"', 'name = "', "not a published set"),
        ("1000,1,10,1.0", "1000,1,10,fast", r"results\[0\]\.forward_ms: Expected float"),
        ("1000,1,10,1.0", "1000,0,10,1.0", r"results\[0\]\.batch: Expected int >= 1"),
        ("1000,1,10,1.0", "9" * 400 + ",1,10,1.0", r"results\[0\]\.hidden: Expected int"),
        ("8e9", "9" * 5000, "not a published set"),
        ("rnn", "tree", r"results\[0\]\.cell: Invalid enum value 'tree'"),
        (",,\n", ",,,more\n", r"results\[0\]: unknown field"),
        ("8e9", "inf", r"device\[0\]\.bytes_per_s: Expected float <= 1e"),
        ('remark = ""', 'remark = ""\nprice = 5', r"device\[0\]: unknown field 'price'"),
    ],
)
def test_a_set_that_means_nothing_is_refused_in_one_line(tmp_path, old, new, named):
    assert old in ONE
    (tmp_path / "one.toml").write_text(ONE.replace(old, new))
    with pytest.raises(BadFile, match=f"one.toml.*{named}"):
        published.sets(tmp_path)


@pytest.mark.parametrize(
    ("source", "target", "most"),
    [("NVIDIA TitanX Pascal", "NVIDIA 1080 Ti", 0.03), ("AMD MI25", "AMD Vega FE", 0.08),
     ("NVIDIA TitanXp", "NVIDIA P100", 0.20), ("NVIDIA M40", "NVIDIA TitanX (Maxwell)", 0.15)],
)  # fmt: skip
def test_published_steps_of_a_kin_are_predicted_within(source, target, most):
    found = predict.predict(published.find(source), published.find(target))
    assert found.errors[0] <= most
    assert sum(row.error is not None for row in found.rows) >= 40


def test_a_library_that_never_met_the_machine_is_predicted_badly_and_says_so():
    """From cuDNN 5 on Maxwell to cuDNN 6 on Pascal: the roofs do not tell what a library learned."""
    found = predict.predict(published.find("NVIDIA M40"), published.find("NVIDIA P100"))
    assert found.errors[0] > 0.3


def test_nothing_to_predict_is_one_line():
    with pytest.raises(BadInput, match="the same run is given twice"):
        predict.predict(published.find("NVIDIA M40"), published.find("NVIDIA M40"))


def test_an_error_is_the_prediction_over_the_published_time():
    found = predict.predict(published.find("NVIDIA TitanXp"), published.find("NVIDIA P100"))
    known = [row for row in found.rows if row.error is not None]
    assert known
    for row in known:
        assert (1 + row.error) * row.measured == pytest.approx(row.predicted.median)
