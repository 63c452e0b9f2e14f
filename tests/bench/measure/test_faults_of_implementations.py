"""Whatever an implementation does, its point has a record and the run goes on."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch

from bench.measure import point, room
from bench.profile.suite import Planned
from bench.session import crash_record, trial_process
from bench.telemetry import memory
from bench.timing import timeout
from kernels import implementations
from kernels.case import Case
from tests.bench import faulty

ROOT = Path(__file__).parents[3]
CASE = Case("lstm", hidden=16, input=16, batch=2)


class MyOwn(BaseException):
    """What no one foresaw."""


def failing(error):
    def harm():
        raise error

    return harm


@pytest.mark.parametrize(
    "error",
    [SystemExit(0), KeyboardInterrupt(), GeneratorExit(), MemoryError("too much"), MyOwn("odd")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("when", [faulty.when_preparing, faulty.instead_of_a_call])
def test_whatever_is_raised_is_a_failed_point_and_the_next_one_is_measured(context, error, when):
    found = point.point(context, CASE, "torch_cell", when(failing(error)), order=0)
    assert found.status == "failed"
    assert found.reason.startswith(type(error).__name__)
    good = point.point(context, CASE, "torch_cell", faulty.when_preparing(lambda: None), order=1)
    assert good.status == "ok"


def turn_forever():
    while True:
        pass


def sleep_and_catch():
    with contextlib.suppress(Exception):  # as implementations do around what they try
        time.sleep(1000)


@pytest.mark.parametrize("harm", [turn_forever, sleep_and_catch])
@pytest.mark.parametrize("when", [faulty.when_preparing, faulty.instead_of_a_call])
def test_one_that_does_not_come_back_is_given_up(context, monkeypatch, harm, when):
    monkeypatch.setattr(timeout, "SECONDS", 0.05)
    found = point.point(context, CASE, "torch_cell", when(harm), order=0)
    assert (found.status, found.reason) == ("failed", "it did not come back within 0.09 s")
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_no_timer_is_left_after_a_good_point(context):
    before = signal.getsignal(signal.SIGALRM)
    assert point.point(context, CASE, "torch_cell", faulty.torch_cell, order=0).status == "ok"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def light(program, *arguments, **options):
    """Run a program that needs none of the large libraries."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def test_compiled_code_that_does_not_come_back_ends_with_its_process():
    """It waits for itself and holds the interpreter's lock, so that no handler written in Python ever runs."""
    done = light(
        "import ctypes\nfrom bench.timing import timeout\n"
        "mutex, c = ctypes.create_string_buffer(64), ctypes.PyDLL(None)\n"
        "with timeout.within(0.2): c.pthread_mutex_lock(mutex), c.pthread_mutex_lock(mutex)"
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr


def test_memory_that_cannot_be_had_is_a_failed_point(context):
    """A limit on this process's address space, 256 MiB above what it has."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    there = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (there + (256 << 20), before[1]))
    try:
        greedy = faulty.when_preparing(lambda: torch.empty(1 << 32, dtype=torch.uint8))
        found = point.point(context, CASE, "torch_cell", greedy, order=0)
        good = point.point(context, CASE, "torch_cell", faulty.torch_cell, order=1)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert found.status == "failed"
    assert "memory" in found.reason
    assert good.status == "ok"


def test_one_that_keeps_taking_memory_is_stopped_before_the_system_stops_everything(
    context, monkeypatch
):
    """It keeps a MiB a call; no other memory of the machine than 96 MiB is counted."""
    monkeypatch.setattr(point, "LEAST_FREE", 32 << 20)
    kept, there = [], memory.taken() + (96 << 20)
    monkeypatch.setattr(memory, "available", lambda: there - memory.taken())
    monkeypatch.setattr(room, "memory_needed", lambda *_: 0)
    leaking = faulty.instead_of_a_call(lambda: kept.append(b"x" * (1 << 20)))
    context = replace(context, budget_seconds=10.0, precision=0.0)
    found = point.point(context, CASE, "torch_cell", leaking, order=0)
    assert found.status == "failed"
    assert "it took" in found.reason
    assert len(kept) < 2000


FILE = """
from kernels.implementations.torch_cell import *
from kernels.implementations import torch_cell as _own
label = "harm"
def prepare(case, sets, inputs):
    import ctypes, os, time
    {harm}
    return _own.prepare(case, sets, inputs)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A function that adopts a file whose `prepare` does harm; returns its point."""
    monkeypatch.setattr(implementations, "_ADOPTED", {})

    def make(name, harm):
        file = tmp_path / f"{name}.py"
        file.write_text(FILE.format(harm=harm))
        return Planned(CASE, implementations.adopt(str(file)))

    return make


GROUPS = Path("/sys/fs/cgroup/memory")
ROOM = 700 << 20


@pytest.fixture
def little_memory():
    """A control group of 700 MiB, as containers have one, that this process is in until the end of the test."""
    rows = (row.split(":", 2) for row in Path("/proc/self/cgroup").read_text().splitlines())
    of_memory = [path for _, controllers, path in rows if controllers == "memory"]
    if not of_memory:
        pytest.skip("no control groups of memory, version 1, here")
    above = GROUPS / of_memory[0].lstrip("/")
    group = above / f"rnn-roofline-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(ROOM))
        (group / "cgroup.procs").write_text(str(os.getpid()))
    except OSError as error:
        pytest.skip(f"a control group cannot be made: {error.strerror}")
    yield
    (above / "cgroup.procs").write_text(str(os.getpid()))
    for _ in range(50):  # whoever was ended is still being cleared away
        with contextlib.suppress(OSError):
            group.rmdir()
            break
        time.sleep(0.1)


def test_a_process_that_runs_out_of_its_groups_memory_leaves_which_point_it_measured(
    little_memory,  # noqa: ARG001
    tmp_path,
):
    assert memory.available() <= ROOM
    take = (
        "import sys, pathlib\nfrom bench.session.crash_record import CrashRecord\n"
        "pathlib.Path('/proc/self/oom_score_adj').write_text('1000')\n"
        "with CrashRecord(pathlib.Path(sys.argv[1])).during('greedy'): bytearray(1 << 30)"
    )
    assert light(take, str(tmp_path)).returncode == -signal.SIGKILL
    assert crash_record.CrashRecord(tmp_path).deaths("greedy") == 1


@pytest.mark.slow
def test_a_file_that_takes_its_groups_memory_is_found_out_in_another_process(little_memory, own):  # noqa: ARG001
    greedy = own("greedy", "bytearray(1 << 30)")
    assert trial_process.tried([greedy]) == {
        greedy.key: "tried in a process of its own, it ended that process: SIGKILL, as where memory is used up"
    }


@pytest.mark.slow
def test_a_file_that_crashes_is_found_out_in_another_process_and_a_good_one_is_not(own):
    good, crash, after = (
        own("good", "print('hello')"),
        own("crash", "ctypes.string_at(0)"),
        own("raises", "raise SystemExit"),
    )
    assert trial_process.tried([good, crash, after]) == {
        crash.key: "tried in a process of its own, it ended that process: SIGSEGV"
    }


def test_a_file_that_does_not_come_back_is_found_out_too(own):
    hang = own("hang", "time.sleep(1000)")
    assert trial_process.tried([hang], seconds=0.2) == {
        hang.key: "tried in a process of its own, it did not come back within 0.2 s"
    }


def test_a_process_that_died_left_which_point_it_measured_and_one_that_did_not_left_nothing(
    tmp_path,
):
    die = (
        "import os, sys, pathlib\nfrom bench.session.crash_record import CrashRecord\n"
        "with CrashRecord(pathlib.Path(sys.argv[1])).during('a'): pass\n"
        "with CrashRecord(pathlib.Path(sys.argv[1])).during('b'): os.kill(os.getpid(), 9)"
    )
    for times in (1, 2):
        assert light(die, str(tmp_path)).returncode == -signal.SIGKILL
        noted = crash_record.CrashRecord(tmp_path)
        assert (noted.deaths("a"), noted.deaths("b"), noted.deaths("c")) == (0, times, 0)
    with pytest.raises(MyOwn), noted.during("c"):
        raise MyOwn
    assert crash_record.CrashRecord(tmp_path).deaths("c") == 0
    noted.forget()
    assert not list(tmp_path.iterdir())
