"""The laws of the tree: rooms in order, arrows one way, no circle, and files that fit in a head.

Every import counts, wherever it stands: within functions and for types alone, too.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import cache
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = {
    "kernels": (
        *("case", "cost", "roofline_model"),
        *("reference", "contract", "vector", "training", "gpu", "implementations"),
    ),
    "bench": (
        *("profile", "machine", "roofs", "telemetry", "timing"),
        *("device", "measure", "session", "fleet", "verify", "commands", "plugin"),
        *("test_roofs", "test_steps"),
        "__main__",
    ),
    "reports": (
        *("locate", "analysis", "compare", "published", "tables", "fleet"),
        *("plots", "page", "commands", "__main__"),
    ),
}
"""The rooms and the modules beside them, from the lowest: each may import what stands before it."""
CORE = ("kernels.case", "kernels.cost", "kernels.roofline_model")
"""What reports may import of kernels, and what loads no torch."""
MANY = {"kernels/implementations", "bench/roofs"}
"""Rooms in which one file is one contestant: they may have any number."""
LEAST_MODULES, MOST_MODULES = 4, 12
MOST_LINES = 400
DEEPEST = 10
"""Modules of the longest chain of imports within reports."""
CLOCKS_AND_FILES = {
    *("time", "datetime", "timeit", "pathlib", "os", "io"),
    *("shutil", "tempfile", "glob", "subprocess"),
}
NAMES_FILES = {"kernels/contract.py", "kernels/implementations/__init__.py"}
"""Of kernels, what finds implementations by their files."""


@cache
def modules():
    """Every module of the three folders, by its dotted name, with its file."""
    found = {}
    for folder in ORDER:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not {"gallery", "runs", "recipes"} & set(path.relative_to(ROOT).parts):
                found[dotted(path)] = path
    return found


def dotted(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def imported(path):
    """Every name a file imports, wherever in it: `from a import b` counts as a and as a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@cache
def arrows():
    """Of every module, those of the three folders that it imports; a package only where no module of it is meant."""
    found = {}
    for name, path in modules().items():
        ours = {other for other in imported(path) if other in modules() and other != name}
        found[name] = {
            other for other in ours if not any(one.startswith(other + ".") for one in ours)
        }
    return found


def below(name, module):
    return name == module or name.startswith(module + ".")


every_module = pytest.mark.parametrize("name", sorted(modules()))
rooms = pytest.mark.parametrize(
    "room",
    sorted({path.parent for path in modules().values() if path.parent.parent.parent == ROOT}),
    ids=lambda room: room.relative_to(ROOT).as_posix(),
)


@every_module
def test_arrows_go_down(name):
    folder, *inside = name.split(".")
    order = ORDER[folder]
    for other in arrows()[name]:
        there, *within = other.split(".")
        if there == folder and inside and within and inside[0] != within[0]:
            assert order.index(within[0]) < order.index(inside[0]), f"{name} imports {other}"
        elif there != folder:
            allowed = {"kernels": (), "bench": ("kernels",), "reports": (*CORE, "bench.profile")}
            assert any(below(other, one) for one in allowed[folder]), f"{name} imports {other}"


def test_there_is_no_circle():
    left = {name: set(others) for name, others in arrows().items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left


def test_no_chain_of_imports_in_reports_is_long():
    @cache
    def depth(name):
        return 1 + max((depth(one) for one in arrows()[name] if below(one, "reports")), default=0)

    assert max(depth(name) for name in modules() if below(name, "reports")) <= DEEPEST


@rooms
def test_a_room_holds_neither_few_nor_many_modules_and_says_what_belongs_there(room):
    names = {path.stem for path in room.glob("*.py")}
    assert "__init__" in names
    assert (ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or "").strip()
    if room.relative_to(ROOT).as_posix() not in MANY and room.name != "published":
        assert LEAST_MODULES <= len(names - {"__init__"}) <= MOST_MODULES


def test_every_room_has_a_place_in_the_order():
    for folder, order in ORDER.items():
        there = {name.split(".")[1] for name in modules() if below(name, folder) and "." in name}
        assert there <= set(order)


@pytest.mark.parametrize(
    "path",
    [
        path
        for ending in ("py", "js", "css", "j2", "c")
        for path in chain.from_iterable((ROOT / folder).rglob(f"*.{ending}") for folder in ORDER)
        if not {"gallery", "runs"} & set(path.relative_to(ROOT).parts)
    ]
    + [ROOT / "conftest.py"],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_file_fits_in_a_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@every_module
def test_what_reports_reads_with_needs_msgspec_and_scipy_alone(name):
    if name in CORE or below(name, "bench.profile"):
        foreign = {one.split(".")[0] for one in imported(modules()[name])} - sys.stdlib_module_names
        assert foreign <= {"bench", "kernels", "msgspec", "scipy"}


@every_module
def test_reports_loads_neither_torch_nor_numba(name):
    if below(name, "reports"):
        loaded = {one.split(".")[0] for one in imported(modules()[name])}
        assert not loaded & {"torch", "numba"}


@every_module
def test_kernels_has_no_clock_and_no_file(name):
    if not below(name, "kernels"):
        return
    path = modules()[name]
    allowed = {"pathlib"} if path.relative_to(ROOT).as_posix() in NAMES_FILES else set()
    used = {one.split(".")[0] for one in imported(path)} & CLOCKS_AND_FILES
    assert used <= allowed
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "open" not in calls


@pytest.mark.parametrize("name", ORDER)
def test_no_installed_distribution_owns_our_names_and_they_come_from_the_checkout(name):
    assert name not in metadata.packages_distributions()
    assert Path(importlib.import_module(name).__file__).is_relative_to(ROOT)


@pytest.mark.parametrize("command", ["reports", "bench"])
def test_help_loads_nothing_heavy(command):
    """In a process of its own."""
    program = (
        "import runpy, sys\n"
        f"sys.argv = [{command!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_module({command!r}, run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "heavy = {'torch', 'numba', 'numpy', 'matplotlib', 'pandas', 'jinja2', 'rich', 'plotly'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()
