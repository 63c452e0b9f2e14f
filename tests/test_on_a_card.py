"""What must be shown on an H200, and its figures: `python -m pytest -m gpu -s`. Not run on a card yet.

On another card the figures are printed and held to nothing but being possible.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.profile import roof_times, stats
from bench.profile.suite import Planned, Suite
from bench.session import lock
from bench.session.run import Run
from kernels import implementations
from kernels.case import CELLS, Case
from kernels.reference import check
from kernels.reference.inputs import Arena, draw, set_bytes
from reports.analysis.analysis import Analysis
from reports.page import build
from reports.tables import sequences

pytestmark = pytest.mark.gpu

SETTINGS = {
    "precision": 0.02,
    "budget_seconds": 1.0,
    "curve_seconds": 2.5,
    "longest_call_seconds": 2.0,
}
BFLOAT16 = {"dtype": "bfloat16", "activations": "bfloat16", "device": "cuda", "threads": 0}
STEP = Case("lstm", 4096, 4096, 1, residency="streamed", **BFLOAT16)
SEQUENCE = Case("lstm", 1024, 1024, 1, steps=256, **BFLOAT16)
PLANNED = (
    Planned(STEP, "triton_fused"),
    Planned(STEP, "cuda_graph"),
    Planned(replace(STEP, batch=8), "triton_fused"),
    Planned(SEQUENCE, "triton_persistent"),
    Planned(SEQUENCE, "cudnn_sequence"),
    Planned(replace(SEQUENCE, hidden=768, input=768, batch=16), "cudnn_sequence"),
)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """The points that must be shown, measured by a run; its folder holds the report."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    folder = tmp_path_factory.mktemp("card")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "PATH", folder / "lock")
        run = Run(Suite("card", "", SETTINGS, PLANNED), 0, folder / "run")
        run.begin()
        for one in PLANNED:
            run.measure(one)
        made = run.finish(PLANNED)
    print(f"report: {build.build(Analysis(made), folder / 'report').page}")  # noqa: T201
    return made


def measured(profile, number):
    """A point, its median time in seconds, and its median share of the roof beside it."""
    key = PLANNED[number].key
    (point,) = (point for point in profile.points if point.key == key)
    assert point.status == "ok", point.reason
    roofs = Analysis(profile).roofs
    written = point.bytes["written"] / roofs.write_roof("cuda", 0, point.bytes["written"])
    share = stats.median(roof_times.roof_fractions(point, written))
    seconds = stats.median(point.seconds)
    print(f"{key}: {seconds * 1e6:.2f} us, {share:.1%} of its roof, {point.joules} J")  # noqa: T201
    return seconds, share


def on_an_h200(profile):
    return "H200" in (profile.machine["gpus"][0]["name"] or "")


def test_the_roofs_of_memory_cache_and_products(profile):
    roofs = Analysis(profile).roofs
    l2, *_, memory = (level.bytes_per_s for level in roofs.levels("cuda"))
    products = roofs.arithmetic_roof("cuda", 0, "bfloat16")
    print(f"memory {memory:.3g} byte/s, L2 {l2:.3g} byte/s, bfloat16 {products:.3g} FLOP/s")  # noqa: T201
    if on_an_h200(profile):
        assert 4.3e12 <= memory <= 4.92e12
        assert l2 >= 2 * memory
        assert products >= 750e12


@pytest.mark.parametrize(("number", "least"), [(0, 0.90), (2, 0.85)])
def test_the_fused_step_reaches_its_roof(profile, number, least):
    _, share = measured(profile, number)
    assert share <= 1.03
    if on_an_h200(profile):
        assert share >= least


def test_the_fused_step_is_faster_than_pytorchs_cell_in_a_graph(profile):
    ours, _ = measured(profile, 0)
    theirs, _ = measured(profile, 1)
    if on_an_h200(profile):
        assert theirs >= 1.2 * ours


def test_a_step_with_weights_on_chip_goes_past_the_streaming_roof(profile):
    ours, share = measured(profile, 3)
    measured(profile, 4)
    measured(profile, 5)
    assert share <= 1.03
    table = sequences.persistent(Analysis(profile))
    rows = [dict(zip(table.header, line, strict=True)) for line in table.rows]
    (row,) = (one for one in rows if one["implementation"].text == "triton_persistent")
    print({name: cell.text for name, cell in row.items()})  # noqa: T201
    if on_an_h200(profile):
        assert ours <= 2.0e-6


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "name", ["triton_fused", "triton_persistent", "cudnn_sequence", "torch_compile"]
)
def test_a_small_case_of_each_kernel_is_right(card, name, cell):
    """Small enough for compute-sanitizer."""
    import torch

    implementation = implementations.load(name)
    steps = 5 if "sequence" in name or "persistent" in name else 1
    case = Case(cell, 40, 24, 3, steps=steps, **BFLOAT16)
    if reason := implementation.unavailable(case):
        pytest.skip(reason)
    layout = implementation.layout(case)
    sets = Arena(2 * set_bytes(layout, case.dtype), card, 0).sets(layout, case.dtype, 2)
    inputs = draw(case, torch.Generator(device=card).manual_seed(0))
    with torch.inference_mode():
        step = implementation.prepare(case, sets, inputs)(1, 2)
        for _ in range(2):
            answer = step()
            weights = implementation.canonical(case, sets[1])
            expected, _ = check.expected(case, inputs[2], weights, tuple)
            assert check.error(case, answer, expected) <= check.tolerance(case)
            check.poison(answer)
