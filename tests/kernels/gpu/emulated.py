"""kernels/gpu/in_registers.cu on a CPU: built by g++ for one case, with `emulated.h` in the GPU's place."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import torch

from kernels.gpu import in_registers

HERE = Path(__file__).parent
SOURCE = Path(in_registers.__file__).with_name(in_registers.SOURCE)
ENTRY = """
extern "C" void run(int blocks, int shared_floats, unsigned seed, int delay, void **p, int T, unsigned wait) {
  emulator::launch(blocks, WARPS * 32, shared_floats, seed, delay, [=] {
    sequence((u16 *)p[0], (u16 *)p[1], (u16 *)p[2], (u16 *)p[3], (u16 *)p[4], (u16 *)p[5], (u16 *)p[6], (u16 *)p[7],
             (u32 *)p[8], (u32 *)p[9], T, wait);
  });
}
"""


def built(folder, case, how, changes=(), **more):
    """The library of a case. `changes` are pairs of a text of the source and what stands there instead."""
    words = in_registers.defines(case, how, **more)
    text = SOURCE.read_text(encoding="utf-8")
    shared = (
        "extern __shared__ float sums[];",
        "float *const sums = emulator::current->of->shared.data();",
    )
    for old, new in (shared, *changes):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    half = dict(words)["HALF"]
    given = "".join(f"#define {word} {value}\n" for word, value in words if word != "HALF")
    shim = (HERE / "emulated.h").read_text(encoding="utf-8")
    file = folder / "kernel.cc"
    file.write_text(f"#define HALF {half}\n{shim}\n{given}\n{text}\n{ENTRY}", encoding="utf-8")
    library = folder / "kernel.so"
    command = ["g++", "-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-o", library, file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


class Emulated:
    """Calls that follow one another in one memory of exchanged states."""

    def __init__(self, folder, case, how, changes=(), **more):
        self.case, self.how = case, how
        self.library = built(folder, case, how, changes, **more)
        self.exchange = torch.zeros(how.exchange_words(case), dtype=torch.int32)
        self.faults = torch.zeros(2, dtype=torch.int32)

    def call(self, weights, from_x, h, c, seed, delay=200):
        """out (T, B, H) and c' (B, H) of one call."""
        case, how = self.case, self.how
        out = torch.full((case.steps, case.batch, case.hidden), float("nan"), dtype=h.dtype)
        c_new = torch.full_like(h, float("nan"))
        tensors = (
            weights.U,
            weights.b_w,
            weights.b_u,
            from_x,
            h,
            c,
            out,
            c_new,
            self.exchange,
            self.faults,
        )
        assert all(tensor.is_contiguous() for tensor in tensors)
        addresses = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
        floats = how.shared_bytes(case) // 4
        self.library.run(
            how.blocks(case.hidden), floats, seed, delay, addresses, case.steps, seed % 3
        )
        return out, c_new
