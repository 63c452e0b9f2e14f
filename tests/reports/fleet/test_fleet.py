"""Folders of nodes in, the fleet out: whose class is whose, what is slow and in what, what gave nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bench.profile import reader
from reports.fleet import figures, folder, tables
from reports.fleet.classes import ALONE, GONE, ONCE, UNPAIRED
from reports.fleet.fleet import fleet, near
from reports.fleet.folder import Found
from reports.fleet.upgrade import upgrade
from reports.fleet.verdict import SLOW, UNTOLD
from reports.locate import BadInput
from tests.reports.fleet import made
from tests.reports.fleet.made import Slow

MODEL = made.model(12)
LIBRARY = Counter(point["implementation"] for point in MODEL["points"]).most_common(1)[0][0]


def found_of(passes):
    return Found(tuple(passes), ())


def passes(nodes=8, seed=1, **moves):
    return list(made.passes(nodes, np.random.default_rng(seed), MODEL, **moves))


def other_kind(data, **cpu):
    """The same profile of another processor, which calls itself the same."""
    machine = data["machine"] | {"cpu": data["machine"]["cpu"] | cpu}
    return data | {"machine": machine}


@pytest.mark.parametrize(
    ("slow", "causes"),
    [
        (Slow({"DRAM": 1.2, "steps": 1.1}), {"DRAM read", "DRAM write", "DRAM copy", "DRAM triad"}),
        (Slow({"clock": 1.2, "L1": 1.2, "L2": 1.2, "products": 1.2}), {"clock"}),
        (Slow(library=(LIBRARY, 1.3)), {LIBRARY}),
        (Slow({"call": 1.3}), {"call"}),
        (Slow({"L2": 1.2}), {"L2 read"}),
    ],
    ids=["memory", "clock", "library", "call", "cache"],
)
def test_a_slow_node_is_found_with_what_it_is_slow_in(slow, causes):
    found = fleet(found_of(passes(slow={3: slow})))
    (node,) = found.slow
    assert node.name == "n0003"
    assert set(node.causes) == causes


def test_an_equal_fleet_has_no_slow_node():
    assert not fleet(found_of(passes())).slow


def test_two_processors_of_one_name_are_two_classes_and_never_mixed():
    random = np.random.default_rng(2)
    ours = passes(4)
    theirs = []
    for node in range(4):
        for name in "12":
            data = other_kind(made.moved(MODEL, random, slow=Slow({"steps": 2.0})), model_number=99)
            theirs.append(figures.read(reader.from_dict(data, ""), f"m{node}", name))
    found = fleet(found_of([*ours, *theirs]))
    assert [len(one.nodes) for one in found.classes] == [4, 4]
    assert len({one.label for one in found.classes}) == 2
    assert not found.slow


def test_a_label_and_a_missing_module_of_memory_make_no_class():
    random = np.random.default_rng(3)
    known = passes(5)
    for name in "12":
        data = made.moved(MODEL, random, slow=Slow({"DRAM": 1.5, "steps": 1.2}))
        data["machine"] = data["machine"] | {"label": "another name", "memory_bytes": 1 << 30}
        known.append(figures.read(reader.from_dict(data, ""), "odd", name))
    found = fleet(found_of(known))
    assert len(found.classes) == 1
    assert [node.name for node in found.slow] == ["odd"]


def test_facts_in_which_a_slow_node_is_unlike_its_class_are_told():
    random, known = np.random.default_rng(4), passes(5)
    for name in "12":
        data = made.moved(MODEL, random, slow=Slow({"steps": 1.3}))
        data["machine"] = data["machine"] | {"governors": ["powersave"], "kernel": "9.9"}
        known.append(figures.read(reader.from_dict(data, ""), "odd", name))
    (node,) = fleet(found_of(known)).slow
    assert {fact for fact, _, _ in node.differs} >= {"system"}


def test_one_pass_each_judges_nobody():
    found = fleet(found_of([one for one in passes() if one.name == "1"]))
    assert not found.judged
    assert set(found.unjudged.values()) == {ONCE}


def test_a_node_alone_in_its_class_is_not_judged():
    random, known = np.random.default_rng(5), passes(3)
    for name in "12":
        data = other_kind(made.moved(MODEL, random), stepping=77)
        known.append(figures.read(reader.from_dict(data, ""), "alone", name))
    assert fleet(found_of(known)).unjudged == {"alone": ALONE}


def test_a_pass_that_lacks_steps_is_not_moved_by_that():
    known = passes(6)
    full = fleet(found_of(known))
    slowest = sorted(known[0].steps, key=lambda key: known[0].steps[key].time)[-4:]
    for key in slowest:
        del known[0].steps[key]
    less = fleet(found_of(known))
    one, other = (next(n for n in of.nodes if n.name == "n0000").steps for of in (full, less))
    assert other.median == pytest.approx(one.median, abs=0.01)


def test_a_suspect_that_is_not_slow_again_is_not_slow():
    def with_again(factor):
        random = np.random.default_rng(6)
        known = passes(8, slow={2: Slow({"steps": 1.2})})
        for name in ("confirm-1", "confirm-2"):
            for node, by in (("n0002", factor), ("n0005", 1.0)):
                data = made.moved(MODEL, random, slow=Slow({"steps": by}))
                known.append(figures.read(reader.from_dict(data, ""), node, name))
        found = fleet(found_of(known))
        return next(node for node in found.nodes if node.name == "n0002")

    assert (with_again(1.2).word, with_again(1.2).confirmed) == (SLOW, True)
    gone = with_again(1.0)
    assert (gone.word, gone.confirmed, gone.reason) == (UNTOLD, False, GONE)
    assert not gone.causes


def confirming(nodes, **without):
    random = np.random.default_rng(16)
    for name in ("confirm-1", "confirm-2"):
        for node in nodes:
            data = made.moved(MODEL, random) | without
            yield figures.read(reader.from_dict(data, ""), node, name)


def test_passes_that_lack_what_a_node_was_slow_in_acquit_nobody():
    known = passes(8, slow={2: Slow({"DRAM": 1.4})})
    roofs = [one for one in MODEL["roofs"] if one["kind"] in ("matmul", "call")]
    known += confirming(("n0002", "n0005"), levels=[], roofs=roofs)
    node = next(one for one in fleet(found_of(known)).nodes if one.name == "n0002")
    assert (node.word, node.confirmed, node.reason) == (SLOW, None, UNPAIRED)


def test_passes_without_a_control_acquit_nobody():
    known = passes(8, slow={2: Slow({"steps": 1.3})}) + list(confirming(("n0002",)))
    node = next(one for one in fleet(found_of(known)).nodes if one.name == "n0002")
    assert (node.word, node.reason) == (SLOW, UNPAIRED)


def test_a_node_with_none_but_confirming_passes_is_no_node_of_the_fleet():
    known = passes(8) + list(confirming(("other",)))
    found = fleet(found_of(known))
    assert "other" not in {node.name for node in found.nodes}
    assert not found.unjudged


def test_a_node_whose_device_gave_no_good_point_is_not_judged():
    random, known = np.random.default_rng(17), []
    for node in "abcd":
        for name in "12":
            data = made.moved(MODEL, random)
            cut = len(data["points"]) // 2
            for point in data["points"][cut:]:
                point["case"] = point["case"] | {"device": "cuda"}
            if node == "d":
                for point in data["points"][cut:]:
                    point |= {"status": "failed", "reason": "lost"}
            known.append(figures.read(reader.from_dict(data, ""), node, name))
    found = fleet(found_of(known))
    assert found.unjudged == {"d": "no good point for: steps on cuda"}
    assert [node.name for node in found.failing] == ["d"]


def test_the_control_is_no_suspect():
    found = fleet(found_of(passes(slow={0: Slow({"steps": 1.2})})))
    assert found.classes[0].control not in (None, "n0000")


def test_the_share_of_near_nodes_counts_what_surely_and_what_maybe_is_near():
    from bench.profile.stats import Estimate

    each = [Estimate(1.0, 0.99, 1.01), Estimate(1.04, 1.0, 1.08), Estimate(1.2, 1.1, 1.3)]
    assert near([[one] for one in each], 1.05) == pytest.approx((2 / 3, 1 / 3, 2 / 3))
    assert near([], 1.05) is None


def test_before_and_after_say_by_how_much_all_nodes_moved():
    before = passes(6, seed=1)
    after = passes(6, seed=2, slow={node: Slow({"steps": 1.04}) for node in range(6)})
    found = upgrade(
        fleet(found_of(before)), found_of(before), fleet(found_of(after)), found_of(after)
    )
    (change,) = found.changes
    assert change.nodes == 6
    assert change.ratio.low < 1.04 < change.ratio.high
    assert change.ratio.low > 1.01
    assert not found.newly_slow


def test_before_and_after_name_the_nodes_that_became_slow():
    before, after = passes(6, seed=1), passes(6, seed=2, slow={4: Slow({"steps": 1.3})})
    sides = fleet(found_of(before)), found_of(before), fleet(found_of(after)), found_of(after)
    assert upgrade(*sides).newly_slow == ("n0004",)
    assert upgrade(*sides[2:], *sides[:2]).no_longer_slow == ("n0004",)


def test_before_and_after_name_the_nodes_that_are_missing_since():
    before, after = passes(6, seed=1), passes(5, seed=2)
    sides = fleet(found_of(before)), found_of(before), fleet(found_of(after)), found_of(after)
    found = upgrade(*sides)
    assert found.missing == ("n0005",)
    assert any("n0005" in sentence for sentence in tables.upgrade_sentences(found))


@pytest.fixture
def there(tmp_path):
    """A folder of three nodes of two passes, as nodes write them."""
    random = np.random.default_rng(9)
    for node in ("a", "b", "c"):
        for name in "12":
            made.write(tmp_path, node, name, made.moved(MODEL, random))
    return tmp_path


def test_a_folder_is_read_node_by_node_and_pass_by_pass(there):
    found = folder.read(there)
    assert [(one.node, one.name) for one in found.passes] == [(n, p) for n in "abc" for p in "12"]
    assert not found.silent


def test_passes_are_in_the_order_of_numbers(there):
    for name in ("10", "9"):
        made.write(there, "a", name, made.moved(MODEL, np.random.default_rng([7, int(name)])))
    assert [one.name for one in folder.read(there).passes if one.node == "a"] == [
        "1",
        "2",
        "9",
        "10",
    ]


def test_a_node_s_own_folder_may_be_its_pass(there):
    (there / "d").mkdir()
    data = made.moved(MODEL, np.random.default_rng(10))
    (there / "d" / "profile.json").write_text(json.dumps(data), encoding="utf-8")
    assert [(o.node, o.name) for o in folder.read(there).passes if o.node == "d"] == [("d", "1")]


def test_many_profiles_are_read_by_several_processes_and_give_the_same(there, monkeypatch):
    alone = folder.read(there)
    monkeypatch.setattr(folder, "MANY", 2)
    monkeypatch.setattr(folder.os, "cpu_count", lambda: 2)
    assert folder.read(there) == alone


def test_what_gave_nothing_is_a_row_with_its_reason_and_the_others_are_judged(there):
    (there / "a" / "2" / "profile.json").write_text("{", encoding="utf-8")
    incomplete = made.moved(MODEL, np.random.default_rng(11)) | {"complete": False}
    made.write(there, "b", "2", incomplete)
    (there / "empty").mkdir()
    plan = {"nodes": {"e": {"passes": {"1": {"state": "busy", "reason": "no\nworker"}}}}}
    (there / "fleet.json").write_text(json.dumps(plan), encoding="utf-8")
    found = folder.read(there)
    rows = {(one.node, one.name): one.reason for one in found.silent}
    assert set(rows) == {("a", "2"), ("b", "2"), ("empty", ""), ("e", "1")}
    assert "JSON" in rows["a", "2"]
    assert rows["e", "1"] == "no\\nworker"
    judged = fleet(found)
    assert set(judged.unjudged) == {"empty", "e"}


def test_a_run_that_lies_there_twice_is_refused(there):
    shutil.copytree(there / "a" / "1", there / "z" / "1")
    with pytest.raises(BadInput, match="z/1: the same run as a/1"):
        folder.read(there)


@pytest.mark.parametrize("change", [{"suite": "full"}, {"method": 2}], ids=str)
def test_profiles_of_another_suite_or_method_are_refused(there, change):
    made.write(there, "c", "2", made.moved(MODEL, np.random.default_rng(12)) | change)
    with pytest.raises(BadInput, match="c/2: of suite"):
        fleet(folder.read(there))


def test_a_node_of_two_machines_is_a_row_that_tells_in_what_they_differ(there):
    data = other_kind(made.moved(MODEL, np.random.default_rng(13)), stepping=12)
    made.write(there, "c", "2", data)
    found = fleet(folder.read(there))
    assert "stepping" in found.unjudged["c"]
    assert {node.name for node in found.nodes} == {"a", "b"}


def test_a_node_that_was_measured_and_is_gone_is_a_row(there):
    plan = {"nodes": {"z": {"passes": {"1": {"state": "measured"}}}}}
    (there / "fleet.json").write_text(json.dumps(plan), encoding="utf-8")
    assert set(fleet(folder.read(there)).unjudged) == {"z"}


def test_long_names_that_begin_alike_stay_two_nodes(there):
    for end in ("x", "y"):
        data = made.moved(MODEL, np.random.default_rng([14, ord(end)]))
        made.write(there, "n" * 120 + end, "1", data)
    names = {one.node for one in folder.read(there).passes}
    assert len(names) == 5


def test_one_node_and_nodes_of_unlike_kinds_are_refused(there):
    shutil.rmtree(there / "b")
    shutil.rmtree(there / "c")
    with pytest.raises(BadInput, match="one node"):
        fleet(folder.read(there))
    for name in "12":
        data = other_kind(made.moved(MODEL, np.random.default_rng(int(name))), stepping=12)
        made.write(there, "b", name, data)
    with pytest.raises(BadInput, match="no two are of one kind"):
        fleet(folder.read(there))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_a_row(there):
    closed = there / "lost+found"
    closed.mkdir(mode=0)
    assert [one.node for one in folder.read(there).silent] == ["lost+found"]


def test_a_folder_that_cannot_be_listed_is_a_row(there, monkeypatch):
    (there / "lost+found").mkdir()
    listed = Path.iterdir

    def iterdir(self):
        if self.name == "lost+found":
            raise PermissionError(13, "Permission denied")
        return listed(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found = folder.read(there)
    assert [(one.node, "denied" in one.reason) for one in found.silent] == [("lost+found", True)]


def test_a_node_of_fewer_passes_than_its_class_is_told(there):
    shutil.rmtree(there / "c" / "2")
    assert [node.name for node in fleet(folder.read(there)).fewer] == ["c"]


def test_an_empty_folder_and_none_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "nonesuch"):
        with pytest.raises(BadInput, match=r"profile\.json"):
            folder.read(path)
