"""Triton's kernels without a GPU: interpreted in a process of its own, and compiled ahead for one that is not here."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
NO_TRITON = "triton is not installed: pip install 'triton>=3.5'"
EVERY = bool(os.environ.get("EVERY_COMPILE"))
"""Compile every case, and interpret twenty shapes of each cell; without it, as few as tell that the kernels work."""
CAPABILITIES = (80, 90, 100)


def chosen(cases, few):
    """(case, capability) of the compiled ones: all by all; without EVERY the first `few`, and the rest of none."""
    return [(case, one) for case in (cases if EVERY else cases[:few]) for one in CAPABILITIES]


POINTERS = {
    "float32": "*fp32",
    "bfloat16": "*bf16",
    "float16": "*fp16",
    "int8": "*i8",
    "float8": "*fp8e4nv",
    "int32": "*i32",
}


def interpreted(names, cache):
    """What `tests/kernels/interpreted.py` tells of the kernels of these names."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.kernels.interpreted", *names.split()],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def interpreting(names):
    """A fixture of a module's tests: what the interpreter computed, asked once."""

    @pytest.fixture(scope="module")
    def answers(tmp_path_factory):
        return interpreted(names, tmp_path_factory.mktemp("triton"))

    return answers


class Taken(NamedTuple):
    """Registers of a thread, bytes of its stack (where registers spill to), bytes of shared memory of a program.

    And its code, for any GPU and for this one.
    """

    registers: int
    spilled: int
    shared: int
    ptx: str
    sass: str


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
    said, sass = (
        subprocess.run(
            [tool, what, cubin], capture_output=True, text=True, check=True, timeout=60
        ).stdout
        for what in ("-res-usage", "-sass")
    )
    registers, stack, local = (
        int(re.search(rf"{word}:(\d+)", said)[1]) for word in ("REG", "STACK", "LOCAL")
    )
    return Taken(registers, stack + local, done.metadata.shared, done.asm["ptx"], sass)
