"""What goes wrong around a run costs at most the point in flight, and it can be resumed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.device import threads
from bench.machine import gpus
from bench.profile import reader
from bench.profile.journal import from_journal
from bench.profile.suite import Planned, Suite
from bench.session import crash_record, trial_process
from bench.session import folder as folders
from bench.session.folder import BadOutput
from bench.session.run import Run
from bench.telemetry import state
from bench.timing import interrupts
from kernels import cost, implementations
from kernels.case import Case
from tests.bench import faulty
from tests.reports import synthetic

ROOT = Path(__file__).parents[3]
POINTS = tuple(
    Planned(Case(cell, hidden=16, input=16, batch=2), "torch_cell")
    for cell in ("rnn", "lstm", "gru")
)
KEYS = [planned.key for planned in POINTS]
PLAN = Suite(
    "tiny",
    "",
    {"precision": 0.5, "budget_seconds": 0.01, "curve_seconds": 0.01, "longest_call_seconds": 1.0},
    POINTS,
    "why = 1",
)


@pytest.fixture(autouse=True)
def unasked(monkeypatch):
    """A signal of one test asks nothing of the next."""
    monkeypatch.setattr(interrupts._State, "asked", None)


@pytest.fixture
def begin(short_runs, tmp_path):  # noqa: ARG001 - for what it patches
    """A function that begins a run of three points, or goes on with the one in its folder."""
    made = []

    def begin(folder=tmp_path / "run", *, resume=False):
        made.append(Run(PLAN, 0, folder, from_journal(folder) if resume else None))
        made[-1].begin()
        return made[-1]

    yield begin
    for run in reversed(made):
        run._journal.close()
        run._machine.release()
        run._devices["cpu"].close()


def go_on(begin, folder):
    """Resume to the end; the profile."""
    run = begin(folder, resume=True)
    for planned in POINTS:
        run.measure(planned)
    return run.finish(POINTS)


def keys(profile):
    return [point.key for point in profile.points]


def test_a_run_that_is_resumed_has_the_points_of_one_that_was_not_disturbed(begin, tmp_path):
    whole = begin(tmp_path / "whole")
    for planned in POINTS:
        whole.measure(planned)
    undisturbed = whole.finish(POINTS)
    run = begin()
    first = run.measure(POINTS[0])
    run._machine.release()  # as the system does for a process that died
    profile = go_on(begin, run.folder)
    assert keys(profile) == keys(undisturbed) == KEYS
    assert profile.points[0] == first
    assert [p.case for p in profile.points] == [p.case for p in undisturbed.points]
    assert profile.roofs[: len(run.roofs())] == tuple(run.roofs())
    assert (profile.complete, profile.resumed) == (True, True)
    assert (undisturbed.complete, undisturbed.resumed) == (True, False)


def test_a_resumed_run_expects_a_last_sweep_as_long_as_its_suite_grants(begin):
    run = begin()
    run._machine.release()  # as the system does for a process that died
    assert begin(run.folder, resume=True).seconds_left(()) == PLAN.settings["curve_seconds"]


def test_a_case_too_large_for_memory_is_a_skipped_point_with_both_figures(begin):
    """It says what it needs and what there is; the rest of the run goes on."""
    large = Planned(Case("rnn", hidden=500_000, input=500_000, batch=2), "torch_cell")
    run = begin()
    skipped, ok = run.measure(large), run.measure(POINTS[0])
    assert (skipped.status, ok.status) == ("skipped", "ok")
    needed, there, free = map(int, re.findall("[0-9]+", skipped.reason))
    assert needed > cost.count(large.case).weight_bytes > free > there


def test_an_implementation_whose_answers_are_of_other_types_costs_no_run(begin, monkeypatch):
    """A journal that it could write and nobody read again; what cannot be looked up, as it compiles."""
    own = replace(
        implementations.load("torch_cell"),
        packs=lambda case: case.batch,
        version=lambda: 2,
        compiled_as=lambda case: [case],
    )
    monkeypatch.setattr(implementations, "load", lambda _name: own)
    run = begin()
    point = run.measure(POINTS[0])
    assert (point.status, point.own_weights, point.version) == ("ok", True, "2")
    assert run.seconds_left(POINTS) > 0
    assert from_journal(run.folder).points == (point,)


LOOKS = {
    "the battery of": (state, "on_battery"),
    "the load on": (state.Load, "cores_taken_by_others"),
    "swap space of": (state, "swapped_bytes"),
    "the GPU of": (gpus, "no_cuda_reason"),
}


@pytest.mark.parametrize("error", [FileNotFoundError(2, "gone"), ValueError("half a line")])
@pytest.mark.parametrize("what", LOOKS)
def test_a_machine_that_cannot_be_looked_at_costs_a_warning_and_no_profile(
    begin, monkeypatch, what, error
):
    """As in a container whose /sys lacks a folder: what was measured is worth more than what was not seen."""
    run = begin()
    for planned in POINTS:
        run.measure(planned)

    def fail(*_):
        raise error

    monkeypatch.setattr(*LOOKS[what], fail)
    profile = run.finish(POINTS)
    assert profile.complete
    assert keys(profile) == KEYS
    assert "not looked at" in {warning.code for warning in profile.warnings}


def test_a_machine_that_can_be_looked_at_leaves_no_such_warning(begin):
    run = begin()
    for planned in POINTS:
        run.measure(planned)
    assert "not looked at" not in {warning.code for warning in run.finish(POINTS).warnings}


def mounted(path, *options):
    """A file system in memory there, where this process may mount one."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "none", str(path)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is for the superuser")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB, and a function that fills it."""
    disk = tmp_path / "disk"
    mounted(disk, "size=256k")

    def fill():
        with (disk / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1000))
        assert not shutil.disk_usage(disk).free

    yield disk, fill, (disk / "filler").unlink
    subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.fixture
def small_files(tmp_path):
    """A limit on how long a file may become."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        longest = (tmp_path / "run" / "journal.jsonl").stat().st_size + 200
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, before[1]))

    def room():
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    yield tmp_path, fill, room
    room()


