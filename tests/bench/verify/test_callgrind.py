"""Counted bytes: what the simulator's events mean, which steps are counted, and real steps against the cost model."""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import stat
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace

import psutil
import pytest

from bench import __main__ as command
from bench.profile import reader, records
from bench.profile.journal import write_profile
from bench.profile.records import Point
from bench.verify import byte_check, callgrind, checks, counted_steps
from bench.verify.counted_steps import Count, Job
from kernels import cost, implementations
from kernels.case import CELLS, Case, Unavailable

RNN = Case("rnn", 512, 512, 1)
STREAMED = replace(RNN, residency="streamed")
LEVEL = 4 << 20
"""A last level that one set of RNN's weights, 2 MiB, stays in and eight of them outgrow."""

NO_VALGRIND = callgrind.missing()
needs_valgrind = pytest.mark.skipif(NO_VALGRIND is not None, reason=NO_VALGRIND or "it is here")


def count(read, case=STREAMED, last_level=byte_check.FAR):
    return Count(Job(case, "torch_cell", 1, last_level), "callgrind 3", read, 0)


TRAINED = Case("rnn", 1024, 1024, 1, phase="train")
"""Its weights, 8 MiB, outgrow that level."""


@pytest.fixture(scope="module")
def counted():
    """Real steps, counted under one start of the simulator: streamed, resident, streamed again, trained."""
    streamed, resident = Job(STREAMED, "torch_cell", 8, LEVEL), Job(RNN, "torch_cell", 1, LEVEL)
    return list(
        callgrind.count([streamed, resident, streamed, Job(TRAINED, "torch_cell", 1, LEVEL)])
    )


@needs_valgrind
def test_a_real_step_fetches_what_the_model_says_twice_alike_and_nothing_where_its_weights_stay(
    counted,
):
    """Two counts of one job: the same bytes. Streamed they are the model's, resident none."""
    first, stays, again, _ = counted
    for found in (first, again):
        assert found.reason is None
        assert found.read == pytest.approx(cost.count(STREAMED).weight_bytes, rel=0.01)
    assert again.read == pytest.approx(first.read, rel=0.0005)
    assert stays.read <= 0.02 * cost.count(RNN).weight_bytes


@needs_valgrind
def test_a_training_step_is_counted_too_with_its_gradients_written(counted):
    """Its weights are read forward and backward, but for what may have stayed between; gradients are as large."""
    *_, trained = counted
    weights = cost.count(replace(TRAINED, phase="step")).weight_bytes
    assert trained.reason is None
    assert trained.read >= 2 * weights - LEVEL
    assert trained.written >= 0.5 * weights


@needs_valgrind
@pytest.mark.slow
def test_more_sequences_than_registers_hold_read_their_weights_once():
    """Beyond 64 KiB, which hold a chunk of weights and all activations, but no block of 16 units with its 128 KiB.

    All activations are read once more for each block. Where a pass goes over a block, not a chunk, it reads 2.06 times
    as much.
    """
    case = Case("lstm", 256, 256, 9)
    (found,) = callgrind.count([Job(case, "numba_fused", 1, 64 << 10)])
    compulsory = cost.count(case).weight_bytes + 256 // 16 * 9 * (256 + 256) * 4
    assert 0.98 < found.read / compulsory < 1.15


def test_a_step_is_the_difference_of_five_steps_and_one_over_four_in_lines_of_64_bytes():
    one = {"Ir": 9, "DLmr": 1000, "DLmw": 5, "ILdmr": 1, "DLdmr": 10, "DLdmw": 100}
    many = {"Ir": 99, "DLmr": 9000, "DLmw": 7, "ILdmr": 5, "DLdmr": 50, "DLdmw": 500}
    assert callgrind.difference(one, many) == (2000 * 64, (1 + 10 + 100) * 64)


def test_totals_are_read_by_the_names_of_their_events_and_zeros_that_are_not_written():
    text = (
        "desc: Trigger: Client Request: 3 5\n\nevents: Ir Dr DLmr DLdmw\nsummary: 7 6 5\n\nfn=x\n"
    )
    assert callgrind._totals(text) == ("3 5", {"Ir": 7, "Dr": 6, "DLmr": 5, "DLdmw": 0})
    assert callgrind._totals("desc: Trigger: Program termination\nevents: Ir\nsummary: 1\n") == (
        None,
        {},
    )


def fake_valgrind(folder, monkeypatch, script):
    path = folder / "valgrind"
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def quickly(monkeypatch, outcomes):
    """Instead of a child with torch in it: whoever runs valgrind, and what the child would have told."""
    run = callgrind._run

    def told(arguments):
        if arguments[0] != "valgrind":
            return "it was not under valgrind"
        callgrind.Path(arguments[-2]).write_text(outcomes)
        return run(arguments[:1])

    monkeypatch.setattr(callgrind, "_run", told)
    monkeypatch.setattr(callgrind, "missing", lambda: None)
    monkeypatch.setattr(callgrind.programs, "compiled", lambda *_: "no library")


