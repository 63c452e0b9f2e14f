"""Products and digits as LLVM vectors, against numpy in float64 and in whole numbers."""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import pytest
from llvmlite import binding, ir
from numba import types

from kernels.vector import gates, llvm
from kernels.vector.llvm import DEPTH, LANES, LARGEST_DIGITS
from tests.kernels.memory import Guarded, untouched

PORTABLE = sorted(DEPTH.keys() - llvm.NEEDS.keys())
TILES = [
    # vectors, sequences, streams, gates, bytes ahead, turns
    (1, 1, 1, 1, 0, 1),
    (4, 1, 2, 4, 0, 7),
    (2, 3, 1, 4, 8192, 5),
    (1, 9, 1, 3, 64, 11),
    (3, 2, 3, 3, 1 << 20, 2),
]


@pytest.fixture(params=DEPTH)
def kind(request):
    if not llvm.runs(request.param):
        pytest.skip(f"this processor has no {llvm.NEEDS[request.param]}")
    return request.param


@cache
def compiled_products(kind, N, B, S, G, ahead):
    @numba.njit
    def run(weights, apart, inputs, turns, sums):
        llvm.products(weights, apart, inputs, turns, sums, kind, N, B, S, G, ahead)

    return run


@numba.njit
def split(floats, count, per_unit, target, apart):
    return llvm.split(floats, count, per_unit, target, apart)


def bfloat16(numbers):
    """The upper halves of these floats, and the numbers that they are."""
    halves = (numbers.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return halves, (halves.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def drawn(kind, chance, weights_shape, inputs_shape):
    """Weights and inputs as the kind keeps them, and the numbers they stand for."""
    numbers = chance.uniform(-1, 1, weights_shape).astype(np.float32)
    given = chance.uniform(-1, 1, inputs_shape).astype(np.float32)
    if kind.startswith("int8"):
        weights = chance.integers(-128, 128, weights_shape).astype(np.int8)
        if kind == "int8 digits":
            digits = chance.integers(-128, 128, inputs_shape).astype(np.int8)
            return weights, weights.astype(np.int64) + 128, digits, digits.astype(np.int64)
        return weights, weights.astype(np.float64), given, given.astype(np.float64)
    if kind.startswith("bfloat16"):
        pair = bfloat16(numbers)
        if kind == "bfloat16 pairs":
            return *pair, *bfloat16(given)
        return *pair, given, given.astype(np.float64)
    return numbers, numbers.astype(np.float64), given, given.astype(np.float64)


@pytest.mark.parametrize(("N", "B", "S", "G", "ahead", "turns"), TILES)
def test_products_are_those_of_numpy_and_nothing_else_is_stored(kind, N, B, S, G, ahead, turns):
    chance = np.random.default_rng(turns)
    digits, depth, unused = (2 if kind == "int8 digits" else 1), DEPTH[kind], 64
    rows = N * LANES
    weights, w, inputs, x = drawn(kind, chance, (S, turns, rows, depth), (turns, B, digits, depth))
    tile_bytes = weights[0].nbytes
    packed = Guarded(S * (tile_bytes + unused))
    for s in range(S):
        start = s * (tile_bytes + unused)
        packed.bytes[start : start + tile_bytes] = weights[s].reshape(-1).view(np.uint8)
    given, sums = Guarded.of(inputs), Guarded(S * B * digits * G * LANES * 4)
    run = compiled_products(kind, N, B, S, G, ahead)
    run(packed.address, np.uintp(tile_bytes + unused), given.address, np.uintp(turns), sums.address)
    exact = np.einsum("stnk,tbdk->sbdn", w, x).reshape(S, B, digits, N, LANES)
    dtype = np.int32 if kind == "int8 digits" else np.float32
    found = sums.as_(dtype, S, B, digits, G, LANES)
    if kind == "int8 digits":
        assert np.array_equal(found[..., :N, :], exact)
    else:
        size = np.einsum("stnk,tbdk->sbdn", abs(w), abs(x)).reshape(exact.shape)
        assert (abs(found[..., :N, :] - exact) <= 2.0**-23 * turns * depth * size).all()
    assert untouched(found[..., N:, :])
    assert sums.guards_hold()


def test_sums_of_digits_are_exact_up_to_as_many_terms_as_are_allowed():
    """Largest weights with largest digits: the sums wrap round, and less 128 times the digits they are right again."""
    kind, turns = "int8 digits", llvm.MOST_DIGIT_TERMS // 4
    if not llvm.runs(kind):
        pytest.skip(f"this processor has no {llvm.NEEDS[kind]}")
    weights = Guarded.of(np.full((turns, LANES, 4), -128, np.int8))
    digits = Guarded.of(np.tile(np.int8([[-128] * 4, [127] * 4]), (turns, 1, 1, 1)))
    sums = Guarded(2 * 64)
    compiled_products(kind, 1, 1, 1, 1, 0)(
        weights.address, np.uintp(0), digits.address, np.uintp(turns), sums.address
    )
    excess = 4 * turns * 128 * np.int64([-128, 127])
    found = sums.as_(np.int32, 2, LANES) - excess.astype(np.int32)[:, None]
    right = 4 * turns * -128 * np.int64([-128, 127])
    assert np.array_equal(found, np.tile(right[:, None], LANES))


def digits_of(floats, per_unit, apart=24):
    """Whole numbers that the digits stand for, by group of 4; both sums; and the memory."""
    target = Guarded(4 * apart)
    source = Guarded.of(np.float32(floats))
    sums = split(source.address, len(floats), np.float32(per_unit), target.address, np.uintp(apart))
    groups = target.as_(np.int8, 4, apart)[:, :8].reshape(4, 2, 4).astype(np.int64)
    assert target.guards_hold()
    assert untouched(target.as_(np.uint8, 4, apart)[:, 8:])
    return groups[:, 0] * 256 + groups[:, 1], groups, sums


@pytest.mark.parametrize("count", range(1, LANES + 1))
def test_digits_make_up_the_rounded_value_and_the_filling_is_zero(count):
    floats = np.random.default_rng(count).uniform(-1, 1, count).astype(np.float32)
    per_unit = np.float32(LARGEST_DIGITS / abs(floats).max())
    whole, groups, sums = digits_of(floats, per_unit)
    used = -(-count // 4)
    right = np.zeros(4 * used, np.int64)
    right[:count] = np.rint(floats * per_unit)
    assert np.array_equal(whole[:used].reshape(-1), right)
    assert sums == (groups[:used, 0].sum(), groups[:used, 1].sum())
    assert untouched(groups[used:].astype(np.int8))


def test_digits_round_to_even_and_reach_the_largest_value_of_either_sign():
    whole, groups, sums = digits_of([0.5, 1.5, -0.5, -2.5, 1, -1, 0, -0.0], 1)
    assert whole[:2].tolist() == [[0, 2, 0, -2], [1, -1, 0, 0]]
    whole, groups, sums = digits_of([1, -1, 127.5 / 32512, 128 / 32512], LARGEST_DIGITS)
    assert whole[0].tolist() == [LARGEST_DIGITS, -LARGEST_DIGITS, 128, 128]
    assert groups[0].tolist() == [[127, -127, 1, 1], [0, 0, -128, -128]]
    assert sums == (2, -256)


def test_zeros_have_zero_digits():
    whole, _groups, sums = digits_of([0] * 16, 0)
    assert not whole.any()
    assert sums == (0, 0)


def test_what_is_not_finite_has_digits_all_the_same():
    """Its worth says that it is none (see vector_step)."""
    whole, _groups, sums = digits_of([np.nan, np.inf, -np.inf, 1], 0)
    assert whole[0].tolist() == [0, 0, 0, 0]
    assert sums == (0, 0)


def emitted(intrinsic, *arguments):
    """LLVM's words for one call of an intrinsic with these types of arguments, before anything is optimised."""
    signature, generate = intrinsic._defn(None, *arguments)
    word = {types.float32: ir.FloatType()}
    kinds = [word.get(t, ir.IntType(64)) for t in signature.args if not hasattr(t, "literal_value")]
    module = ir.Module()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), kinds), "one")
    builder = ir.IRBuilder(function.append_basic_block())
    generate(Tuples, builder, signature, list(function.args))
    builder.ret_void()
    return str(module)