@pytest.mark.parametrize("disk", ["small_disk", "small_files"])
def test_a_full_disk_costs_the_point_that_did_not_fit_and_the_journal_stays_whole(
    begin, request, disk
):
    place, fill, room = request.getfixturevalue(disk)
    run = begin(place / "run")
    first = run.measure(POINTS[0])
    fill()
    for again in range(2):
        with pytest.raises(BadOutput, match="--resume=") as told:
            run.measure(POINTS[1])
        assert "\n" not in str(told.value)
        assert from_journal(run.folder).points == (first,), again
    with pytest.raises(BadOutput):
        run.finish(POINTS)
    assert (run.folder / "journal.jsonl").read_bytes().endswith(b"\n")
    assert not (run.folder / "profile.json").exists()
    room()
    profile = go_on(begin, run.folder)
    assert keys(profile) == KEYS
    assert profile.points[0] == first
    assert profile.complete


def test_a_folder_that_is_deleted_ends_the_run_at_the_next_point(begin):
    run = begin()
    shutil.rmtree(run.folder)
    with pytest.raises(BadOutput, match="No such file"):
        run.measure(POINTS[0])
    with pytest.raises(BadOutput):
        run.finish(POINTS)
    assert not run.folder.exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    place = tmp_path / "disk"
    if os.geteuid():
        place.mkdir(mode=0o500)
    else:
        mounted(place, "ro")
    try:
        with pytest.raises(BadOutput, match=r"cannot be written: .* choose another --out"):
            folders.claim(place / "run")
        with pytest.raises(BadOutput, match="cannot be written"):
            folders.claim(place)
    finally:
        if not os.geteuid():
            subprocess.run(["umount", str(place)], check=True)


