"""Known-answer steps claim what they read, are scored as what they are, and are refused where memory is short."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.measure import point
from bench.profile import stats
from bench.roofs import read
from bench.verify import instrument, known_answers
from kernels import cost, roofline_model
from kernels.reference.inputs import Arena, set_bytes


def test_a_step_that_does_nothing_is_scored_far_above_one(context):
    context = replace(context, last_level_bytes=512 << 10)
    for place in known_answers.places(64 << 10, context.last_level_bytes, threads=1).values():
        step = known_answers.implementation("does nothing", place, read.VARIANTS[0])
        found = point.point(
            context, place.case, "does nothing", step, 0, known_answers.TrustingChecker
        )
        assert found.status == "ok", found.reason
        pairs = zip(found.seconds, found.roof_bytes_per_s, strict=True)
        score = stats.estimate([found.bytes["read"] / roof / seconds for seconds, roof in pairs])
        assert score.low > roofline_model.IMPOSSIBLE


def test_truths_that_outgrow_the_arena_are_measured_all_the_same_or_not_checked(
    context, monkeypatch
):
    """Memory's step claims eight times the last level, and the curve may have walked less."""
    for budget in ("BUDGET_SECONDS", "QUICK_BUDGET_SECONDS", "GLANCE_SECONDS"):
        monkeypatch.setattr(instrument, budget, 0.01)
    context = replace(context, arena=Arena(1 << 20, "cpu", seed=0, most_bytes=16 << 20))
    context = replace(context, last_level_bytes=1 << 20)
    caches = [{"level": 2, "size_bytes": 64 << 10}]
    header = SimpleNamespace(machine={"cpu": {"caches": caches}})
    run = SimpleNamespace(context=lambda: context, header=header)
    found = list(instrument.known(run, 1, thorough=False))
    assert all(check.margin is not None for check in found)
    assert context.arena.size_bytes >= 8 << 20
    context = replace(context, free_bytes=0)
    refused = list(instrument.known(run, 1, thorough=False))
    assert len(refused) == len(found)
    assert all(check.good and "too large" in check.found for check in refused)


@pytest.mark.parametrize("last_level", [1 << 20, 33 << 20])
def test_every_step_claims_the_bytes_it_reads(last_level):
    """Passes times the block it walks are the bytes its case is charged with, within one in a hundred."""
    for name, place in known_answers.places(1 << 18, last_level, threads=2).items():
        claimed = cost.count(place.case).bytes_read
        read_in_a_call = place.passes * set_bytes(
            known_answers.layout(place, place.case), "float32"
        )
        assert read_in_a_call == pytest.approx(claimed, rel=0.01), name
