"""One table of checks: the wrong ones first, each with its word."""

from __future__ import annotations

from bench.verify.checks import Check, table, within
from bench.verify.instrument import settled


def test_the_worst_comes_first_and_what_was_not_checked_last():
    lines = table(
        [
            Check("probes", "near", "1", "w", 0.01),
            Check("counted", "absent", "no such tool"),
            Check("planted", "wrong", "2", "w", -0.5),
            Check("probes", "far", "3", "w", 0.9),
            Check("probes", "hardly wrong", "4", "w", -0.01),
        ]
    )
    assert [line.split()[0] for line in lines] == ["WRONG", "WRONG", "good", "good", "-"]
    assert [line.split()[2] for line in lines] == ["wrong", "hardly", "near", "far", "absent"]


def test_every_failure_says_wrong_whatever_word_it_has_for_good():
    assert table([Check("counted", "x", "y", "z", -0.1, "more")])[0].startswith("WRONG")
    assert table([Check("counted", "x", "y", "z", 0.1, "more")])[0].startswith("more")


def test_what_was_not_checked_is_not_wrong():
    assert Check("probes", "x", "no compiler").good
    assert Check("probes", "x", "y", "z", 0.0).good
    assert not Check("probes", "x", "y", "z", -1e-9).good


def test_columns_stand_below_one_another_but_for_a_long_reason():
    lines = table(
        [Check("a", "b", "c", "wanted", 1), Check("planted", "longer", "found", "wanted", 2),
         Check("probes", "x", "a reason of many words " * 4)]
    )  # fmt: skip
    assert lines[0].index("wanted") == lines[1].index("wanted") < 40


def test_a_margin_is_the_share_to_the_nearest_bound():
    assert within(1.1, 1.0, 2.2) == 1.1 / 1.0 - 1
    assert within(2.0, 1.0, 2.5) == 1 - 2.0 / 2.5
    assert within(0.9, 1.0, None) < 0 < within(1.1, 1.0, None)
    assert within(0.03, None, 0.02) < 0 < within(0.01, None, 0.02)
    assert within(0.0, None, 0.02) == 1


def test_no_check_has_no_line():
    assert table([]) == []


def test_what_comes_out_wrong_is_tried_once_more_thoroughly_after_all_others():
    asked = []

    def attempt(name, margins):
        def check(thorough):
            asked.append((name, thorough))
            margin = margins.pop(0)
            return None if margin is None else Check("probes", name, "1", "w", margin)

        return check

    answers = [Check("probes", "unable", "1", "w", -1.0), Check("probes", "unable", "too slow")]

    def unable(thorough):
        asked.append(("unable", thorough))
        return answers.pop(0)

    attempts = [
        attempt("passing", [-1.0, 0.2]),
        attempt("too small", [None]),
        attempt("good", [0.1]),
        attempt("broken", [-1.0, -1.0]),
        unable,
    ]
    found = list(settled(attempts, thorough=False))
    assert asked == [
        ("passing", False),
        ("too small", False),
        ("good", False),
        ("broken", False),
        ("unable", False),
        ("passing", True),
        ("broken", True),
        ("unable", True),
    ]
    told = [(one.what, one.good) for one in found]
    assert told == [
        ("good", True),
        ("passing, again", True),
        ("broken, again", False),
        ("unable", False),
    ]
