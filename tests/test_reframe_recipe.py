"""The recipe for ReFrame reads a profile and an earlier fleet; ReFrame itself is not needed for that."""

from __future__ import annotations

import ast
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "bench" / "recipes"


@pytest.fixture
def recipe(monkeypatch):
    """The module of ReFrame's test, with as little of ReFrame as its import needs."""

    def module(name, **names):
        made = ModuleType(name)
        vars(made).update(names)
        monkeypatch.setitem(sys.modules, name, made)

    def hook(_stage):
        return lambda function: function

    module("reframe", simple_test=lambda test: test, RunOnlyRegressionTest=object)
    module("reframe.utility")
    module("reframe.utility.sanity")
    sys.modules["reframe.utility"].sanity = sys.modules["reframe.utility.sanity"]
    module("reframe.core")
    module("reframe.core.backends", getlauncher=None)
    module(
        "reframe.core.builtins",
        run_after=hook,
        run_before=hook,
        sanity_function=lambda function: function,
        variable=lambda _type, value: value,
    )
    specification = importlib.util.spec_from_file_location(
        "reframe_fleet", RECIPES / "reframe_fleet.py"
    )
    made = importlib.util.module_from_spec(specification)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    specification.loader.exec_module(made)
    return made


@pytest.mark.parametrize(
    ("name", "figures"),
    [
        ("2026-11-27-h100", {"cuda_dram_read": 3214.7, "cuda_lstm_step": 90.2}),
        ("2026-11-28-cascade-lake-2-cores", {"cpu_dram_read": 23.18, "cpu_lstm_step": 6112}),
    ],
)
def test_reframe_reads_the_roof_and_the_step_of_a_profile(recipe, name, figures):
    path = ROOT / "reports" / "gallery" / name / "profile.json"
    assert recipe.figures(path) == pytest.approx(figures, rel=1e-3)
    assert all(any(name.endswith(end) for end in recipe.UNITS) for name in figures)


def test_reframe_holds_a_node_against_its_own_class_less_the_slow(recipe, tmp_path):
    def level(node, gbytes_per_s):
        folder = tmp_path / node / "1"
        folder.mkdir(parents=True)
        levels = [{"device": "cpu", "name": "DRAM", "bytes_per_s": gbytes_per_s * 1e9}]
        text = json.dumps({"levels": levels, "points": [], "complete": True})
        (folder / "profile.json").write_text(text, encoding="utf-8")

    for node, value in (("a", 100), ("b", 102), ("c", 50), ("d", 400)):
        level(node, value)
    (tmp_path / "fleet.csv").write_text(
        "node,class,verdict,slower\na,X,same,1\nb,X,same,1\nc,X,slow,2\nd,Y,same,1\n",
        encoding="utf-8",
    )
    assert recipe.medians_of_class(tmp_path, "c") == {"cpu_dram_read": 101}
    assert recipe.medians_of_class(tmp_path, "d") == {"cpu_dram_read": 400}
    assert recipe.medians_of_class(tmp_path, "unknown") == {}


def test_the_recipe_of_reframe_imports_nothing_of_ours():
    tree = ast.parse((RECIPES / "reframe_fleet.py").read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    roots = {name.split(".")[0] for name in names}
    assert roots <= {"reframe"} | sys.stdlib_module_names
