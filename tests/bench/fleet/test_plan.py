"""A fleet's plan: who measures when, what a node is called, and a file that is whole after every change."""

from __future__ import annotations

import json

import pytest

from bench.fleet import plan
from bench.fleet.plan import BadFleet, Book, Fleet, Node, Pass, Turn
from bench.profile.errors import BadFile


def fleet(*names, passes=2):
    return plan.planned(Fleet("smoke", passes, 60.0), {name: ("10.0.0.1", {}) for name in names})


def test_each_pass_begins_with_another_node_and_has_every_node_once():
    rounds = plan.rounds(["a", "b", "c"], ["1", "2", "3", "4"])
    assert ["".join(turn.node for turn in one) for one in rounds] == ["abc", "bca", "cab", "abc"]
    assert {turn.name for turn in rounds[1]} == {"2"}
    assert plan.rounds([], ["1"]) == [()]


def test_what_is_measured_is_not_measured_again(tmp_path):
    book = Book(tmp_path, fleet("a", "b"))
    rounds = plan.rounds(["a", "b"], ["1", "2"])
    for state in ("busy", "dead", "hung", "rubbish", "failed"):
        book.note(Turn("a", "1"), Pass(state, "why"))
        assert book.left(rounds) == rounds
    book.note(Turn("a", "1"), Pass("measured"))
    assert book.left(rounds) == [(Turn("b", "1"),), rounds[1]]


def test_the_file_is_what_reports_read(tmp_path):
    book = Book(tmp_path, fleet("a"))
    book.note(Turn("a", "2"), Pass("dead", "gone\nand \x1b[2J" + "x" * 999))
    found = json.loads((tmp_path / "fleet.json").read_text())
    assert found["suite"] == "smoke"
    assert found["passes"] == 2
    assert found["limit_seconds"] == 60.0
    assert found["device"] is None
    node = found["nodes"]["a"]
    assert (node["address"], node["labels"]) == ("10.0.0.1", {})
    assert node["passes"]["1"] == {"state": "waiting", "reason": None, "seconds": None}
    reason = node["passes"]["2"]["reason"]
    assert reason.isprintable()
    assert len(reason) <= plan.LONGEST_REASON
    assert Book.opened(tmp_path).fleet == book.fleet
    assert [one.name for one in tmp_path.iterdir()] == ["fleet.json"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"suite": "s"}', '{"suite": 1, "passes": 2, "limit_seconds": 3}', "\x00"],
)
def test_a_folder_that_is_none_is_refused(tmp_path, text):
    with pytest.raises(BadFile):
        Book.opened(tmp_path)
    (tmp_path / "fleet.json").write_text(text)
    with pytest.raises(BadFile) as told:
        Book.opened(tmp_path)
    assert "begin anew" in str(told.value)


@pytest.mark.parametrize("name", ["..", "../x", "a/b", ".hidden", ""])
def test_a_plan_names_no_folder_outside_its_own(tmp_path, name):
    book = Book(tmp_path, Fleet("s", 1, 60.0, nodes={name: Node("x", {}, {"1": Pass()})}))
    book.keep()
    with pytest.raises(BadFile):
        Book.opened(tmp_path)
    book.fleet = Fleet("s", 1, 60.0, nodes={"a": Node("x", {}, {name: Pass()})})
    book.keep()
    with pytest.raises(BadFile):
        Book.opened(tmp_path)


def test_a_node_is_called_by_a_name_that_is_a_folders_and_nobody_elses():
    hosts = [("n1", "aaaaaaaa"), ("n2", "bbbbbbbb"), ("n1", "cccccccc"), ("../r/é", "dddd")]
    assert plan.named(hosts) == ["n1-aaaaaa", "n2", "n1-cccccc", "_r__"]
    assert plan.safe("..") == "_"


def test_labels_are_key_and_value():
    assert plan.labels(["rack=r7", "note=a=b"]) == {"rack": "r7", "note": "a=b"}
    for bad in ("rack", "=r7", "rack=", ""):
        with pytest.raises(BadFleet) as told:
            plan.labels([bad])
        assert "KEY=VALUE" in str(told.value)


def test_a_folder_that_takes_nothing_is_told(tmp_path):
    with pytest.raises(BadFleet) as told:
        Book(tmp_path / "none", fleet("a")).keep()
    assert "--out" in str(told.value)
