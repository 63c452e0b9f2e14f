"""`python -m bench repeat`: every run of every side in its turn, none measured twice, and what fails is told."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.commands import _child_run as child_run
from bench.commands import repeat
from bench.commands._child_run import Ended
from bench.profile.journal import Journal, write_profile
from bench.session import lock
from bench.timing.interrupts import INTERRUPTED
from tests.reports import synthetic

ROOT = Path(__file__).parents[3]


@pytest.fixture
def asked(monkeypatch):
    """The runs that were started: name, option, checkout, command, variables. One ends as `ends` says by its name."""

    class Asked(list):
        ends: dict[str, Ended] = {}  # noqa: RUF012
        signal_at: str | None = None

    runs, seeds = Asked(), count(1)

    def measured(command, checkout, variables, log_path, child, tell):
        option, _, folder = command[-1].partition("=")
        name = Path(folder).relative_to(log_path.parent).as_posix()
        log_path.write_text("said")
        runs.append((name, option, checkout, command[:-1], dict(variables)))
        ended = runs.ends.get(name, Ended(0, ""))
        tell("1 of 1 points, about 0 s of measuring left")
        if name == runs.signal_at:
            child.asked = True
            ended = Ended(INTERRUPTED, "interrupted")
        if ended.code in (0, 1, INTERRUPTED):
            wrote(Path(folder), next(seeds), complete=ended.code != INTERRUPTED)
        return ended

    monkeypatch.setattr(child_run, "measured", measured)
    monkeypatch.setattr(lock, "held_by", lambda: None)
    return runs


@pytest.fixture
def unread(monkeypatch):
    """What the runs say is not reported: a process of `reports` each time."""
    monkeypatch.setattr(repeat, "_reported", lambda *_: 0)


def wrote(folder, seed, *, complete):
    """What a run leaves; begun, or complete."""
    point = synthetic.point(fraction=0.5 + 0.001 * seed)
    profile = synthetic.profile([point], complete=False)
    journal = Journal(folder) if folder.exists() else Journal.start(folder, profile)
    for roof in profile.roofs:
        journal.append(roof)
    journal.append(point)
    if complete:
        journal.complete()
        write_profile(replace(profile, complete=True), folder)
    journal.close()


def names(asked):
    return [name for name, *_ in asked]


def test_runs_of_one_side_go_one_after_the_other_each_into_its_folder(asked, tmp_path, capfd):
    out = tmp_path / "runs"
    code = main(["repeat", "3", "--suite", "smoke", "--seed", "4", "-k", "lstm", "--out", str(out)])
    said = capfd.readouterr().out
    assert code == 0
    assert names(asked) == ["1", "2", "3"]
    for _, option, checkout, command, variables in asked:
        assert option == "--out"
        assert checkout == ROOT
        assert command[:4] == [sys.executable, "-m", "pytest", "--benchmark-only"]
        assert command[4:] == ["--suite=smoke", "--seed=4", "-k=lstm"]
        assert variables == {}
    assert "What holds" in said


def test_two_sides_take_turns_a_b_b_a_and_the_gate_is_named(asked, tmp_path, capfd):
    out = tmp_path / "runs"
    options = ["--env", "ONE=1", "--env", "TWO=a=b", "--out", str(out)]
    assert main(["repeat", "4", *options]) == 0
    assert names(asked) == [
        *("before/1", "after/1", "after/2", "before/2"),
        *("before/3", "after/3", "after/4", "before/4"),
    ]
    for name, *_, variables in asked:
        assert variables == ({"ONE": "1", "TWO": "a=b"} if name.startswith("after") else {})
    said = capfd.readouterr().out
    assert said.count("What holds") == 2
    assert f"python -m reports compare {out}/before {out}/after --fail-if-slower 5" in said


@pytest.mark.usefixtures("unread")
def test_another_checkout_measures_before_and_another_python_after(asked, tmp_path):
    other, python = tmp_path / "other", tmp_path / "python"
    (other / "bench").mkdir(parents=True)
    (other / "conftest.py").touch()
    python.symlink_to(sys.executable)
    options = ["--against", str(other), "--python", str(python), "--out", str(tmp_path / "runs")]
    assert main(["repeat", "2", *options]) == 0
    for name, _, checkout, command, _ in asked:
        before = name.startswith("before")
        assert checkout == (other if before else ROOT)
        assert command[0] == (sys.executable if before else str(python))


@pytest.mark.usefixtures("unread")
def test_files_are_found_from_any_checkout(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    main(["repeat", "2", "--suite=own.toml", "--implementation=mine.py", "--out=runs"])
    (_, _, _, command, _), *_ = asked
    assert f"--suite={tmp_path / 'own.toml'}" in command
    assert f"--implementation={tmp_path / 'mine.py'}" in command
    assert (tmp_path / "runs" / "1").is_dir()


@pytest.mark.usefixtures("unread")
def test_a_run_that_fails_is_told_and_the_others_go_on(asked, tmp_path, capfd):
    asked.ends = {"2": Ended(-9, "it said nothing")}
    out = tmp_path / "runs"
    assert main(["repeat", "3", "--out", str(out)]) == 1
    assert names(asked) == ["1", "2", "3"]
    said = capfd.readouterr().out
    assert "SIGKILL" in said
    assert f"python -m bench repeat --resume {out}" in said


@pytest.mark.usefixtures("unread")
def test_a_failed_point_makes_the_exit_code_one_and_nothing_is_missing(asked, tmp_path, capfd):
    asked.ends = {"1": Ended(1, "a point failed")}
    assert main(["repeat", "2", "--out", str(tmp_path / "runs")]) == 1
    assert "--resume" not in capfd.readouterr().out


@pytest.mark.usefixtures("unread")
def test_where_the_first_run_of_a_side_is_refused_no_other_is_tried(asked, tmp_path, capfd):
    asked.ends = {"1": Ended(2, "suite 'no' is unknown: use smoke")}
    out = tmp_path / "runs"
    assert main(["repeat", "3", "--suite", "no", "--out", str(out)]) == 2
    assert names(asked) == ["1"]
    (line,) = capfd.readouterr().err.splitlines()
    assert "suite 'no' is unknown" in line
    assert not out.exists()
    asked.clear()
    asked.ends = {"after/1": Ended(2, "no")}
    assert main(["repeat", "3", "--env", "A=1", "--out", str(out)]) == 2
    assert names(asked) == ["before/1", "after/1"]
    assert (out / repeat.PLAN_FILE).exists()  # before/1 is kept


@pytest.mark.usefixtures("unread")
def test_what_was_interrupted_is_resumed_without_measuring_a_run_twice(asked, tmp_path, capfd):
    out = tmp_path / "runs"
    asked.signal_at = "after/2"
    options = ["--suite", "smoke", "-k", "gru", "--env", "A=1", "--out", str(out)]
    assert main(["repeat", "2", *options]) == INTERRUPTED
    assert names(asked) == ["before/1", "after/1", "after/2"]
    assert f"python -m bench repeat --resume {out}" in capfd.readouterr().out
    asked.clear()
    asked.signal_at = None
    assert main(["repeat", "--resume", str(out)]) == 0
    assert [(name, option) for name, option, *_ in asked] == [
        ("after/2", "--resume"),
        ("before/2", "--out"),
    ]
    resumed, new = asked
    assert resumed[3][4:] == ["-k=gru"]
    assert new[3][4:] == ["--suite=smoke", "-k=gru"]
    assert resumed[4] == {"A": "1"}
    asked.clear()
    assert main(["repeat", "--resume", str(out)]) == 0
    assert names(asked) == []


def test_a_python_that_is_gone_when_a_plan_is_resumed_is_told_in_one_line(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.setattr(lock, "held_by", lambda: None)
    side = repeat.Side(python=str(tmp_path / "gone"))
    repeat._keep(tmp_path, repeat.Plan(2, (), (), (side,)))
    assert main(["repeat", "--resume", str(tmp_path)]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert str(tmp_path / "gone") in line


@pytest.mark.usefixtures("unread")
def test_more_runs_can_be_added_and_fewer_cannot(asked, tmp_path):
    out = str(tmp_path / "runs")
    assert main(["repeat", "2", "--out", out]) == 0
    assert main(["repeat", "3", "--resume", out]) == 0
    assert names(asked) == ["1", "2", "3"]
    assert main(["repeat", "2", "--resume", out]) == 2
    assert main(["repeat", "--resume", out]) == 0
    assert len(asked) == 3


@pytest.mark.parametrize(
    "options",
    [
        [], ["1"], ["101"], ["2", "--env", "A"], ["2", "--env", "=1"], ["2", "--python", "/no/python"],
        ["2", "--against", "/no/checkout"], ["--resume", "/no/folder"], ["2", "--out", "/proc/none/x"],
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unread")
def test_bad_usage_is_one_line_and_measures_nothing(asked, tmp_path, monkeypatch, capfd, options):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.session.folder.RUNS", tmp_path / "default")
    assert main(["repeat", *options]) == 2
    assert len(capfd.readouterr().err.splitlines()) == 1
    assert not asked
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("unread")
def test_a_folder_that_holds_runs_is_not_begun_in_and_its_plan_stays(asked, tmp_path):
    out = str(tmp_path / "runs")
    main(["repeat", "2", "--out", out])
    plan = (tmp_path / "runs" / repeat.PLAN_FILE).read_bytes()
    assert main(["repeat", "3", "--out", out]) == 2
    assert main(["repeat", "3", "--suite", "full", "--resume", out]) == 2
    assert (tmp_path / "runs" / repeat.PLAN_FILE).read_bytes() == plan
    assert len(asked) == 2
    (tmp_path / "runs" / repeat.PLAN_FILE).write_text('{"runs": "many"}')
    assert main(["repeat", "--resume", out]) == 2


@pytest.mark.usefixtures("unread")
def test_it_waits_for_nobody_who_measures(asked, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(lock, "held_by", lambda: "process 7")
    assert main(["repeat", "2", "--out", str(tmp_path / "runs")]) == 2
    assert "process 7" in capfd.readouterr().err
    assert not asked


def test_this_process_loads_no_library_and_leaves_the_environment_as_it_is(tmp_path):
    """Settings of OpenMP that `bench` makes for its own threads would be in force in every run."""
    program = (
        "import os, sys; before = dict(os.environ)\n"
        "from bench.__main__ import main\n"
        "assert main(['repeat', '--resume', sys.argv[1]]) == 2\n"
        "assert dict(os.environ) == before\n"
        "assert not {'torch', 'numba'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=True)


def test_the_order_of_two_sides_lets_a_steady_drift_cancel():
    sides = (repeat.Side("before"), repeat.Side("after"))
    plan = repeat.Plan(4, (), (), sides)
    places = {"before": 0, "after": 0}
    for place, (side, _) in enumerate(plan.turns()):
        places[side.name] += place
    assert places["before"] == places["after"]
    single = replace(plan, sides=(repeat.Side(),)).turns()
    assert [where.as_posix() for _, where in single] == ["1", "2", "3", "4"]
