"""What a resumed run takes from the one before it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench.session import survey


@pytest.mark.parametrize(
    ("roofs", "over"),
    [
        ([("read", 1), ("read", 2), ("call", 1), ("call", 2)], True),
        ([("read", 1), ("read", 2), ("call", 1)], False),
        ([("read", 1), ("read", 2)], False),
        ([], False),
    ],
)
def test_a_survey_is_over_when_empty_calls_of_every_number_of_threads_are_in(roofs, over):
    made = [SimpleNamespace(kind=kind, threads=threads) for kind, threads in roofs]
    assert survey.was_finished(made) == over