def test_a_run_killed_before_its_journal_had_a_line_leaves_its_folder_to_a_new_one(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"profile": {"sch')
    folders.claim(tmp_path)
    (tmp_path / "journal.jsonl").write_text('{"profile": {}}\n')
    with pytest.raises(BadOutput, match="holds a run already"):
        folders.claim(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_point_is_measured_costs_that_point(begin, monkeypatch, number):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests were started to ignore it, as nohup does")
    run = begin()
    first = run.measure(POINTS[0])
    stopped = faulty.instead_of_a_call(lambda: os.kill(os.getpid(), number))
    with interrupts.listening():
        with monkeypatch.context() as patch:
            patch.setattr(implementations, "load", lambda _name: stopped)
            with pytest.raises(KeyboardInterrupt):
                run.measure(POINTS[1])
        assert interrupts.asked() == number.name
        profile = run.finish(POINTS)
    assert profile.points == (first,)
    assert not profile.complete
    assert profile == reader.load(run.folder / "profile.json")
    assert not (run.folder / crash_record.FILE).exists()
    assert keys(go_on(begin, run.folder)) == KEYS


def test_a_signal_while_a_point_is_written_lets_that_be_finished(begin, monkeypatch):
    run, real, synced = begin(), os.fsync, []

    def interrupted(descriptor):
        os.kill(os.getpid(), signal.SIGTERM)
        real(descriptor)
        synced.append(descriptor)

    with interrupts.listening():
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run.measure(POINTS[0])
        assert synced
        assert keys(run.finish(POINTS)) == KEYS[:1]


def test_a_point_that_ended_one_process_is_tried_apart_and_one_that_ended_two_is_not_run_again(
    begin, monkeypatch
):
    run = begin()
    run._machine.release()
    (run.folder / crash_record.FILE).write_text(f"{KEYS[0]}\n{KEYS[1]}\n{KEYS[1]}\n")
    asked = []
    monkeypatch.setattr(
        trial_process, "tried", lambda planned: asked.extend(planned) or {KEYS[0]: "it crashed"}
    )
    profile = go_on(begin, run.folder)
    assert asked == [POINTS[0]]
    told = {point.key: (point.status, point.reason) for point in profile.points}
    assert told == {
        KEYS[0]: ("failed", "it crashed"),
        KEYS[1]: (
            "failed",
            "2 processes ended or lost their GPU while it was measured: killed, crashed or out of memory",
        ),
        KEYS[2]: ("ok", None),
    }
    assert profile.complete
    assert not (run.folder / crash_record.FILE).exists()


@pytest.mark.parametrize(
    ("part", "key", "value", "word"),
    [
        ("machine", "id", "another", "another machine"),
        ("project", "version", "0.0.9", "rnn-roofline 0.0.9"),
        ("project", "commit", "abc", "commit abc"),
        ("environment", "python", "2.7", "Python 2.7"),
        ("environment", "threads", 77, "threads 77"),
        ("environment", "packages", {"torch": "0.1"}, "torch 0.1"),
    ],
)
def test_another_machines_or_versions_journal_is_refused_in_one_line_and_left_alone(
    begin, part, key, value, word
):
    run = begin()
    run._journal.close()
    run._machine.release()
    path = run.folder / "journal.jsonl"
    header, rest = path.read_text().split("\n", 1)
    entry = json.loads(header)
    entry["profile"][part][key] = (
        {**entry["profile"][part][key], **value} if isinstance(value, dict) else value
    )
    path.write_text(json.dumps(entry) + "\n" + rest)
    before = path.read_bytes()
    with pytest.raises(BadOutput, match=word) as told:
        begin(resume=True)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == before


def test_a_journal_whose_points_its_suite_does_not_plan_is_refused_and_left_alone(begin):
    run = begin()
    run.measure(replace(POINTS[0], case=replace(POINTS[0].case, batch=5)))
    run._journal.close()
    run._machine.release()
    before = (run.folder / "journal.jsonl").read_bytes()
    with pytest.raises(
        BadOutput, match=r"holds rnn-cell-h16-b5-.* which its suite.toml does not plan"
    ):
        begin(resume=True)
    assert (run.folder / "journal.jsonl").read_bytes() == before


def test_a_note_of_the_point_in_flight_that_cannot_be_read_is_refused_in_one_line(begin):
    run = begin()
    run._machine.release()
    (run.folder / crash_record.FILE).mkdir()
    with pytest.raises(BadOutput, match="cannot be written: Is a directory"):
        begin(resume=True)


def test_a_report_that_cannot_be_written_is_one_line_and_the_profile_stays(
    pytestconfig, monkeypatch, tmp_path, capsys
):
    glue = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    session = glue.Session.__new__(glue.Session)
    session._profile, session._start, session._lost = synthetic.profile(), SimpleNamespace(), ""
    session._start.folder = tmp_path

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    session._report()
    assert "No space left on device" in session._lost
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rnn-roofline: {tmp_path}: cannot be written: No space left on device")
    assert line.endswith("python -m reports build makes it anew")


def test_after_a_run_threads_and_cores_are_as_before(begin, monkeypatch):
    monkeypatch.setenv("OMP_PLACES", "{0}")  # as a process that measures has it
    count = torch.get_num_threads()
    run = begin()
    assert os.sched_getaffinity(0) == {*threads.cores()[:1]}
    run.measure(replace(POINTS[0], case=replace(POINTS[0].case, threads=1)))
    run.finish([])
    assert torch.get_num_threads() == count
    assert sorted(os.sched_getaffinity(0)) == sorted(threads.cores())


class Backwards(datetime):
    """A clock that was set back by years."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2001, 1, 1, tzinfo=tz)


def test_a_clock_set_back_changes_stamps_and_nothing_else(begin, monkeypatch, tmp_path):
    run = begin()
    run.measure(POINTS[0])
    for module in (
        "bench.measure.point",
        "bench.session.folder",
        "bench.session.run",
        "bench.session.lock",
    ):
        monkeypatch.setattr(f"{module}.datetime", Backwards)
    monkeypatch.setattr("time.time", lambda: Backwards.now(UTC).timestamp())
    run.measure(POINTS[1])
    run.measure(POINTS[2])
    profile = run.finish(POINTS)
    assert keys(profile) == KEYS
    assert profile.complete
    assert [point.status for point in profile.points] == ["ok"] * 3
    assert profile.points[1].at < profile.points[0].at
    assert 0 < run.seconds_left(POINTS) < 60
    monkeypatch.setattr(folders, "RUNS", tmp_path)
    first = folders.new_folder("tiny")
    first.mkdir()
    assert folders.new_folder("tiny") != first


@pytest.mark.parametrize(
    ("package", "text", "told"),
    [
        ("numba", "raise ImportError('no numba here')", "numba cannot be imported (no numba here)"),
        ("numba", "import numba.core.nonesuch", "numba cannot be imported (No module named"),
        ("numpy", "undefined", "numpy cannot be imported (name 'undefined'"),
    ],
)
@pytest.mark.parametrize("command", [["bench", "doctor"], ["pytest", "--benchmark-only"]])
def test_a_package_that_is_missing_or_half_installed_is_named_in_one_line(
    tmp_path, command, package, text, told
):
    broken = tmp_path / "broken" / package
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text(text + "\n")
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(broken.parent)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if told in line]
    assert len(lines) == 1
    assert "make venv" in lines[0]
    assert "Traceback" not in done.stdout + done.stderr
