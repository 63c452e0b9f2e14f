"""What intrinsics emit: LLVM's words, and the assembly that becomes of them on a machine that is not here."""

from __future__ import annotations

import pytest
from llvmlite import binding, ir
from numba import types


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
