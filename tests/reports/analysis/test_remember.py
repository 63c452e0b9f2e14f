"""What is remembered belongs to one profile, and is asked for once."""

from __future__ import annotations

from dataclasses import replace

from reports.analysis import remember
from reports.analysis.remember import remembered
from tests.reports.synthetic import profile


def counted():
    """A remembered function that notes what it was asked."""
    asked = []

    @remembered
    def answer(made, *words, **named):
        asked.append((made, words, named))
        return made.suite, words, named

    return answer, asked


def test_a_question_is_answered_once_and_each_by_itself():
    answer, asked = counted()
    made = profile()
    assert answer(made, "a") == answer(made, "a") == (made.suite, ("a",), {})
    assert answer(made, "b", kind=1) == (made.suite, ("b",), {"kind": 1})
    assert len(asked) == 2


def test_an_equal_profile_that_is_another_object_is_asked_anew():
    answer, asked = counted()
    one, other = profile(), profile()
    assert one == other
    answer(one)
    answer(other)
    assert [made for made, *_ in asked] == [one, other]
    assert answer(replace(one, suite="other"))[0] == "other"


def test_the_latest_profiles_are_kept_and_no_more(monkeypatch):
    monkeypatch.setattr(remember, "MOST", 2)
    answer, asked = counted()
    first, second, third = profile(), profile(), profile()
    for made in (first, second, third, third, second, first):
        answer(made)
    assert [made is first for made, *_ in asked] == [True, False, False, True]