def count_jobs_that_die(folder):
    """Steps that end their process or refuse, counted two at once, by nobody."""
    deaths = {"killed": signal.SIGKILL, "too slow": signal.SIGALRM, "real time": 40}
    began = folder / "began"
    began.mkdir()

    def calls(job):
        mine = began / str(os.getpid())
        mine.touch()
        time.sleep(0.05)
        assert len(list(began.iterdir())) <= 2
        mine.unlink()
        if job.implementation in deaths:
            os.kill(os.getpid(), deaths[job.implementation])
        if job.implementation == "leaves":
            raise SystemExit(3)
        if job.implementation == "refuses":
            raise Unavailable("not here\nnor there")
        return [lambda: None]

    counted_steps._calls = calls
    requests = SimpleNamespace(
        **dict.fromkeys(("start", "stop", "zero"), lambda: None), dump=lambda _label: None
    )
    names = ["good", "killed", "too slow", "leaves", "refuses", "real time", "unborn", "good"]
    jobs = [Job(RNN, name, 1, LEVEL) for name in names]
    fork, forks = os.fork, itertools.count()

    def no_memory_once():
        if next(forks) == names.index("unborn"):
            raise OSError(errno.ENOMEM, "no memory")
        return fork()

    os.fork = no_memory_once
    subprocess.Popen(["true"])
    counted_steps.count(jobs, requests, folder / "outcomes", 2)


