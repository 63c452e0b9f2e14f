"""What a resumed run takes from the one before it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.session import side


def survey(*roofs):
    made = (SimpleNamespace(device="cpu", kind=kind, threads=threads) for kind, threads in roofs)
    return SimpleNamespace(roofs=tuple(made))


@pytest.mark.parametrize(
    ("roofs", "surveyed"),
    [
        ([("read", 1), ("read", 2), ("call", 1), ("call", 2)], True),
        ([("read", 1), ("read", 2), ("call", 1)], False),
        ([("read", 1), ("read", 2)], False),
        ([], False),
    ],
)
def test_a_survey_is_over_when_empty_calls_of_every_number_of_threads_are_in(roofs, surveyed):
    assert side.is_surveyed(survey(*roofs), "cpu") == surveyed
    assert not side.is_surveyed(survey(*roofs), "cuda")


def test_without_an_earlier_process_nothing_is_surveyed():
    assert not side.is_surveyed(None, "cpu")
