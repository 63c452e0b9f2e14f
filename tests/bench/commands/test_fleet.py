"""`python -m bench fleet`: what is asked of it is refused in one line, or planned whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import fleet as verb
from bench.fleet import fleet
from bench.fleet.plan import Book

ROOT = Path(__file__).parents[3]


@pytest.fixture
def asked(monkeypatch):
    """The fleets that would be measured, with what their engines are to do."""
    found = []

    def run(book, request, confirm):
        found.append((book, request, confirm))
        book = Book.opened(book.folder)
        from bench.fleet import plan

        book.fleet = plan.planned(book.fleet, {"a": ("10.0.0.1", {})})
        book.keep()
        return 3

    monkeypatch.setattr(verb, "find_spec", lambda _: True)
    monkeypatch.setattr(fleet, "run", run)
    return found


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--passes", "0", "--out", "out"], "--passes 0: give 1 to"),
        (["--passes", "21", "--out", "out"], "--passes 21: give 1 to"),
        (["--limit", "0", "--out", "out"], "--limit 0: give seconds"),
        (["--limit", "nan", "--out", "out"], "--limit nan: give seconds"),
        (["--label", "rack", "--out", "out"], "--label rack: give KEY=VALUE"),
        (["--device", "tpu", "--out", "out"], "--device 'tpu' is unknown"),
        (["--suite", "none", "--out", "out"], "suite 'none' is unknown"),
        (["--suite", "none.toml", "--out", "out"], "none.toml: cannot be read"),
        (["--out", "/proc/none/x"], "cannot be written"),
        ([], "--out is missing"),
        (["--resume", "none"], "bench fleet made"),
        (["--resume", "none", "--passes", "3"], "--passes is given with --resume"),
        (["--resume", "none", "--out", "x"], "--out is given with --resume"),
    ],
)
def test_bad_input_is_one_line_and_measures_nothing(
    asked, tmp_path, monkeypatch, capfd, options, told
):
    monkeypatch.chdir(tmp_path)
    assert main(["fleet", *options]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert told in line
    assert not asked
    assert not list(tmp_path.iterdir())


def test_without_ray_it_says_how_to_install_it(asked, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(verb, "find_spec", lambda _: None)
    assert main(["fleet", "--out", str(tmp_path / "out")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "Ray is not installed: . .venv/bin/activate && python -m pip install ray==" in line
    assert not asked


def test_a_fleet_is_planned_and_its_nodes_run_pytest(asked, tmp_path, capfd):
    out = tmp_path / "out"
    given = ["--address", "auto", "--suite", "smoke", "--device", "cpu", "--limit", "60"]
    given += ["--label", "rack=r7", "--label", "x=y", "--confirm", "--passes", "3"]
    assert main(["fleet", *given, "--out", str(out)]) == 3
    ((book, request, confirm),) = asked
    assert (book.fleet.suite, book.fleet.device, book.fleet.passes) == ("smoke", "cpu", 3)
    assert (request.address, request.labels) == ("auto", {"rack": "r7", "x": "y"})
    assert (request.names, request.checkout, confirm) == (("1", "2", "3"), str(ROOT), True)
    pytest_of_ours = ("{python}", "-m", "pytest", "-c", "pyproject.toml", "--benchmark-only")
    assert request.begin == (
        *(*pytest_of_ours, "--suite=smoke", "--device=cpu", "--wait=60", "--out={out}"),
    )
    assert request.resume == (*pytest_of_ours, "--wait=60", "--resume={out}")
    assert (request.busy_seconds, request.reply_seconds) == (60.0, 60.0)
    assert f"--resume {out}" in capfd.readouterr().out

    assert main(["fleet", "--out", str(out)]) == 2
    assert "holds a fleet already" in capfd.readouterr().err
    assert main(["fleet", "--resume", str(out), "--address", "10.0.0.9:6379"]) == 3
    _, again, confirm = asked[-1]
    assert (again.address, again.labels, confirm) == ("10.0.0.9:6379", request.labels, True)
    assert again.begin == request.begin


def test_a_suite_file_travels_with_the_fleet(asked, tmp_path):
    suite = tmp_path / "mine.toml"
    suite.write_text((ROOT / "bench" / "suites" / "smoke.toml").read_text())
    out = tmp_path / "out"
    assert main(["fleet", "--suite", str(suite), "--out", str(out)]) == 3
    assert (out / "suite.toml").read_text() == suite.read_text()
    assert "--suite={suite}" in asked[0][1].begin
    suite.unlink()
    assert main(["fleet", "--resume", str(out)]) == 3
    assert "--suite={suite}" in asked[1][1].begin


@pytest.mark.usefixtures("asked")
def test_a_fleet_without_a_node_leaves_no_folder(tmp_path, monkeypatch, capfd):
    def nobody(book, *_):
        (book.folder / "log.txt").write_text("")
        raise fleet.BadFleet("no node")

    monkeypatch.setattr(fleet, "run", nobody)
    assert main(["fleet", "--suite", "smoke", "--out", str(tmp_path / "out")]) == 2
    assert "no node" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


def test_this_process_loads_neither_ray_nor_a_library(tmp_path):
    program = (
        "import os, sys; before = dict(os.environ)\n"
        "from bench.__main__ import main\n"
        "assert main(['fleet', '--resume', sys.argv[1]]) == 2\n"
        "assert dict(os.environ) == before\n"
        "assert not {'torch', 'numba', 'ray'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)


def test_the_plan_is_json(asked, tmp_path):
    main(["fleet", "--suite", "smoke", "--label", "rack=r7", "--out", str(tmp_path / "out")])
    plan = json.loads((tmp_path / "out" / "fleet.json").read_text())
    assert plan["options"] == ["--label=rack=r7"]
    assert plan["limit_seconds"] == 3600.0
    assert asked
