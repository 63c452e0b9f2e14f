"""A GPU's counters, without a GPU: what ncu's output means, and what stands in a count's place where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from bench.verify import ncu
from bench.verify.counted_steps import Job
from kernels import cost
from kernels.case import Case

CASE = Case("lstm", 1024, 1024, 1, residency="streamed", device="cuda", threads=0)
JOB = Job(CASE, "torch_cell", 4, 50 << 20)
HEAD = '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n'


def told(read, written, through):
    """ncu's CSV for two kernels that share these bytes."""
    rows = [("dram__bytes_read.sum", read), ("dram__bytes_write.sum", written)]
    rows.append(("lts__t_bytes.sum", through))
    lines = [
        f'"{kernel}","k{kernel}","{name}","Kbyte","{value / 2000:,.3f}"\n'
        for kernel in (0, 1)
        for name, value in rows
    ]
    return "==PROF== Connected to process 1\nthe program's own word\n" + HEAD + "".join(lines)


def done(out="", error="", code=0):
    return subprocess.CompletedProcess(["ncu"], code, out, error)


def test_bytes_of_all_kernels_are_added_up_in_whatever_unit_they_come():
    text = HEAD + (
        '"0","a","dram__bytes_read.sum","Mbyte","1,000.5"\n'
        '"1","b","dram__bytes_read.sum","byte","7"\n'
        '"1","b","dram__bytes_write.sum","Gbyte","2"\n'
        '"1","b","sm__cycles.sum","cycle","99"\n'
    )
    assert ncu.sums(text) == {
        ncu.READ: 1_000_500_007,
        ncu.WRITTEN: 2e9,
        ncu.L2: 0,
    }
    assert not any(ncu.sums("==ERROR== nothing\n").values())


def test_a_count_is_the_difference_of_five_steps_and_one_over_four(monkeypatch):
    weights = cost.count(CASE).weight_bytes

    def run(command, *_limits, **_named):
        steps = int(command[-1])
        return done(told(10**6 + steps * weights, 2000 + 8000 * steps, 3 * steps * weights))

    monkeypatch.setattr(ncu.programs, "run", run)
    (found,) = ncu.count([JOB])
    assert found.read == pytest.approx(weights, rel=1e-4)
    assert found.written == pytest.approx(8000, rel=0.01)
    assert str(3 * weights)[:4] in found.tool


CARDS = Path(__file__).parents[1] / "fixtures" / "cards"
"""What ncu 2025.3 told of the fused step of an LSTM of 4096 on an H200, batch 1, three sets in rotation."""


def test_what_a_card_told_is_the_cost_models_bytes_within_three_percent(monkeypatch):
    case = Case(
        "lstm", 4096, 4096, 1, residency="streamed", device="cuda", threads=0,
        dtype="bfloat16", activations="bfloat16",
    )  # fmt: skip

    def run(command, *_limits, **_named):
        name = {"1": "h200-ncu-1-step.csv", "5": "h200-ncu-5-steps.csv"}[command[-1]]
        return done((CARDS / name).read_text(encoding="utf-8"))

    monkeypatch.setattr(ncu.programs, "run", run)
    (found,) = ncu.count([Job(case, "triton_fused", 3, 60 << 20)])
    moved = cost.count(case)
    assert found.read == pytest.approx(moved.bytes_read, rel=0.03)
    assert found.read > moved.bytes_read


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (done("==ERROR== ERR_NVGPUCTRPERM - The user does not have permission\n", "", 1), "PERM"),
        (done("", "line\nno such metric\n", 9), "exit code 9: no such metric"),
        (done(HEAD), "gave no dram__bytes_read"),
        (done("", "", 1), "it said nothing"),
    ],
)
def test_counters_that_cannot_be_read_are_a_reason(monkeypatch, answer, reason):
    monkeypatch.setattr(ncu.programs, "run", lambda *_, **_named: answer)
    (found,) = ncu.count([JOB])
    assert found.read is None
    assert reason in found.reason
    assert "\n" not in found.reason


def test_without_a_gpu_or_without_ncu_there_is_a_reason(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert ncu.missing() == "no CUDA device"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("PATH", "")
    assert "no ncu" in ncu.missing()


def test_ncu_is_started_so_that_caches_are_left_alone(monkeypatch):
    seen = []

    def run(command, **_named):
        assert Path(command[-2]).exists()
        seen.append(command)
        return done(told(1, 1, 1))

    monkeypatch.setattr(ncu.programs.subprocess, "run", run)
    list(ncu.count([JOB]))
    assert [command[-1] for command in seen] == ["1", "5"]
    for command in seen:
        assert {"--cache-control=none", "--profile-from-start=off"} <= set(command)
