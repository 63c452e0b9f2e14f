"""The memory probes of a GPU: interpreted, each answer exact; compiled ahead of time."""

from __future__ import annotations

import pytest

from tests.kernels import ahead, machine_code

pytest.importorskip("triton", reason=ahead.NO_TRITON)
from bench import roofs
from bench.roofs import _triton
from bench.roofs._triton import Variant

KINDS = tuple(_triton.STREAMS)
LEAST_IN_FLIGHT = 40 << 10
"""Bytes of a processor. An H200 has 4.8e12 byte/s over 132 of them and answers within 0.8 us under load: 29 KB."""
CASES = [(kind, _triton.OF_KIND[kind][end]) for end in (-1, 0) for kind in KINDS]


answers = ahead.interpreting("roofs")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_interpreted_it_reads_and_writes_every_word_of_its_groups_and_no_other(answers, kind):
    found = [one for one in answers if one["kernel"] == kind]
    assert {(one["group"], one["passes"], one["once"]) for one in found} == {
        (group, passes, once)
        for group in (128, 1024)
        for passes in (1, 3)
        for once in (False, True)
    }
    assert all(one["right"] for one in found)
    assert all(
        10_007 - one["group"] * one["streams"] < one["words"] * one["streams"] for one in found
    )


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_those_of_whole_groups_of_every_stream(kind):
    variant = Variant(2, 512, 8, 4)
    streams = _triton.STREAMS[kind]
    assert _triton.bytes_per_pass(kind, variant, 4 * 1024 * streams) == 4096 * streams
    assert _triton.bytes_per_pass(kind, variant, 4 * 1024 * streams - 1) == 0
    assert _triton.bytes_per_pass(kind, variant, 8 << 30) <= 8 << 30


def test_one_compiled_kernel_serves_any_number_of_passes_over_any_block():
    told = {one.name: one.do_not_specialize for one in _triton.walk.params}
    assert told["passes"]
    assert told["groups"]


def test_every_kind_is_a_probe_that_a_gpus_sweep_runs_and_writing_comes_last():
    (read,) = roofs.probes("cuda", roofs.CURVE)
    others = [probe.KIND for probe in roofs.probes("cuda", roofs.LEVELS)]
    assert (read.KIND, others) == ("read", ["copy", "triad", "write"])
    assert {read.KIND, *others} == set(KINDS)


def test_a_block_too_small_for_a_group_is_refused():
    import torch

    with pytest.raises(ValueError, match="too few for the read probe's variant 2x512x8x4"):
        _triton.prepare("read", Variant(2, 512, 8, 4), torch.zeros(1000, dtype=torch.int32), 1)


def compiled(kind, variant, capability, tmp_path):
    word = "int32" if kind in ("read", "copy") else "float32"
    arguments = {"words": word, "sums": "int32", "groups": 1001, "passes": 3, "scale": 3}
    return ahead.compiled(
        _triton.walk,
        arguments,
        {
            "TILES": variant.tiles,
            "WORDS": variant.words,
            "KIND": kind,
            "ONCE": variant.programs == _triton.EACH,
            "STAGES": variant.stages,
        },
        capability,
        tmp_path,
        num_warps=variant.warps,
        **_triton.OPTIONS,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("case", "capability"), ahead.chosen(CASES, 3))
def test_compiled_ahead_it_moves_16_bytes_at_once_past_the_first_level(
    case, capability, tmp_path, monkeypatch
):
    kind, variant = case
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    taken = compiled(kind, variant, capability, tmp_path)
    assert taken.spilled == 0
    if kind == "read" and variant.stages > 1:
        assert "cp.async.cg.shared.global" in taken.ptx
    elif kind != "write":
        assert "ld.global.cg.v4" in taken.ptx
    if kind != "read":
        assert "st.global.cg.v4" in taken.ptx


@pytest.mark.slow
@pytest.mark.parametrize("variant", _triton.VARIANTS, ids=lambda variant: variant.name)
def test_compiled_ahead_the_read_probe_has_enough_in_flight(variant, tmp_path, monkeypatch):
    """And all its programs are on the processors at once: what waits for a place reads alone at the end."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    taken = compiled("read", variant, 90, tmp_path)
    threads, asked = 32 * variant.warps, variant.programs
    if asked == _triton.EACH:  # as many as there is room for, and no loop
        asked = machine_code.THREADS // threads
        each = machine_code.in_flight(machine_code.instructions(taken.sass))
    else:
        each = max(loop.in_flight for loop in machine_code.loops(taken.sass))
    there = machine_code.resident(taken.registers, threads, asked, taken.shared)
    assert there == asked or variant.programs == _triton.EACH
    assert each * threads * there >= LEAST_IN_FLIGHT


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("kind", "variant"),
    [(kind, one) for kind in KINDS for one in _triton.OF_KIND[kind]],
    ids=lambda one: getattr(one, "name", one),
)
def test_on_a_card_it_sums_and_copies_right(card, kind, variant):
    import torch

    block = torch.randint(-(2**31), 2**31, ((64 << 20) + 7,), dtype=torch.int32, device=card)
    floats = block.view(torch.float32)
    if kind == "triad":
        floats.uniform_(-1, 1)
    before = block.clone()
    was = before.view(torch.float32)
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
    elif kind == "write":
        assert bool((floats[:n] == 3 + _triton.SCALE).all())
    else:
        assert torch.equal(floats[:n], was[n : 2 * n] + _triton.SCALE * was[2 * n : 3 * n])