class Tuples:
    """As much of numba's context as `split` asks for; its sums are read, lest they be left out."""

    @staticmethod
    def make_tuple(builder, _kind, values):
        for value in values:
            slot = builder.inttoptr(builder.function.args[0], value.type.as_pointer())
            builder.store(value, slot)


def assembled(words, triple, cpu):
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    try:
        target = binding.Target.from_triple(triple)
    except RuntimeError as error:
        pytest.skip(f"this llvmlite is built without it: {error}")
    module = binding.parse_assembly(words)
    module.triple = triple
    module.verify()
    return target.create_target_machine(cpu=cpu, opt=3).emit_assembly(module)


def literals(*values):
    return tuple(types.literal(value) for value in values)


@pytest.mark.parametrize("kind", PORTABLE)
def test_products_that_run_everywhere_compile_for_arm(kind):
    words = emitted(llvm.products, *(types.uintp,) * 5, *literals(kind, 4, 1, 1, 4, 8192))
    assert "x86" not in words
    assembly = assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
    assert "fmla\tv" in assembly
    assert "prfm\tpldl2keep" in assembly


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize(
    ("kind", "activations"), [("float32", "float32"), ("bfloat16", "bfloat16"), ("int8", "float32")]
)
def test_gates_compile_for_arm(cell, kind, activations):
    words = emitted(gates.gates, *(types.uintp,) * 10, *literals(cell, kind, activations))
    assert "x86" not in words
    assert "fmla\tv" in assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")


def test_digits_compile_for_arm():
    words = emitted(llvm.split, types.uintp, types.int64, types.float32, types.uintp, types.uintp)
    assert "x86" not in words
    assert "frintx\tv" in assembled(words, "aarch64-unknown-linux-gnu", "neoverse-n1")
