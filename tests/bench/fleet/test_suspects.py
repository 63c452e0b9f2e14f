"""Suspects and their controls are measured again, each once; and what a measurement says is read."""

from __future__ import annotations

import pytest

from bench.fleet import said, suspects
from bench.profile.errors import BadFile


def test_suspects_are_those_that_the_report_calls_slow_each_beside_its_control(tmp_path):
    rows = ["node,class,verdict,control", "a,x,slow,c", "b,x,slow,c", "c,x,good,", "d,x,good,a"]
    (tmp_path / "fleet.csv").write_text("\n".join([*rows, "e,x,slow,", "gone,x,slow,c"]))
    assert suspects.named(tmp_path, ["a", "b", "c", "d", "e"]) == ["a", "c", "b", "e"]
    (tmp_path / "fleet.csv").write_text("nothing\n1\n")
    assert suspects.named(tmp_path, ["a"]) == []


def test_a_report_that_is_none_is_told(tmp_path):
    with pytest.raises(BadFile):
        suspects.named(tmp_path, ["a"])


def test_progress_and_reason_are_the_last_that_a_measurement_says():
    words = (
        "rnn-roofline: suite smoke, 2 threads, into x\nmeasuring the roofs of this machine ...\n"
        "3 of 9 visits, about 7 s of measuring left\nnoise\n"
    )
    assert said.progress(words)[-1] == "3 of 9 visits, about 7 s of measuring left"
    assert said.progress("waiting up to 60 s for process 7") == ["waiting up to 60 s for process 7"]
    assert said.progress("") == []
    assert said.why(words) == "noise"
    assert said.why(f"{words}rnn-roofline: suite no is unknown\nbye") == "suite no is unknown"
    assert (
        said.why("a point lies above its roof\nreport: /tmp/x\n") == "a point lies above its roof"
    )
    assert said.why("") == "it said nothing"
