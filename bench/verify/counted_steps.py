"""What `bench.verify.callgrind` runs under callgrind: real steps, each job once with 1 and once with 5 of them.

    python -m bench.verify.counted_steps JOBS PROGRESS [STEPS]

JOBS is a JSON list of {"case", "implementation", "sets"}; PROGRESS gets a JSON line as each begins and ends. Callgrind
is told when to count by client requests, which do nothing where no valgrind runs: so the same program, run without,
compiles and caches what an implementation compiles. Nothing is imported while counting is on, and the interpreter's
own work per step is in both counts alike: what it leaves in the difference is four steps' of it.

With STEPS the jobs are a GPU's: so many steps run between cudaProfilerStart and Stop, for bench/verify/ncu.py.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import signal
import sys
from collections.abc import Callable
from math import lcm
from pathlib import Path
from typing import Any

import torch

from bench.timing import clock
from kernels import implementations
from kernels.case import Case, Unavailable
from kernels.reference.inputs import Arena, draw, set_bytes

FEW, MANY = 1, 5
UNREAD = 0
"""Label of a count that is not used."""
SECONDS_PER_JOB = 90
"""A job that lasts longer is ended by the system's own alarm, in the middle of whatever library code it is in."""

# x86-64, the C function `uint64 request(uint64 arguments[6])`: mov rax, rdi; xor edx, edx; valgrind's preamble, which
# rotates rdi by 128 bits in four turns; xchg rbx, rbx, which valgrind takes for a request; mov rax, rdx; ret. From
# valgrind.h, __SPECIAL_INSTRUCTION_PREAMBLE and VALGRIND_DO_CLIENT_REQUEST_EXPR.
_CODE = bytes.fromhex("4889f831d248c1c70348c1c70d48c1c73d48c1c7334887db4889d0c3")
_TOOL = (ord("C") << 24) | (ord("T") << 16)  # callgrind.h, VG_USERREQ_TOOL_BASE('C', 'T')
_ZERO, _DUMP_AT, _START, _STOP = _TOOL + 1, _TOOL + 3, _TOOL + 4, _TOOL + 5


def main(jobs: Path, progress: Path, steps: int | None = None) -> None:
    """Run every job that can be run; what an implementation refuses is noted with its reason."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    given = [(Case(**job["case"]), job["implementation"], job["sets"]) for job in _json(jobs)]
    request = _client_request()
    with progress.open("a", encoding="utf-8") as file:

        def tell(**entry: Any) -> None:
            file.write(json.dumps(entry) + "\n")
            file.flush()

        arena = Arena(_arena_bytes(given), "cpu" if steps is None else "cuda", seed=0)
        clock.quieten()
        for number, (case, name, sets) in enumerate(given):
            tell(begin=number)
            signal.alarm(SECONDS_PER_JOB)
            try:
                with torch.inference_mode(case.phase == "step"):
                    calls = _calls(arena, case, name, sets)
                    if steps is None:
                        _count(request, number, calls)
                    else:
                        _profile(calls, steps)
            except Exception as error:  # noqa: BLE001 - whatever an implementation raises is why it is not counted
                reason = str(error) or type(error).__name__
                tell(end=number, reason=reason.strip().split("\n", 1)[0][:300])
            else:
                tell(end=number, reason=None)
            signal.alarm(0)


def _count(
    request: Callable[[int, bytes], None], number: int, calls: list[Callable[[], object]]
) -> None:
    """A whole rotation first, and a count that nobody reads: so that the simulated caches hold what both leave there.

    What a first count loads for itself would else be taken off the difference, as would a collection of garbage.
    """

    def run(first: int, count: int) -> int:
        for j in range(first, first + count):
            calls[j % len(calls)]()
        return first + count

    run(0, 1)  # whatever a first call loads or compiles
    with clock.undisturbed():
        request(_START, b"")
        at = run(0, len(calls))
        for label, steps in ((UNREAD, FEW), (FEW, FEW), (MANY, MANY)):
            request(_ZERO, b"")
            at = run(at, steps)
            request(_DUMP_AT, f"{number} {label}".encode())
        request(_STOP, b"")


def _profile(calls: list[Callable[[], object]], steps: int) -> None:
    """On a GPU: a whole rotation, then `steps` steps that ncu looks at."""
    for call in calls:
        call()
    torch.cuda.synchronize()
    torch.cuda.profiler.start()
    for number in range(steps):
        calls[number % len(calls)]()
    torch.cuda.synchronize()
    torch.cuda.profiler.stop()


def _calls(arena: Arena, case: Case, name: str, count: int) -> list[Callable[[], object]]:
    """Steps over `count` sets of weights and all sets of inputs in rotation, as a point is measured."""
    implementation = implementations.load(name)
    reason = implementation.unavailable(case)
    if reason:
        raise Unavailable(reason)
    sets = arena.sets(implementation.layout(case), case.dtype, count)
    inputs = draw(case, torch.Generator(device=case.device).manual_seed(0))
    bind = implementation.prepare(case, sets, inputs)
    # a rotation of the weights is enough here: the inputs are small beside them
    length = lcm(count, len(inputs)) if count < len(inputs) else count
    return [bind(j % count, j % len(inputs)) for j in range(length)]


def _arena_bytes(jobs: list[tuple[Case, str, int]]) -> int:
    sizes = [1 << 20]
    for case, name, count in jobs:
        try:
            one = set_bytes(implementations.load(name).layout(case), case.dtype)
        except Exception:  # noqa: BLE001 - it is told when its turn comes
            continue
        sizes.append(one * count)
    return max(sizes)


def _client_request() -> Callable[[int, bytes], None]:
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(_CODE)
    code = ctypes.c_char.from_buffer(page)
    function = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(ctypes.addressof(code))

    def request(number: int, text: bytes, _alive: object = code) -> None:
        kept = ctypes.create_string_buffer(text)
        arguments = (ctypes.c_uint64 * 6)(number, ctypes.addressof(kept))
        function(ctypes.addressof(arguments))

    return request


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
