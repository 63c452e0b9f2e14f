"""Runs beside what people bring along: every kind of option, plugin, folder and environment ends as the list says."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest

from bench.plugin import link
from tests import guests
from tests.guests.cases import CASES

TRIED = [case for case in chain.from_iterable(CASES.values()) if case.always]
LINKED = (Path(sysconfig.get_paths()["purelib"]) / f"{link.MODULE}.py").exists()
ELSEWHERE = {"from /", "--out DIR, which is there", "--resume DIR elsewhere"}
"""Cases that pytest does not know our options in, unless its environment names the checkout."""


def installed():
    """Entry points of the plugins that are there, in the folder that `make guests` fills and beside it."""
    there = metadata.distributions(path=[str(guests.PLUGINS), *sys.path])
    return {entry.name for one in there for entry in one.entry_points if entry.group == "pytest11"}


@pytest.mark.slow
@pytest.mark.parametrize("case", TRIED, ids=lambda case: case.name)
def test_a_run_ends_as_the_list_says(case, tmp_path):
    absent = {
        name for name in case.plugins if not (guests.HERE / f"{name}.py").exists()
    } - installed()
    if absent:
        pytest.skip(f"{', '.join(sorted(absent))} is not installed: make guests")
    if case.name in ELSEWHERE and not LINKED:
        pytest.skip("this environment does not name the checkout: make venv")
    ended = guests.run(case, tmp_path)
    assert ended.outcome == case.expect, f"{ended.line}\n{ended.output[-3000:]}"


def test_names_of_cases_are_told_apart():
    names = [case.name for case in chain.from_iterable(CASES.values())]
    assert len(set(names)) == len(names)


def test_an_environment_learns_of_the_checkout_without_a_copy_of_it(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*words, cwd):
        return subprocess.run(
            [python, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )

    assert run("-c", "import bench", cwd=tmp_path).returncode == 1
    assert run("-m", "bench.plugin.link", cwd=guests.ROOT).returncode == 0
    found = run("-c", "import bench; print(bench.__file__)", cwd=tmp_path)
    assert Path(found.stdout.strip()) == guests.ROOT / "bench" / "__init__.py"
    listed = "from importlib.metadata import entry_points as e; print([o.value for o in e(group='pytest11')])"
    assert run("-c", listed, cwd=tmp_path).stdout.strip() == f"['{link.MODULE}']"


def test_where_another_package_is_called_bench_nothing_is_loaded(tmp_path):
    """As in a checkout of before, whose tests are run in the same environment."""
    (tmp_path / "linked.py").write_text(link.LOADS)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "__init__.py").write_text("")
    (tmp_path / "test_theirs.py").write_text("def test():\n    import bench\n")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "linked"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_no_other_environment_is_touched(monkeypatch):
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert link.main() == 2


def test_somebody_elses_tests_in_this_environment_have_their_options_and_benchmarks(tmp_path):
    """Nothing of theirs is refused, renamed or begun anew, though the plugin is loaded."""
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--suite', default='theirs')\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # for tmp_path may lie within the checkout
    (tmp_path / "test_theirs.py").write_text(
        "def test(benchmark, request):\n    assert request.config.getoption('suite') == 'theirs'\n"
        "    benchmark(sum, range(10))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    for given in ([], ["--benchmark-only", "--benchmark-min-rounds=2"]):
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "bench.plugin.hooks", "-q", *given],
            cwd=tmp_path,
            env={**environment, "PYTHONPATH": str(guests.ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "1 passed" in ran.stdout
