"""The machine code of every variant of a memory probe, for processors that are here and that are not."""

from __future__ import annotations

import platform
import re

import pytest
from llvmlite import binding, ir

from bench.roofs import _vector

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="llvmlite compiles for its own kind alone"
)
REGISTERS = {
    "haswell": (16, 32),
    "skylake-avx512": (32, 64),
    "sapphirerapids": (32, 64),
    "znver4": (32, 64),
    "znver5": (32, 64),
}
"""Processors by the names that LLVM has for them: how many vector registers, of how many bytes."""
TRIPLE = "x86_64-unknown-linux-gnu"
LOADS = {_vector.READ: 1, _vector.WRITE: 0, _vector.COPY: 1, _vector.TRIAD: 2}
every = pytest.mark.parametrize(
    ("kind", "variant"),
    [
        pytest.param(kind, variant, id=f"{kind} {variant.name}")
        for kind, variants in _vector.VARIANTS.items()
        for variant in variants
    ],
)


def code(kind, variant, processor):
    """Assembly of the variant's function, optimised as numba does."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module()
    module.triple = TRIPLE
    _vector.function(module, kind, variant).linkage = "external"
    parsed = binding.parse_assembly(str(module))
    machine = binding.Target.from_triple(TRIPLE).create_target_machine(cpu=processor, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(parsed, passes)
    return machine.emit_assembly(parsed)


def inner_loop(assembly):
    """The instructions of the shortest stretch from a label to a jump back to it."""
    lines = [line.strip() for line in assembly.splitlines()]
    labels = {line[:-1]: number for number, line in enumerate(lines) if line.startswith(".LBB")}
    jumps = (re.match(r"j\w+\s+(\.LBB\w+)", line) for line in lines)
    back = [(labels[jump[1]], end) for end, jump in enumerate(jumps)
            if jump and labels.get(jump[1], end) < end]  # fmt: skip
    start, end = min(back, key=lambda one: one[1] - one[0])
    return [line for line in lines[start + 1 : end + 1] if line and not line.startswith(".")]


@every
@pytest.mark.parametrize("processor", REGISTERS)
def test_a_turn_is_as_many_loads_and_stores_as_the_variant_says_and_next_to_nothing_else(
    kind, variant, processor
):
    """Of its width, or of the register's: no copies of it, no narrower ones, no address computed for any of them."""
    if variant.how == _vector.LIBRARY:
        assert {"write": "memset", "copy": "memcpy"}[kind] in code(kind, variant, processor)
        return
    registers, most = REGISTERS[processor]
    width = min(4 * variant.width, most)
    pieces = variant.chunk_bytes // width
    if kind == _vector.READ and pieces > registers:
        return  # more accumulators than registers: not for this processor, and another one will be the best
    loop = inner_loop(code(kind, variant, processor))
    register = {32: "ymm", 64: "zmm"}[width]
    stores = [line for line in loop if re.search(r"%[xyz]mm\d+, [^%]*\(", line)]
    loads = [line for line in loop if re.search(r"\), ?%[xyz]mm|\), %[xyz]mm\d+, ", line)]
    assert len(stores) == (0 if kind == _vector.READ else pieces)
    assert len(loads) == LOADS[kind] * pieces
    assert all(f"%{register}" in line for line in stores + loads)
    around = variant.how == _vector.AROUND
    assert all(line.startswith("vmovnt") == around for line in stores)
    prefetches = [line for line in loop if line.startswith("prefetch")]
    assert len(prefetches) == (variant.chunk_bytes // 64 if variant.ahead else 0)
    sums = pieces if kind == _vector.TRIAD and "vfmadd" not in " ".join(loop) else 0
    others = len(loop) - len(set(stores + loads + prefetches)) - sums
    assert others <= 4 + variant.streams  # a counter, a place or two, a comparison and a jump
