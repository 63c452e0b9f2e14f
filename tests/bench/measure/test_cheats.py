"""Every cheat in tests/cheats is a failed point with its reason, and the run goes on."""

from __future__ import annotations

import re

import pytest
import torch

from bench.device import threads
from bench.measure import point
from bench.timing import rounds
from kernels import implementations
from kernels.case import Case
from tests import cheats


def case(cheat):
    return Case("lstm", 64, 32, 16, residency=cheat.residency, steps=cheat.steps, threads=1)


@pytest.mark.parametrize("name", cheats.names())
def test_a_cheat_is_a_failed_point_with_its_reason(context, name):
    cheat = cheats.load(name)
    found = point.point(context, case(cheat), name, cheat, order=0)
    assert found.status == "failed"
    assert re.search(cheat.caught, found.reason), found.reason
    assert "\n" not in found.reason
    assert found.seconds == ()
    assert found.case == case(cheat)
    assert found.flops


@pytest.mark.parametrize("name", cheats.names())
def test_the_honest_point_after_a_cheat_is_good_and_has_the_same_weights(context, name):
    cheat = cheats.load(name)
    (bits,) = context.arena.sets(((context.arena.size_bytes // 4,),), "float32", 1)[0]
    before = bits.view(torch.int32).clone()
    point.point(context, case(cheat), name, cheat, order=0)
    assert torch.equal(bits.view(torch.int32), before)
    name = "torch_cell" if cheat.steps == 1 else "torch_sequence"
    threads.use(1)  # as a run does before every point
    found = point.point(context, case(cheat), name, implementations.load(name), order=1)
    assert (found.status, found.reason) == ("ok", None)


@pytest.mark.parametrize(
    "name",
    [
        "wrong_gate_order",
        "one_wrong_in_a_thousand",
        "raises",
        "remembers_by_value",
        "keeps_half_of_its_products",
        "reads_half_of_its_weights",
        "has_weights_of_zeros",
    ],
)
@pytest.mark.parametrize("residency", ["resident", "streamed"])
def test_a_cheat_is_never_timed(context, monkeypatch, name, residency):
    def timed(*_arguments, **_named):
        raise AssertionError("timed")

    monkeypatch.setattr(rounds, "alternate", timed)
    cheat = cheats.load(name)
    cheat.residency = residency
    found = point.point(context, case(cheat), name, cheat, order=0)
    assert re.search(cheat.caught, found.reason), found.reason


@pytest.mark.parametrize("name", ["reads"])
def test_a_file_that_lacks_a_name_of_the_contract_is_a_failed_point(context, name):
    lacking = cheats.load("raises")
    delattr(lacking, name)
    found = point.point(context, case(lacking), "lacking", lacking, order=0)
    assert found.status == "failed"


@pytest.mark.parametrize(
    "name", ["label", "version", "unavailable", "layout", "canonical", "prepare"]
)
def test_a_file_that_lacks_another_name_is_a_failed_point_or_none_the_worse(context, name):
    lacking = cheats.load("raises_while_timed")
    delattr(lacking, name)
    found = point.point(context, case(lacking), "lacking", lacking, order=0)
    assert found.status == "failed"
    assert "\n" not in found.reason
