"""Whole runs with a GPU, by the code that a real one would be measured by, on a stand-in (`tests/fake_gpu.py`)."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.measure import point as points
from bench.profile import reader
from bench.profile.journal import from_journal
from bench.profile.suite import Planned, Suite
from bench.session import trial_process
from bench.session.run import Run
from bench.timing import cuda_clock
from kernels import implementations
from kernels.case import Case
from kernels.reference.inputs import Arena
from reports.analysis.analysis import Analysis
from reports.page import build
from tests import fake_gpu
from tests.bench import faulty
from tests.fake_nvml import NVMLError

SETTINGS = {
    "precision": 0.5,
    "budget_seconds": 0.01,
    "curve_seconds": 0.01,
    "longest_call_seconds": 1.0,
    "device": "all",
}


def case(cell, device, **words):
    return Case(cell, 32, 32, 2, device=device, threads=int(device == "cpu"), **words)


CPU = Planned(case("lstm", "cpu"), "torch_cell")
GPU = tuple(
    Planned(case(cell, "cuda", residency="streamed"), "torch_cell")
    for cell in ("rnn", "lstm", "gru")
)


@pytest.fixture
def gpu(monkeypatch):
    """The stand-in; it may be posed again with other answers of its driver."""
    modes = []

    def pose(**nvml):
        while modes:
            modes.pop().__exit__(None, None, None)
        cuda, mode = fake_gpu.pose(monkeypatch, **nvml)
        modes.append(mode)
        return cuda

    yield pose
    for mode in modes:
        mode.__exit__(None, None, None)


@pytest.fixture
def measure(short_runs, tmp_path):  # noqa: ARG001 - for what it patches
    """A function that measures planned points in a folder, or goes on there, and returns the profile."""

    def measure(*planned, folder=tmp_path / "run", resume=False):
        plan = Suite("tiny", "", SETTINGS, planned, "why = 1")
        run = Run(plan, 0, folder, from_journal(folder) if resume else None)
        run.begin()
        for one in planned:
            run.measure(one)
        return run.finish(planned)

    return measure


def told(profile):
    return {(point.case.device, point.case.cell): point.reason for point in profile.points}


def test_a_profile_holds_both_devices_each_with_its_roofs_levels_and_points(
    gpu, measure, tmp_path, monkeypatch
):
    # of the stand-in, whose calls come back when their work is done, launching is all there is
    monkeypatch.setattr(cuda_clock.Clock, "launch_seconds", lambda *_: 1e-9)
    spent = itertools.count(1, 1000)
    gpu().nvml = None
    sys.modules["pynvml"].nvmlDeviceGetTotalEnergyConsumption = lambda _handle: next(spent)
    profile = measure(CPU, *GPU)
    assert [(point.status, point.reason) for point in profile.points] == [("ok", None)] * 4
    assert profile.complete
    assert profile.settings["device"] == "all"
    for device in ("cpu", "cuda"):
        kinds = {roof.kind for roof in profile.roofs if roof.device == device}
        assert kinds >= {"read", "write", "call"}
        assert Analysis(profile).roofs.levels(device)[-1].name == "DRAM"
    of_memory = [r.kind for r in profile.roofs if (r.device, r.unit) == ("cuda", "byte/s")]
    # written last, for the others read random words
    kinds = ["read", "copy", "triad", "write", "sentinel"]
    assert list(dict.fromkeys(of_memory)) == kinds
    products = {r.dtype for r in profile.roofs if (r.device, r.kind) == ("cuda", "matmul")}
    assert products >= {"float32", "tf32", "tf32x3", "bfloat16", "bfloat16x3"}
    mine, *theirs = profile.points
    assert (mine.launch_seconds, mine.case.device) == (None, "cpu")
    for point in theirs:
        assert len(point.seconds) == len(point.roof_bytes_per_s) >= 10
        assert point.weight_sets * point.bytes["weights"] >= 4 * fake_gpu.L2_BYTES
        assert min(point.launch_seconds, point.floor_seconds, point.joules) > 0
        assert point.state["clock_hz"] == 1.98e9
    assert profile.environment["energy"]["cuda"] == "counted"
    assert profile.environment["idle_power_w"] == {"cuda": pytest.approx(81.942)}
    assert profile.machine["gpus"][0]["name"] == "NVIDIA H200"
    assert {"cpu only", "gpu unwatched", "gpu lost"}.isdisjoint(d.code for d in profile.warnings)
    built = build.build(Analysis(profile), tmp_path / "report")
    text = (built.folder / "report.md").read_text()
    assert "cuda" in text
    assert "its share of idle power: on cuda 82 W" in text
    least = min(point.working_set_bytes for point in theirs)
    assert least >= 4 * fake_gpu.L2_BYTES
    assert f"{least / fake_gpu.L2_BYTES:.3g} times its second-level cache" in text


def test_a_part_that_writes_less_than_the_write_probe_can_is_measured_without_it(gpu, measure):
    gpu()
    small = Case("rnn", 96, 96, 1, part="pointwise", device="cuda", threads=0)
    (point,) = measure(Planned(small, "torch_cell")).points
    assert (point.status, point.reason) == ("ok", None)
    assert point.bytes["written"] > 0.1 * sum(point.bytes[name] for name in ("read", "written"))
    assert point.bytes["written"] < fake_gpu.TILE_BYTES
    assert point.roof_write_bytes_per_s == point.roof_triad_bytes_per_s == ()


TINY = """
why = "a GPU's command from end to end"
[settings]
precision = 0.5
budget_seconds = 0.01
[[group]]
why = "a CPU's, which is left out"
device = "cpu"
hidden = 32
implementation = "numba_fused"
[[group]]
why = "one that can, and one whose library is missing"
device = "cuda"
cell = "lstm"
hidden = 32
implementation = ["torch_cell", "onnxruntime"]
"""


def test_the_whole_command_runs_without_the_packages_of_cpus_and_pictures(tmp_path):
    suite, out = tmp_path / "tiny.toml", tmp_path / "run"
    suite.write_text(TINY)
    options = ("-q", f"--suite={suite}", "--out", str(out))
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.without_packages", *options],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    states = {p.implementation: p.status for p in reader.load(out / "profile.json").points}
    assert states == {"torch_cell": "ok", "onnxruntime": "skipped"}
    text = (out / "report.md").read_text()
    assert "No picture was drawn: " in text
    assert "install matplotlib" in text
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nMore."),
            "skipped",
            "CUDA out of memory. Tried to allocate 20.00 GiB.",
        ),
        (
            RuntimeError("out of resource: shared memory, Required: 300000\nReduce it."),
            "failed",
            "RuntimeError: out of resource: shared memory, Required: 300000",
        ),
    ],
)
def test_full_memory_is_a_skipped_point_and_a_kernel_that_does_not_launch_a_failed_one(
    gpu, measure, monkeypatch, error, status, reason
):
    gpu()

    def fail():
        raise error

    patched = {"torch_gates": faulty.when_preparing(fail)}
    known = implementations.load
    monkeypatch.setattr(implementations, "load", lambda name: patched.get(name) or known(name))
    profile = measure(Planned(GPU[1].case, "torch_gates"), *GPU)
    assert (profile.points[0].status, profile.points[0].reason) == (status, reason)
    assert [point.status for point in profile.points[1:]] == ["ok"] * 3


def test_a_kernel_that_does_not_compile_tells_its_error_and_not_where_it_stands(
    gpu, measure, monkeypatch
):
    gpu()

    class CompilationError(Exception):
        error_message = "cannot add int32[4] and float32[8]\nin tile"

    def fail():
        raise CompilationError("at 12:4:\n    a = b + c\n        ^")

    monkeypatch.setattr(implementations, "load", lambda _name: faulty.when_preparing(fail))
    (found,) = measure(GPU[0]).points
    assert found.reason == "CompilationError: cannot add int32[4] and float32[8]"


def test_after_a_lost_context_the_cpus_points_stand_and_a_resumed_run_measures_the_rest(
    gpu, measure, monkeypatch
):
    cuda = gpu()

    def lose():
        cuda.lost = True
        cuda.synchronize()

    def digest(arena, size):
        cuda.synchronize()  # as every answer of a lost GPU's does
        return of_arena(arena, size)

    of_arena = Arena.digest
    monkeypatch.setattr(Arena, "digest", digest)
    known, worse = implementations.load, faulty.instead_of_a_call(lose)
    monkeypatch.setattr(
        implementations, "load", lambda name: worse if name == "torch_gates" else known(name)
    )
    bad = Planned(GPU[0].case, "torch_gates")
    planned = (CPU, GPU[0], bad, *GPU[1:])
    profile = measure(*planned)
    mine, good, culprit, *rest = profile.points
    assert [mine.status, good.status] == ["ok", "ok"]
    assert culprit.reason.startswith(points.LOST)
    assert fake_gpu.LOST in culprit.reason
    assert [point.reason for point in rest] == [f"{points.LOST}: {fake_gpu.LOST}"] * 2
    assert not profile.complete
    assert "gpu lost" in {warning.code for warning in profile.warnings}

    tried = []
    monkeypatch.setattr(trial_process, "tried", lambda planned: tried.extend(planned) or {})
    cuda.lost = False  # another process
    again = measure(*planned, resume=True)
    assert tried == [bad]
    assert [point.status for point in again.points] == ["ok", "ok", *["failed"] * 3]
    assert (again.points[0], again.points[1]) == (mine, good)
    assert not again.complete

    cuda.lost = False  # a third one, which does not try it once more
    at_last = measure(*planned, resume=True)
    assert [point.status for point in at_last.points] == ["ok", "ok", "failed", "ok", "ok"]
    assert not at_last.points[2].reason.startswith(points.LOST)
    assert at_last.complete


def test_a_gpu_that_was_lost_by_no_points_fault_costs_a_resumed_run_nothing(
    gpu, measure, monkeypatch
):
    cuda, known, calls = gpu(), implementations.load, itertools.count()

    def lose():
        cuda.lost = next(calls) == 0
        cuda.synchronize()

    unlucky = {"torch_gates": faulty.instead_of_a_call(lose)}
    monkeypatch.setattr(implementations, "load", lambda name: unlucky.get(name) or known(name))
    monkeypatch.setattr(trial_process, "tried", lambda _planned: {})
    planned = (Planned(GPU[0].case, "torch_gates"), *GPU)
    assert {point.status for point in measure(*planned).points} == {"failed"}
    cuda.lost = False
    profile = measure(*planned, resume=True)
    assert [point.status for point in profile.points] == ["ok"] * 4
    assert profile.complete


def test_a_gpu_without_triton_costs_its_own_points_alone(gpu, measure, monkeypatch):
    gpu()
    for kind in fake_gpu.MEMORY_PROBES:
        monkeypatch.delitem(sys.modules, f"bench.roofs.gpu_{kind}")
    monkeypatch.delitem(sys.modules, "bench.roofs._triton", raising=False)
    monkeypatch.delattr("bench.roofs._triton", raising=False)
    monkeypatch.setitem(sys.modules, "triton", None)
    profile = measure(CPU, *GPU)
    assert [point.status for point in profile.points] == ["ok", *["skipped"] * 3]
    assert all("need Triton" in point.reason for point in profile.points[1:])
    assert [d.about for d in profile.warnings if d.code == "gpu" and "need Triton" in d.message]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (  # of the C compiler that Triton starts, where Python's headers are not installed
            subprocess.CalledProcessError(1, ["/usr/bin/gcc", "/home/someone/main.c"]),
            "Command '['gcc', 'main.c']' returned non-zero exit status 1.",
        ),
        (PermissionError(13, "Permission denied", "/root/.triton/cache"), "Permission denied"),
        (AttributeError("Unknown attribute fp32_precision"), "Unknown attribute fp32_precision"),
    ],
)
def test_whatever_ends_the_survey_costs_the_gpus_points_alone(
    gpu, measure, monkeypatch, error, reason
):
    gpu()

    def fail(*_arguments):
        raise error

    monkeypatch.setattr(sys.modules["bench.roofs.gpu_read"], "prepare", fail)
    profile = measure(CPU, GPU[0])
    assert [point.status for point in profile.points] == ["ok", "skipped"]
    said = profile.points[1].reason
    assert said.startswith("its roofs cannot be measured: ")
    assert reason in said
    assert "someone" not in said
    assert "root" not in said


@pytest.mark.parametrize(
    ("free", "reason"),
    [(1000, "1000 bytes are free on the GPU: too few for a read curve")],
)
def test_a_gpu_that_others_filled_is_stated_with_its_figures(gpu, measure, free, reason):
    gpu().free = free
    profile = measure(CPU, GPU[0])
    assert told(profile) == {("cpu", "lstm"): None, ("cuda", "rnn"): reason}


def test_a_point_too_large_for_the_gpu_is_skipped_with_both_figures(gpu, measure):
    gpu()
    large = Planned(Case("lstm", 4096, 4096, 1, device="cuda", threads=0), "torch_cell")
    (found,) = measure(large).points
    assert found.status == "skipped"
    assert "bytes and" in found.reason


def test_two_gpus_a_slice_and_a_silent_driver_are_stated(gpu, measure):
    cuda = gpu(nvmlDeviceGetMigMode=(1, 1))
    cuda.count = 2
    said = " ".join(warning.message for warning in measure(GPU[0]).warnings)
    assert "2 GPUs are visible and the first is measured" in said
    assert "one slice" in said


def test_without_nvml_power_and_energy_are_unknown_for_a_reason(gpu, measure):
    gpu(nvmlInit=NVMLError("Driver Not Loaded"))
    profile = measure(GPU[0])
    (point,) = profile.points
    assert (point.status, point.joules, point.state["power_w"]) == ("ok", None, None)
    assert profile.environment["energy"]["cuda"] == "NVML cannot be asked"
    assert "gpu unwatched" in {warning.code for warning in profile.warnings}
