"""Every promise of the method, simulated small, and the published figures of the large simulations."""

from __future__ import annotations

import pytest

from tests.statistics import promises

EVERY = promises.every()


@pytest.mark.slow
@pytest.mark.parametrize("promise", EVERY, ids=[one.name for one in EVERY])
def test_a_promise_is_kept(promise):
    figure, slack = promise.figure(promise.quick), promise.slack(promise.quick)
    assert promise.least - slack <= figure <= promise.most + slack


def test_the_figures_published_are_those_of_the_promises():
    known = promises.published()
    assert list(known) == [one.name for one in EVERY]
    for one in EVERY:
        assert known[one.name]["trials"] == one.trials
        assert one.least <= known[one.name]["figure"] <= one.most


def test_no_two_promises_have_one_name():
    assert len({one.name for one in EVERY}) == len(EVERY)
