"""`pytest --benchmark-only` as a user runs it: what it leaves behind, what it refuses, what a kill costs."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from bench.profile import reader
from tests import guests, sockets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[1]
KEYS = {
    f"{cell}-cell-h32-b2-float32-resident-cpu-t{{}}-{implementation}"
    for cell in ("rnn", "lstm", "gru")
    for implementation in ("torch_cell", "torch_gates")
}


@pytest.fixture(autouse=True)
def alone(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """One run at a time on a machine, and so one of these tests, whichever process has it; a run of one thread.

    Threads that wait for one another, beside other tests on the same cores, take four times as long.
    """
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with FileLock(tmp_path_factory.getbasetemp().parent / "runs.lock"):
        yield


def command(*options: str) -> list[str]:
    """The benchmark command with these options."""
    return [sys.executable, "-m", "pytest", "--benchmark-only", *options]


def run(*options: str) -> subprocess.CompletedProcess[str]:
    """Run it in the checkout to its end."""
    return subprocess.run(
        command(*options), cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite of six small points."""
    path = tmp_path_factory.mktemp("suite") / "tiny.toml"
    path.write_text(guests.SUITE)
    return path


@pytest.mark.slow
def test_a_run_leaves_a_complete_profile_a_report_and_the_same_profile_in_the_benchmark_json(
    tiny: Path, tmp_path: Path
) -> None:
    """Every planned point once; pytest-benchmark's samples are ours; the report lies beside the profile.

    And no process of it opens a socket.
    """
    out, exported = tmp_path / "run", tmp_path / "benchmark.json"
    done, seen = sockets.watched(
        tmp_path, command(f"--suite={tiny}", f"--out={out}", f"--benchmark-json={exported}")
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert set(seen) == {"began"}
    profile = reader.load(out / "profile.json")
    assert profile.complete
    assert sorted(point.key for point in profile.points) == sorted(
        key.format(profile.environment["threads"]) for key in KEYS
    )
    assert {point.status for point in profile.points} == {"ok"}
    assert "threads not bound" not in {warning.code for warning in profile.warnings}
    assert "OMP_WAIT_POLICY" not in profile.environment["variables"]
    assert (out / "report.html").exists()
    assert (out / "points.csv").exists()
    assert "On " in done.stdout
    assert str(out / "report.html") in done.stdout
    assert reader.load(exported) == profile
    theirs = {
        one["param"]: one["stats"]["data"]
        for one in json.loads(exported.read_text())["benchmarks"]
        if one["name"].startswith("test_step")
    }
    for point in profile.points:
        assert theirs[point.key] == pytest.approx(point.seconds, rel=1e-6)


@pytest.mark.slow
def test_a_run_stopped_at_any_moment_loses_no_finished_point_and_resume_measures_only_the_rest(
    tiny: Path,
) -> None:
    """At moments chosen by chance; what was in the journal stays as it was, the rest is added, each point once."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.kills",
            "1",
            "--runs=cheap",
            f"--suite={tiny}",
            "--signal",
            "KILL",
            "TERM",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("nothing was lost") == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--suite=nope",), ("suite 'nope' is unknown", "quick")),
        (("--suite=/nowhere/x.toml",), ("/nowhere/x.toml", "cannot be read")),
        (("--device=gpu",), ("--device 'gpu' is unknown", "cpu, cuda or all")),
        (("--out=/proc/none/x",), ("/proc/none/x", "cannot be written", "--out")),
        (("--resume=/nowhere",), ("/nowhere", "cannot be read")),
    ],
)
def test_bad_input_is_one_line_with_the_mend_and_exit_2(
    options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """Nothing is measured, nothing is written."""
    done = run(*options)
    assert done.returncode == 2
    told = [line for line in done.stderr.splitlines() if line.startswith("rnn-roofline:")]
    assert len(told) == 1
    assert all(word in told[0] for word in words)
    assert "Traceback" not in done.stdout + done.stderr


def test_cuda_is_refused_with_its_reason_where_no_cuda_is() -> None:
    """No GPU build, no device, or no probes for it: said, exit 2."""
    import torch

    done = run("--device=cuda")
    assert done.returncode == 2
    assert "--device cuda: " in done.stderr
    if torch.version.cuda is None:
        assert "built without CUDA" in done.stderr


def test_a_folder_that_holds_a_run_is_never_overwritten(tmp_path: Path) -> None:
    """Exit 2, and the old profile is as it was."""
    (tmp_path / "profile.json").write_text("mine")
    done = run("--suite=smoke", f"--out={tmp_path}")
    assert done.returncode == 2
    assert "it holds a run already" in done.stderr
    assert (tmp_path / "profile.json").read_text() == "mine"


def test_a_size_that_no_cell_has_is_refused_by_name(tmp_path: Path) -> None:
    """10**9 units: one line that names file, group and field."""
    path = tmp_path / "bad.toml"
    path.write_text(guests.SUITE.replace("hidden = 32", f"hidden = {10**9}"))
    done = run(f"--suite={path}")
    assert done.returncode == 2
    assert f"hidden {10**9} is out of range" in done.stderr


def test_plain_pytest_collects_no_benchmark() -> None:
    """`pytest` finds tests, of which most are left out here, and nothing of bench/."""
    rooms = [f"--ignore=tests/{room}" for room in ("bench", "kernels", "reports")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *rooms],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "tests/" in done.stdout
    assert not any(line.startswith("bench/") for line in done.stdout.splitlines())


def test_a_filter_selects_points_by_their_words(tmp_path: Path) -> None:
    """`-k "lstm and resident"` collects such points of the suite, and no other; nothing is left behind."""
    out = tmp_path / "run"
    done = run("--collect-only", "-q", "-k=lstm and resident", f"--out={out}")
    assert not out.exists()
    chosen = [line for line in done.stdout.splitlines() if "test_step[" in line]
    assert chosen
    assert all("lstm" in line and "resident" in line for line in chosen)


def _measuring() -> ModuleType:
    """The checkout's conftest.py, apart from the one that pytest has loaded."""
    spec = importlib.util.spec_from_file_location("measuring", ROOT / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    measuring = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(measuring)
    return measuring


def test_a_signal_where_pythons_code_has_no_line_ends_a_run_as_anywhere_else() -> None:
    """What pytest would show of it has no line there, and showing it raises TypeError."""
    measuring = _measuring()

    class Terminal:
        def pytest_keyboard_interrupt(self) -> None:
            raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'int'")

    plugins = pytest.PytestPluginManager()
    plugins.register(Terminal())
    with pytest.raises(TypeError):
        plugins.hook.pytest_keyboard_interrupt(excinfo=None)
    plugins.register(object.__new__(measuring.Session))
    assert not plugins.hook.pytest_keyboard_interrupt(excinfo=None)


def test_a_run_is_one_process_and_one_thread_whatever_runs_its_tests() -> None:
    """As pytest-forked and its like do, which only say so by options that are known; and roofs are measured once."""
    session = object.__new__(_measuring().Session)
    session._process = os.getpid() + 1, threading.get_ident()
    with pytest.raises(pytest.exit.Exception) as apart:
        session.begin()
    assert apart.value.returncode == 2
    session._process, session._begun = (os.getpid(), threading.get_ident()), True
    with pytest.raises(pytest.exit.Exception) as twice:
        session.begin()
    assert twice.value.returncode == 1
