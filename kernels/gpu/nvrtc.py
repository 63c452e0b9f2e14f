"""CUDA C++ of our own: compiled for one case by NVRTC and launched, both through `cuda.bindings`.

PyTorch's CUDA builds bring that package, and the extra `gpu` names it; where it is absent, `absent` says so. Sources
lie beside this file. Ran on an H200, by NVRTC 13.0.
"""

import ctypes
import pkgutil
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from kernels.case import Unavailable


def absent() -> str | None:
    """Why nothing can be compiled here, or None."""
    try:
        found = find_spec("cuda") and find_spec("cuda.bindings")
    except (ImportError, ValueError):  # something else is called cuda
        found = None
    return None if found else "cuda.bindings is not installed: pip install cuda-bindings"


def version() -> str:
    """NVRTC's version, as a report prints it."""
    if absent():
        return "no NVRTC"
    nvrtc = _bindings("nvrtc")
    try:
        return "NVRTC {}.{}".format(*_done(nvrtc, nvrtc.nvrtcVersion()))
    except RuntimeError:  # the package is there, and the library that it loads is not
        return "no NVRTC"


@cache
def compiled(name: str, capability: tuple[int, int], defines: tuple[tuple[str, int], ...]) -> bytes:
    """Machine code of the file of that name beside this one. Raises Unavailable with what the compiler says."""
    nvrtc = _bindings("nvrtc")
    source = pkgutil.get_data("kernels.gpu", name)
    (program,) = _done(nvrtc, nvrtc.nvrtcCreateProgram(source, name.encode(), 0, [], []))
    options = [
        "--gpu-architecture=sm_{}{}".format(*capability),
        "--std=c++17",
        *(f"-D{word}={value}" for word, value in defines),
    ]
    (failed,) = nvrtc.nvrtcCompileProgram(program, len(options), [one.encode() for one in options])
    if int(failed):
        (size,) = _done(nvrtc, nvrtc.nvrtcGetProgramLogSize(program))
        said = b" " * size
        nvrtc.nvrtcGetProgramLog(program, said)
        raise Unavailable(f"{name} cannot be compiled: {said.decode(errors='replace').strip()}")
    (size,) = _done(nvrtc, nvrtc.nvrtcGetCUBINSize(program))
    code = b" " * int(size)
    _done(nvrtc, nvrtc.nvrtcGetCUBIN(program, code))
    nvrtc.nvrtcDestroyProgram(program)
    return code


def cooperative(
    code: bytes, name: str, blocks: int, threads: int, shared_bytes: int,
    pointers: Sequence[int], numbers: Sequence[int],
) -> Callable[[int], None]:  # fmt: skip
    """The launch of a kernel whose arguments are addresses and then ints, as a call with the stream's number.

    All blocks run at once, or the launch fails: see `most_blocks`. Raises Unavailable where the driver refuses.
    """
    driver = _bindings("driver")
    function = _function(code, name, shared_bytes)
    values = [*map(ctypes.c_void_p, pointers), *map(ctypes.c_int, numbers)]
    addresses = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    start, given = driver.cuLaunchCooperativeKernel, ctypes.addressof(addresses)

    def launch(stream: int, _kept: Any = (values, addresses)) -> None:
        (failed,) = start(function, blocks, 1, 1, threads, 1, 1, shared_bytes, stream, given)
        if int(failed):
            _done(driver, (failed,))

    return launch


def most_blocks(code: bytes, name: str, threads: int, shared_bytes: int) -> int:
    """Blocks of a kernel that a processor of this GPU holds at once."""
    driver = _bindings("driver")
    function = _function(code, name, shared_bytes)
    asked = driver.cuOccupancyMaxActiveBlocksPerMultiprocessor(function, threads, shared_bytes)
    return int(_done(driver, asked)[0])


@cache
def _function(code: bytes, name: str, shared_bytes: int) -> Any:
    """The kernel, loaded into the context that PyTorch made current, and allowed so much shared memory."""
    driver = _bindings("driver")
    (module,) = _done(driver, driver.cuModuleLoadData(code))
    (function,) = _done(driver, driver.cuModuleGetFunction(module, name.encode()))
    most = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    _done(driver, driver.cuFuncSetAttribute(function, most, shared_bytes))
    return function


def _bindings(part: str) -> Any:
    """A module of `cuda.bindings`. Raises Unavailable where there is none."""
    if reason := absent():
        raise Unavailable(reason)
    return import_module(f"cuda.bindings.{part}")


def _done(library: Any, answer: Sequence[Any]) -> Sequence[Any]:
    """What a call answers behind its error. Raises Unavailable with the error's name."""
    failed, *rest = answer
    if int(failed):
        raise Unavailable(f"{library.__name__.rpartition('.')[2]} answers {failed.name}")
    return rest
