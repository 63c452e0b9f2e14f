"""The roofline model on numbers that are easily checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

from kernels import roofline_model as model
from kernels.case import ARITHMETIC

some_seconds = st.floats(1e-9, 1e3)
share = st.floats(0, 1)


rate = st.floats(1e8, 1e12)


@given(st.integers(1, 1 << 32), st.integers(1, 1 << 32), rate, rate, st.floats(0.1, 1.5))
def test_bytes_take_the_least_time_that_passes_of_the_three_probes_can_move_them_in(
    read, written, read_roof, write_roof, more
):
    """By linear programming, over seconds of reading, of writing and of a triad.

    A triad that reads or writes faster than what does that alone would tell that a roof is too low.
    """
    triad_roof = min(more * read_roof, 3 * write_roof)
    reads = [read_roof, 0.0, 2 / 3 * triad_roof]
    writes = [0.0, write_roof, triad_roof / 3]
    found = linprog(
        np.ones(3),
        A_ub=-np.array([np.divide(reads, read), np.divide(writes, written)]),
        b_ub=-np.ones(2),
    )
    moved = read / read_roof + model.writing(read, written, read_roof, write_roof, triad_roof)
    assert moved == pytest.approx(found.fun, rel=1e-6)


@given(st.integers(1, 1 << 32), st.integers(0, 1 << 32), rate, rate, rate)
def test_writing_costs_no_more_than_alone_and_never_less_than_nothing(
    read, written, read_roof, write_roof, triad_roof
):
    found = model.writing(read, written, read_roof, write_roof, triad_roof)
    assert 0.0 <= found <= written / write_roof
    assert model.writing(read, written, read_roof, write_roof, None) == written / write_roof


def test_bytes_and_products_overlap_and_reading_and_writing_do_not():
    assert model.limit(reading=3.0, writing=1.0, products=2.0) == 4.0
    assert model.limit(reading=3.0, writing=1.0, products=7.0) == 7.0


def test_the_stages_of_a_hoisted_sequence_follow_one_another():
    """First 1 s of bytes and 6 of products, then 4 of bytes and 2 of products: 6 and 4."""
    staged = model.stages(4.0, 1.0, 8.0, (0.25, 0.75))
    assert staged == ((1.0, 6.0), (4.0, 2.0))
    assert model.limit(4.0, 1.0, 8.0, (0.25, 0.75)) == 10.0
    assert model.balance(staged) == 6.0


@given(some_seconds, some_seconds, some_seconds, share, share)
def test_stages_share_out_all_that_there_is_and_take_no_less_than_it_together(
    reading, writing, products, of_reading, of_products
):
    staged = model.stages(reading, writing, products, (of_reading, of_products))
    t_bytes, t_flops = (sum(times) for times in zip(*staged, strict=True))
    assert t_bytes == pytest.approx(reading + writing)
    assert t_flops == pytest.approx(products)
    together = model.limit(reading, writing, products)
    apart = model.limit(reading, writing, products, (of_reading, of_products))
    assert apart >= together * (1 - 1e-12)
    assert apart <= reading + writing + products


def test_the_balance_at_the_ridge_is_one():
    assert model.balance(model.stages(2.0, 0.0, 2.0, (0.0, 0.0))) == 1.0


def test_the_floor_comes_on_top_of_the_limit():
    assert model.fraction(3.0, 6.0) == 0.5
    assert model.explained(3.0, 1.5, 6.0) == 0.75


@pytest.mark.parametrize(
    ("overhead", "explained", "balance", "bound"),
    [
        (model.OVERHEAD, 1.0, 2.0, model.CALL),
        (0.9, 0.1, 0.1, model.CALL),
        (0.1, model.EXPLAINED, 0.5, model.BANDWIDTH),
        (0.1, 0.74, 0.5, model.CODE),
        (0.1, 0.9, 1.5, model.COMPUTE),
        (model.BESIDE, 0.9, 1.5, model.COMPUTE),
        (0.3, 0.9, 1.5, model.COMPUTE + model.BOTH),
        (0.3, 0.9, 1.0, model.BANDWIDTH + model.BOTH),
    ],
)
def test_what_bounds_a_step(overhead, explained, balance, bound):
    assert model.bound(overhead, explained, balance) == bound


@pytest.mark.parametrize(("weights", "activations"), ARITHMETIC)
def test_products_may_be_computed_in_what_both_dtypes_widen_to(weights, activations):
    assert model.arithmetic(weights, activations) == ARITHMETIC[weights, activations]


def test_a_pair_without_an_entry_has_its_weights_roof_and_activations_may_be_left_out():
    assert model.arithmetic("float64", "float64") == ("float64",)
    assert model.arithmetic("int8") == ARITHMETIC["int8", "float32"]
    assert model.arithmetic("float16") == ("float16", "float32")
    assert model.arithmetic("float8") == ARITHMETIC["float8", "bfloat16"]


def test_every_product_is_in_a_dtype_that_holds_weights_and_activations_exactly():
    """Bits of the fraction and of the exponent; terms of a split and int8's limbs stand for what they add up to."""
    holds = {
        "float32": (23, 8),
        "tf32x3": (23, 8),
        "bfloat16x3": (23, 8),
        "bfloat16x2": (15, 8),
        "bfloat16": (7, 8),
        "float16": (10, 5),
        "float8": (3, 4),
        "int8": (15, 8),
    }
    needs = holds | {"int8": (7, 0)}
    for (weights, activations), products in ARITHMETIC.items():
        limbs = weights == "int8"
        for product in products:
            for operand in (weights,) if limbs else (weights, activations):
                assert all(a >= b for a, b in zip(holds[product], needs[operand], strict=True))


def test_the_nearest_size_of_a_curve_is_nearest_in_ratio():
    curve = [(1 << 10, 100.0), (1 << 20, 10.0)]
    assert model.nearest(curve, (1 << 15) - 1) == 100.0
    assert model.nearest(curve, (1 << 15) + 1) == 10.0
    assert model.nearest(curve, 0) is None
    assert model.nearest([], 1 << 10) is None
