"""Every warning has the severity of its code, and no code is kept that nothing tells."""

from __future__ import annotations

import ast
from pathlib import Path

from bench.profile import warnings
from bench.profile.records import RunWarning

ROOT = Path(__file__).parents[3]


def told(tree):
    """Codes of the warnings that a module makes: texts, or constants of texts of the same module."""
    names = {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("RunWarning"):
            code = node.args[0]
            yield code.value if isinstance(code, ast.Constant) else names[ast.unparse(code)]


def test_every_code_that_weighs_more_or_less_than_a_warning_is_told_by_something():
    files = [path for folder in ("bench", "reports") for path in (ROOT / folder).rglob("*.py")]
    codes = {code for path in files for code in told(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(codes) > 40
    weighed = [code for each in warnings.SEVERITIES.values() for code in each]
    assert codes > set(weighed)
    assert len(weighed) == len(set(weighed))


def test_a_warning_has_the_severity_of_its_code_unless_another_is_stored():
    assert RunWarning("impossible", "run", "m", "a").severity == "error"
    assert RunWarning("cpu only", "run", "m", "a").severity == "note"
    assert RunWarning("of a later version", "run", "m", "a").severity == "warning"
    assert RunWarning("impossible", "run", "m", "a", "note").severity == "note"
