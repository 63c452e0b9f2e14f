"""The arena's weights are random, repeatable, normal numbers in every dtype; inputs change in place."""

from __future__ import annotations

from itertools import chain, pairwise

import numpy as np
import pytest
import torch

from kernels.case import CELLS, PARTS, Case, Unavailable
from kernels.reference import inputs
from kernels.reference.inputs import Arena, draw, redraw, set_bytes

MIB = 1 << 20
LAYOUT = ((12, 5), (12, 3), (12,), (1,))


@pytest.fixture(scope="module")
def arena():
    return Arena(MIB, "cpu", seed=7)


def whole(arena, dtype):
    return arena.sets(((arena.size_bytes // inputs.ELEMENT_BYTES[dtype],),), dtype, 1)[0][0]


def test_the_same_seed_gives_the_same_bits(arena):
    same, other = Arena(MIB, "cpu", seed=7), Arena(MIB, "cpu", seed=8)
    assert torch.equal(*(whole(a, "float32").view(torch.int32) for a in (arena, same)))
    differ = whole(arena, "float32").view(torch.int32) != whole(other, "float32").view(torch.int32)
    assert differ.float().mean() > 0.99


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_every_word_is_a_finite_normal_number_of_magnitude_a_64th(arena, dtype):
    values = whole(arena, dtype).to(torch.float64)
    assert values.numel() * inputs.ELEMENT_BYTES[dtype] == MIB
    assert torch.isfinite(values).all()
    assert values.abs().min() >= 2**-7
    assert values.abs().max() < 2**-5


def test_all_nine_free_bits_of_a_bfloat16_take_every_value_about_equally_often(arena):
    patterns, counts = np.unique(
        whole(arena, "bfloat16").view(torch.int16).numpy(), return_counts=True
    )
    assert len(patterns) == 2**9
    assert counts.min() > 0.75 * counts.mean()
    assert counts.max() < 1.25 * counts.mean()


def test_all_twelve_free_bits_of_a_float16_take_every_value(arena):
    patterns, counts = np.unique(
        whole(arena, "float16").view(torch.int16).numpy(), return_counts=True
    )
    assert len(patterns) == 2**12
    assert counts.min() > 0.4 * counts.mean()
    assert counts.max() < 2 * counts.mean()


def test_every_byte_is_a_float8_of_order_one_and_half_of_them_take_every_such_value(arena):
    """No NaN, which 0x7f and 0xff are, and none so large that it would be all of a sum."""
    values = whole(arena, "float8").double()
    assert torch.isfinite(values).all()
    assert set(values[1::2].tolist()) == {1.5, -1.5}
    assert values.abs().max() == 1.875
    assert 1 < values.square().mean().sqrt() < 1.3
    patterns, counts = np.unique(
        whole(arena, "float8")[0::2].view(torch.uint8).numpy(), return_counts=True
    )
    assert len(patterns) == 2**7
    assert counts.min() > 0.75 * counts.mean()


def test_scales_and_biases_beside_float8_are_of_the_magnitude_of_other_weights(arena):
    words = whole(arena, "float8").view(torch.float32).double()
    assert words.abs().min() >= 2**-7
    assert words.abs().max() < 2**-5


@pytest.mark.parametrize("dtype", ["float16", "float8"])
def test_weights_with_bits_of_their_own_leave_the_others_as_they_were(arena, dtype):
    before = whole(arena, "float32").view(torch.int32).clone()
    was = arena.digest(MIB)
    own = whole(arena, dtype).view(torch.int8).clone()
    spoiled = arena.digest(MIB)
    assert spoiled != was
    assert torch.equal(whole(arena, dtype).view(torch.int8), own)
    assert arena.digest(MIB) == spoiled
    arena.refill()
    assert arena.digest(MIB) == was
    assert torch.equal(whole(arena, dtype).view(torch.int8), own)
    assert torch.equal(whole(arena, "bfloat16").view(torch.int32), before)


@pytest.mark.parametrize("dtype", ["float16", "float8"])
def test_an_arena_that_grows_goes_on_with_the_bits_of_its_weights(monkeypatch, dtype):
    monkeypatch.setattr(inputs, "CHUNK_WORDS", 1 << 16)
    grown, made = Arena(MIB, "cpu", 7, most_bytes=2 * MIB), Arena(2 * MIB, "cpu", 7)
    whole(grown, dtype)
    grown.grow(2 * MIB)
    assert torch.equal(*(whole(one, dtype).view(torch.int8) for one in (grown, made)))


def test_it_starts_on_a_large_page_and_holds_what_was_asked(arena):
    assert arena.address % (2 << 20) == 0
    assert Arena(1001, "cpu", 0).size_bytes >= 1001


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_sets_lie_one_behind_the_other_on_cache_lines_and_do_not_overlap(arena, dtype):
    sets = arena.sets(LAYOUT, dtype, 5)
    for one in sets:
        assert [tuple(t.shape) for t in one] == list(LAYOUT)
        assert all(t.is_contiguous() and t.dtype == inputs.TORCH_DTYPES[dtype] for t in one)
    spans = [(t.data_ptr(), t.data_ptr() + t.nbytes) for t in chain.from_iterable(sets)]
    assert spans[0][0] == arena.address
    assert spans[-1][1] <= arena.address + arena.size_bytes
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start < end + 64
        assert start % 64 == 0
    starts = [one[0].data_ptr() for one in sets]
    assert {b - a for a, b in pairwise(starts)} == {set_bytes(LAYOUT, dtype)}


def test_sets_are_views_of_the_arena_not_copies(arena):
    (one,), (other,) = arena.sets(((16,),), "float32", 1)[0], arena.sets(((16,),), "float32", 1)[0]
    assert one.data_ptr() == other.data_ptr() == arena.address


def test_more_sets_than_fit_are_refused_with_both_sizes(arena):
    layout = ((MIB // 4 // 4,),)
    assert len(arena.sets(layout, "float32", 4)) == 4
    with pytest.raises(Unavailable, match=rf"need {5 * MIB // 4} bytes and the arena holds {MIB}"):
        arena.sets(layout, "float32", 5)


@pytest.mark.parametrize("steps", [(MIB,), (1001, 3 * MIB // 2, 2 * MIB), (2 * MIB, MIB)])
def test_an_arena_that_grew_holds_the_bits_of_one_made_so_large(monkeypatch, steps):
    monkeypatch.setattr(inputs, "CHUNK_WORDS", 1 << 16)
    grown = Arena(64, "cpu", 7, most_bytes=4 * MIB)
    first = grown.sets(((2,),), "float32", 1)[0][0]
    for size in steps:
        grown.grow(size)
    made = Arena(max(steps), "cpu", 7)
    assert grown.size_bytes == made.size_bytes
    assert torch.equal(*(whole(one, "float32").view(torch.int32) for one in (grown, made)))
    assert first.data_ptr() == grown.address
    chunks = whole(grown, "float32").view(torch.int32).split(2 << 16)
    assert not torch.equal(chunks[0], chunks[1])


def test_an_arena_grows_to_what_it_was_reserved_for_and_no_further():
    arena = Arena(8, "cpu", 0, most_bytes=MIB)
    arena.grow(arena.most_bytes)
    with pytest.raises(Unavailable, match=str(MIB)):
        arena.grow(arena.most_bytes + 1)


def test_what_is_reserved_takes_no_memory():
    import psutil

    before = psutil.Process().memory_info().rss
    arena = Arena(MIB, "cpu", 0, most_bytes=1 << 30)
    assert psutil.Process().memory_info().rss - before < 64 * MIB
    assert arena.size_bytes == MIB


def test_an_arena_that_memory_cannot_hold_is_unavailable():
    with pytest.raises(Unavailable, match=str(1 << 60)):
        Arena(1 << 60, "cpu", 0)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("part", PARTS)
def test_redrawing_changes_every_input_in_place(cell, part):
    case = Case(cell, hidden=7, input=5, batch=3, part=part)
    generator = torch.Generator().manual_seed(1)
    sets = draw(case, generator)
    assert len(sets) == inputs.INPUT_SETS >= 4
    used = [t for one in sets for t in one if t.numel()]
    before, addresses = [t.clone() for t in used], [t.data_ptr() for t in used]
    assert len(set(addresses)) == len(addresses)
    redraw(sets, generator)
    assert [t.data_ptr() for t in used] == addresses
    assert not any(torch.equal(a, b) for a, b in zip(before, used, strict=True))


def test_inputs_are_uniform_between_minus_one_and_one_and_repeat_with_the_seed():
    case = Case("lstm", hidden=64, input=48, batch=32)
    one, same, other = (draw(case, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert all(
        torch.equal(a, b) for s, t in zip(one, same, strict=True) for a, b in zip(s, t, strict=True)
    )
    assert not torch.equal(one[0].x, other[0].x)
    values = torch.cat([t.flatten() for s in one for t in s])
    assert values.abs().max() <= 1
    assert values.mean().abs() < 0.05
    assert values.std() == pytest.approx(3**-0.5, rel=0.05)


@pytest.mark.parametrize(
    ("cell", "part", "used"),
    [
        ("rnn", "cell", "x h"),
        ("gru", "cell", "x h"),
        ("lstm", "cell", "x h c"),
        ("rnn", "linear", "x h"),
        ("gru", "linear", "x h"),
        ("lstm", "linear", "x h"),
        ("rnn", "pointwise", "sums"),
        ("gru", "pointwise", "h sums"),
        ("lstm", "pointwise", "c sums"),
    ],
)
def test_a_part_is_given_only_what_it_reads(cell, part, used):
    drawn = draw(Case(cell, 7, 5, 3, part=part), torch.Generator().manual_seed(0))[0]
    assert [name for name, t in drawn._asdict().items() if t.numel()] == used.split()


@pytest.mark.parametrize(
    ("cell", "used"),
    [("rnn", "x h d_h_new"), ("gru", "x h d_h_new"), ("lstm", "x h c d_h_new d_c_new")],
)
def test_training_is_given_the_gradients_of_the_new_state_too(cell, used):
    drawn = draw(Case(cell, 7, 5, 3, phase="train"), torch.Generator().manual_seed(0))[0]
    assert drawn.d_h_new.shape == (3, 7)
    assert [name for name, t in drawn._asdict().items() if t.numel()] == used.split()


def test_an_answer_on_large_pages_is_zeros_that_begin_on_one():
    found = inputs.on_large_pages((3, 5, 7))
    assert found.shape == (3, 5, 7)
    assert found.dtype == torch.float32
    assert found.data_ptr() % inputs.HUGE_PAGE == 0
    assert found.is_contiguous()
    assert not found.any()