def test_who_dies_takes_no_others_along(tmp_path):
    """Not even of its own implementation; and so many are at work at once, no more.

    In a new process, as it is: what other tests left of memory in this one could keep it from forking.
    """
    process = get_context("spawn").Process(target=count_jobs_that_die, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == 0
    outcomes = dict(map(json.loads, (tmp_path / "outcomes").read_text().splitlines()))
    assert outcomes == {
        0: None,
        1: "it ended with SIGKILL under valgrind",
        2: "it took longer than 90 s under valgrind",
        3: "it ended with exit code 1 under valgrind",
        4: "not here",
        5: "it ended with signal 40 under valgrind",
        6: "it has no process: no memory",
        7: None,
    }


def test_who_stops_waiting_leaves_no_process_behind(tmp_path, monkeypatch):
    """As an interrupt does: the one at work is killed, and those that it forked."""
    fake_valgrind(tmp_path, monkeypatch, f"sleep 60 &\necho $! > {tmp_path}/forked\nwait\n")

    def interrupt():
        while not (tmp_path / "forked").exists():
            time.sleep(0.01)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            callgrind._run(["valgrind"])
    finally:
        signal.signal(signal.SIGINT, before)
    forked = int((tmp_path / "forked").read_text())

    def is_there():
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(forked).status() != psutil.STATUS_ZOMBIE
        return False

    for _ in range(1000):
        if is_there():
            time.sleep(0.01)
    assert not is_there()


def test_a_step_without_a_count_says_why(tmp_path, monkeypatch):
    fake_valgrind(tmp_path, monkeypatch, '[ "$1" = --version ] && echo valgrind-9.9\nexit 0\n')
    quickly(monkeypatch, '[0, "not here"]\n[1, null]\n')
    jobs = [Job(RNN, name, 1, LEVEL) for name in ("one", "two", "three")]
    refused, lost, untold = callgrind.count(jobs)
    assert (refused.reason, refused.tool) == ("not here", "callgrind 9.9")
    assert lost.reason == "callgrind wrote no counts"
    assert untold.reason == "it ended with exit code 0: it said nothing"
    assert byte_check.check(refused).margin is None
    assert byte_check.check(refused).found == "not here"


@needs_valgrind
def test_without_a_compiler_or_valgrinds_header_there_is_a_reason(tmp_path, monkeypatch):
    broken = tmp_path / "requests.c"
    broken.write_text("#include <no/such/header.h>\n")
    monkeypatch.setattr(callgrind, "REQUESTS", broken)
    assert "requests.c does not compile" in callgrind.missing()
    (tmp_path / "valgrind").symlink_to("/usr/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no C compiler" in callgrind.missing()


def test_without_valgrind_there_is_a_reason_and_no_count(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert callgrind.missing()
    with pytest.raises(Unavailable):
        list(callgrind.count([Job(RNN, "torch_cell", 1, LEVEL)]))


def test_every_cell_and_implementation_is_counted_at_two_sizes_streamed_and_resident():
    jobs = byte_check.jobs(implementations.names(), thorough=True)
    for name in implementations.names():
        for cell in CELLS:
            for residency in ("streamed", "resident"):
                sizes = {
                    job.case.hidden
                    for job in jobs
                    if (job.implementation, job.case.cell) == (name, cell)
                    and job.case.residency == residency
                    and not byte_check.stays(job)
                }
                assert len(sizes) == 2
    for job in jobs:
        weights = job.sets * cost.count(job.case).weight_bytes
        if byte_check.stays(job):
            assert weights < job.last_level_bytes
        else:
            assert weights >= 4 * job.last_level_bytes


@pytest.mark.parametrize(
    ("share", "good", "word"),
    [(1.0, True, "good"), (0.97, False, "WRONG"), (1.03, True, "more"), (0.0, False, "WRONG")],
)
def test_fewer_bytes_than_modelled_are_wrong_and_more_are_a_finding(share, good, word):
    found = count(round(share * cost.count(STREAMED).bytes_read))
    assert byte_check.ratio(found) == pytest.approx(share, abs=1e-6)
    assert byte_check.check(found).good == good
    assert checks.table([byte_check.check(found)])[0].startswith(word)


@pytest.mark.parametrize(("share", "good"), [(0.0, True), (0.01, True), (0.5, False)])
def test_weights_that_should_stay_are_not_fetched(share, good):
    found = count(round(share * cost.count(RNN).bytes_read), RNN, byte_check.ROOMY)
    assert byte_check.check(found).good == good


def test_a_count_goes_to_every_point_of_its_case_whatever_the_threads_and_to_no_other():
    large = Case("lstm", 1024, 1024, 1)
    points = (
        Point(large, "torch_cell", "ok"),
        Point(replace(large, threads=2), "torch_cell", "ok"),
        Point(replace(large, batch=2), "torch_cell", "ok"),
        Point(large, "torch_gates", "ok"),
        Point(replace(large, residency="streamed"), "torch_cell", "ok"),
    )
    profile = records.Profile("now", "x", 0, {}, {}, {}, points=points)
    jobs, refused = byte_check.of_points(points)
    assert len(jobs) == 4
    assert not refused
    found = Count(Job(large, "torch_cell", 1, byte_check.NEAR), "callgrind 3", 34_000_000, 1000)
    lost = Count(Job(large, "torch_gates", 1, byte_check.NEAR), "callgrind 3", reason="it died")
    after = byte_check.into(profile, [found, lost])
    assert [point.counted_bytes is not None for point in after.points] == [True, True, *[False] * 3]
    assert after.points[0].counted_bytes == {
        "tool": "callgrind 3, last level 1 MiB",
        "read": 34_000_000,
        "written": 1000,
    }
    assert replace(after, points=points) == profile


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (Case("rnn", 256, 256, 1), "too few to outgrow"),
        (Case("rnn", 64, 64, 1, residency="streamed"), "too few to outgrow"),
        (Case("rnn", 1024, 1024, 1, phase="train", residency="streamed"), "reads them again"),
        (Case("lstm", 4096, 4096, 1), "take the simulator too long"),
        (Case("lstm", 1024, 1024, 1, device="cuda", threads=0), "GPU"),
    ],
)
def test_what_is_not_counted_is_listed_with_its_reason(case, reason):
    jobs, (refused,) = byte_check.of_points([Point(case, "torch_cell", "ok")])
    assert not jobs
    assert reason in refused.reason


def test_points_without_a_time_are_not_counted():
    failed = Point(Case("lstm", 1024, 1024, 1), "torch_cell", "failed", reason="wrong")
    assert byte_check.of_points([failed]) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--counts", "x"], "--counts and --out belong together"),
        (["--out", "x"], "--counts and --out belong together"),
        (["--counts", "x", "--out", "y", "--only", "planted"], "--only planted does nothing here"),
        (["--counts", "x", "--out", "y", "--all"], "--all does nothing here"),
        (["--counts", "x", "--out", "y", "--implementation", "torch_cell"], "does nothing here"),
        (["--only", "probes", "--implementation", "torch_cell"], "does nothing here"),
        (["--only", "counted", "--times", "2"], "--times does nothing here"),
        (["--counts", "no/such/profile.json", "--out", "y"], "no/such/profile.json"),
        (["--times", "0"], "out of range"),
    ],
)
def test_bad_usage_of_verify_is_one_line_and_code_two(
    capsys, tmp_path, monkeypatch, arguments, said
):
    monkeypatch.chdir(tmp_path)
    assert command.main(["verify", *arguments]) == 2
    out, error = capsys.readouterr()
    assert not out
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_counts_are_written_to_a_folder_of_their_own(tmp_path, monkeypatch, capsys):
    """And to none that holds a run."""
    large = Case("lstm", 1024, 1024, 1)
    profile = records.Profile(
        "now", "x", 0, {}, {}, {}, points=(Point(large, "torch_cell", "ok", seconds=(1e-4,)),)
    )
    (tmp_path / "run").mkdir()
    write_profile(profile, tmp_path / "run")
    before = (tmp_path / "run" / "profile.json").read_bytes()
    monkeypatch.setattr(callgrind, "missing", lambda: None)
    monkeypatch.setattr(
        callgrind, "count", lambda jobs: [Count(job, "callgrind 3", 34_000_000, 0) for job in jobs]
    )
    arguments = ["verify", "--counts", str(tmp_path / "run"), "--out"]
    assert command.main([*arguments, str(tmp_path / "counted")]) == 0
    (point,) = reader.load(tmp_path / "counted" / "profile.json").points
    assert point.counted_bytes["read"] == 34_000_000
    assert command.main([*arguments, str(tmp_path / "run")]) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert (tmp_path / "run" / "profile.json").read_bytes() == before
