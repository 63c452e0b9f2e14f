"""The memory probes of a GPU: interpreted, each answer exact; compiled ahead of time."""

from __future__ import annotations

import pytest

from tests.kernels import ahead

pytest.importorskip("triton", reason=ahead.NO_TRITON)
from bench import roofs
from bench.roofs import _triton
from bench.roofs._triton import Variant

KINDS = tuple(_triton.STREAMS)
ENDS = (_triton.VARIANTS[0], _triton.VARIANTS[-1])
CASES = [(kind, variant) for kind in KINDS for variant in ENDS]


answers = ahead.interpreting("roofs")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_interpreted_it_reads_and_writes_every_word_of_its_tiles_and_no_other(answers, kind):
    found = [one for one in answers if one["kernel"] == kind]
    assert {(one["tile"], one["passes"]) for one in found} == {
        (64, 1), (64, 3), (1024, 1), (1024, 3),
    }  # fmt: skip
    assert all(one["right"] for one in found)
    assert all(
        10_007 - one["tile"] * one["streams"] < one["words"] * one["streams"] for one in found
    )


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_those_of_whole_tiles_of_every_stream(kind):
    variant = Variant(1024, 8, 4)
    streams = _triton.STREAMS[kind]
    assert _triton.bytes_per_pass(kind, variant, 4 * 1024 * streams) == 4096 * streams
    assert _triton.bytes_per_pass(kind, variant, 4 * 1024 * streams - 1) == 0
    assert _triton.bytes_per_pass(kind, variant, 8 << 30) <= 8 << 30


def test_one_compiled_kernel_serves_any_number_of_passes():
    (passes,) = (p for p in _triton.walk.params if p.name == "passes")
    assert passes.do_not_specialize


def test_every_kind_is_a_probe_that_a_gpus_sweep_runs_and_writing_comes_last():
    (read,) = roofs.probes("cuda", roofs.CURVE)
    others = [probe.KIND for probe in roofs.probes("cuda", roofs.LEVELS)]
    assert (read.KIND, others) == ("read", ["copy", "triad", "write"])
    assert {read.KIND, *others} == set(KINDS)


def test_a_block_too_small_for_a_tile_is_refused():
    import torch

    with pytest.raises(ValueError, match="too few for the read probe's variant 1024x8x4"):
        _triton.prepare("read", Variant(1024, 8, 4), torch.zeros(1000, dtype=torch.int32), 1)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(CASES, 1))
def test_compiled_ahead_it_moves_16_bytes_at_once_past_the_first_level(
    case, capability, tmp_path, monkeypatch
):
    kind, variant = case
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    word = "int32" if kind in ("read", "copy") else "float32"
    arguments = {"words": word, "sums": "int32", "count": 1 << 20, "passes": 3, "scale": 3}
    taken = ahead.compiled(
        _triton.walk,
        arguments,
        {"TILE": variant.tile, "KIND": kind},
        capability,
        tmp_path,
        num_warps=variant.warps,
        **_triton.OPTIONS,
    )
    assert taken.spilled == 0
    if kind != "write":
        assert "ld.global.cg.v4" in taken.ptx
    if kind != "read":
        assert "st.global.cg.v4" in taken.ptx
    per_processor = variant.programs * variant.warps * 32
    assert taken.registers * per_processor <= 65536


@pytest.mark.gpu
@pytest.mark.parametrize("kind", KINDS)
def test_on_a_card_it_sums_and_copies_right(card, kind):
    import torch

    block = torch.randint(-(2**31), 2**31, ((64 << 20) + 7,), dtype=torch.int32, device=card)
    before = block.clone()
    variant = _triton.VARIANTS[1]
    run, sums = _triton.prepare(kind, variant, block, 132)
    run(3)
    n = _triton.words_each(kind, variant, block.numel() * 4)
    assert torch.equal(block[n * _triton.STREAMS[kind] :], before[n * _triton.STREAMS[kind] :])
    if kind == "read":
        assert torch.equal(block, before)
        wanted = 3 * int(before[:n].sum(dtype=torch.int64))
        assert (int(sums.sum(dtype=torch.int64)) - wanted) % 2**32 == 0
    elif kind == "copy":
        assert torch.equal(block[n : 2 * n], before[:n])
