"""Compile a Triton kernel for a GPU that is not here, and read off what it takes of one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

POINTERS = {"float32": "*fp32", "bfloat16": "*bf16", "int8": "*i8", "int32": "*i32"}


class Taken(NamedTuple):
    """Registers of a thread, bytes of its stack (where registers spill to), bytes of shared memory of a program."""

    registers: int
    spilled: int
    shared: int
    ptx: str


def compiled(kernel, arguments, constants, capability, tmp_path, **options):
    """What `kernel` takes on a GPU of that compute capability (80, 90, 100).

    `arguments` name dtypes of tensors, or are whole numbers; these and addresses are multiples of 16, but for 1.
    """
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, fixed, multiples = {}, dict(constants), {}
    for position, name in enumerate(kernel.arg_names):
        given = arguments.get(name)
        if given is None or given == 1:
            types[name] = "constexpr"
            fixed.setdefault(name, given)
            continue
        types[name] = POINTERS.get(given, "i32")
        if not isinstance(given, int) or given % 16 == 0:
            multiples[(position,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, types, fixed, multiples)
    done = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    cubin = tmp_path / "kernel.cubin"
    cubin.write_bytes(done.asm["cubin"])
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    said = subprocess.run(
        [tool, "-res-usage", cubin], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    registers, stack, local = (
        int(re.search(rf"{word}:(\d+)", said)[1]) for word in ("REG", "STACK", "LOCAL")
    )
    return Taken(registers, stack + local, done.metadata.shared, done.asm["ptx"])
