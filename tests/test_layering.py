"""Data goes one way: kernels, bench, profile.json, reports. Held by the imports themselves."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("kernels", "bench", "reports")
CLOCKS_AND_FILES = {
    "time",
    "datetime",
    "timeit",
    "pathlib",
    "os",
    "io",
    "shutil",
    "tempfile",
    "glob",
    "subprocess",
}
MOST_LINES = 500
READ_WITH = (
    "bench/profile/errors.py",
    "bench/profile/journal.py",
    "bench/profile/reader.py",
    "bench/profile/records.py",
    "bench/profile/schema.py",
    "bench/profile/stats.py",
    "bench/profile/warnings.py",
    "kernels/case.py",
)


def files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@cache
def imports(path):
    """Every module a file imports, wherever in it: `from a import b` counts as a and as a.b."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: a relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def reaches(found, module):
    return sorted(name for name in found if name == module or name.startswith(module + "."))


every_file = pytest.mark.parametrize(
    "path",
    [path for folder in OURS for path in files(folder)],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
kernels_files = pytest.mark.parametrize("path", files("kernels"), ids=lambda path: path.stem)
bench_files = pytest.mark.parametrize("path", files("bench"), ids=lambda path: path.stem)
reports_files = pytest.mark.parametrize("path", files("reports"), ids=lambda path: path.stem)


@kernels_files
def test_kernels_knows_neither_bench_nor_reports(path):
    assert not reaches(imports(path), "bench")
    assert not reaches(imports(path), "reports")


@bench_files
def test_bench_does_not_know_reports(path):
    assert not reaches(imports(path), "reports")


@reports_files
def test_reports_knows_the_profile_and_the_case_alone(path):
    ours = {name for folder in OURS[:2] for name in reaches(imports(path), folder)}
    known = ("bench.profile", "kernels.case", "kernels.roofline_model")
    foreign = {n for n in ours - {"bench", "kernels"} if not any(reaches({n}, k) for k in known)}
    assert not foreign


@reports_files
def test_reports_never_imports_torch_or_numba(path):
    assert not reaches(imports(path), "torch")
    assert not reaches(imports(path), "numba")


@kernels_files
def test_kernels_has_no_clock_and_no_file(path):
    allowed = {"pathlib"} if path == ROOT / "kernels" / "implementations" / "__init__.py" else set()
    used = {name.split(".")[0] for name in imports(path)} & CLOCKS_AND_FILES
    assert used <= allowed
    calls = {
        node.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "open" not in calls


@pytest.mark.parametrize("name", READ_WITH)
def test_what_reports_reads_with_is_the_standard_library_and_msgspec(name):
    foreign = {module.split(".")[0] for module in imports(ROOT / name)} - sys.stdlib_module_names
    assert foreign <= {"bench", "kernels", "msgspec"}
    ours = {module for folder in OURS for module in reaches(imports(ROOT / name), folder)}
    files = {f"{module.replace('.', '/')}.py" for module in ours}
    assert {file for file in files if (ROOT / file).is_file()} <= set(READ_WITH)


@every_file
def test_a_file_fits_in_a_head(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", OURS)
def test_no_installed_distribution_owns_our_names_and_they_come_from_the_checkout(name):
    assert name not in metadata.packages_distributions()
    assert Path(importlib.import_module(name).__file__).is_relative_to(ROOT)


@pytest.mark.parametrize("module", ["torch", "numba"])
def test_a_report_is_built_without_loading_it(module):
    """`python -m reports --help`, in a process of its own."""
    if not (ROOT / "reports" / "__main__.py").exists():
        pytest.skip("reports has no command")
    program = (
        "import runpy, sys\n"
        "sys.argv = ['reports', '--help']\n"
        "try:\n"
        "    runpy.run_module('reports', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "import reports.locate, reports.analysis.points, reports.tables.points\n"
        f"sys.exit({module!r} in sys.modules)\n"
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


def test_there_are_files_to_look_at():
    assert all(len(files(folder)) > 5 for folder in OURS)
