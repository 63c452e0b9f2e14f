"""The step compiled: torch.compile, on a CPU with max-autotune and for inference freezing, as who wants speed asks.

Freezing makes the weights constants, which inductor packs for the product that wins its autotuning; so the step reads
copies of its own, which lie elsewhere than the arena, and a set of weights is a compiled module. A streamed case thus
compiles many (code once, constants anew), and more than MOST_SETS are refused. float16 is frozen without autotuning:
with it all modules of a shape compute with the weights of the first, seen with torch 2.13.

On a GPU nothing is packed: the weights are arguments, as they lie in the arena, and one compiled step serves all sets.
Nothing is autotuned there: max-autotune compiles and times some twenty tilings of each product in Triton, a second or
more each in one thread, which is a minute for a step that the library multiplies at memory's speed anyway; by default
it takes some seconds. On an H200 one small step of each cell was right; none was timed there, and no gradient asked.

Weights that are trained are no constants either. The compiled training step takes them as they lie in the arena, one
for all sets, and autograd calls the compiled backward pass: each pass is code of its own, as for any user.

A call first runs dynamo's guards: are these still tensors like those it was compiled for? That is part of what a user
pays, and part of the floor. Compiling takes seconds and needs a C++ compiler; it is done before anything is timed, and
whatever would make a step compile again is an error. A PyTorch that cannot be told so by `torch.compile` itself is told
by dynamo's settings while the first two pairs of weights and inputs are called.

Reads packed W and U, both biases, x, h (c); writes the products, then new h (and c), all of which it allocates itself.
"""

import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from importlib.util import find_spec
from inspect import signature
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from kernels.case import GATES, Case
from kernels.contract import Bind, InputSets, Sets, Step, Tensors, limit_sets
from kernels.implementations import _autograd, _layouts, torch_cell
from kernels.reference.cells import Answer, Weights

label = "torch.compile"
reads = {"W": "per_step", "U": "per_step"}
layout, canonical = _layouts.layout, _layouts.canonical
version = torch_cell.version

MOST_SETS = 16
"""Sets of weights that are compiled for one case, about a second each."""

OPTIONS = {
    "compile_threads": 1,  # no pool of compiling processes that stays while steps are timed
    "autotune_num_choices_displayed": 0,
    "max_autotune_report_choices_stats": False,
}

ONCE: dict[str, Any] = {
    "fullgraph": True,
    "dynamic": False,
    "recompile_limit": 1,
    "isolate_recompiles": True,  # from other sets of weights, whose guards would be tried first
}
ISOLATES = "isolate_recompiles" in signature(torch.compile).parameters


def _lacking(case: Case) -> str | None:
    """A C++ compiler, on a GPU Triton, or a PyTorch that compiles sets of weights apart from others; or None."""
    if case.device != "cpu" and find_spec("triton") is None:
        return "torch.compile needs Triton for a GPU, and it is not installed"
    if case.device == "cpu" and not ISOLATES:
        return f"torch {torch.__version__} cannot keep compiled modules of one class apart: install a newer one"
    return _no_compiler()


@cache
def _no_compiler() -> str | None:
    from torch._dynamo import config as dynamo
    from torch._inductor.cpp_builder import get_cpp_compiler

    if dynamo.disable:
        return "torch.compile is switched off: unset TORCHDYNAMO_DISABLE and TORCH_COMPILE_DISABLE"
    if folder := next(filter(_is_several_words, _folders()), None):
        return f"torch.compile takes {folder} for several words: move it to a path without spaces and quotes"
    try:
        get_cpp_compiler()
    except Exception:  # noqa: BLE001 - of whatever kind, it says that there is none
        return "torch.compile needs a C++ compiler, and found none: install g++ or clang"
    return None


def _folders() -> Iterator[str]:
    """What stands in the command that compiles: where PyTorch, its generated code and temporary files lie."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir, default_cache_dir

    yield from (*torch.__path__, cache_dir(), default_cache_dir())


def _is_several_words(folder: str) -> bool:
    """Whether a shell would split it; PyTorch 2.13 writes its command as one text and does not quote all of it."""
    try:
        return shlex.split(folder) != [folder]
    except ValueError:  # a quote without its pair
        return True


SUPPORTS = replace(torch_cell.SUPPORTS, also=_lacking)


def packs(case: Case) -> bool:
    """Inference on a CPU alone: weights that are trained are no constants, and a GPU's are arguments."""
    return case.phase == "step" and case.device == "cpu"


def prepare(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """Compile one module per set of weights; to train, one for all. Raises Unavailable for more than MOST_SETS."""
    if not packs(case):
        return _unfrozen(case, sets, inputs)
    limit_sets(sets, MOST_SETS, "compiled modules")
    steps = []
    for tensors in sets:
        frozen = torch.compile(_Frozen(case, Weights(*tensors)), **ONCE)
        with _compiling(case, freezing=True), torch.inference_mode():
            frozen(*inputs[0][:4])
        steps.append(frozen)

    def bind(w: int, i: int) -> Step:
        step, (x, h, c, sums) = steps[w], inputs[i][:4]

        def call() -> Tensors:
            return step(x, h, c, sums)

        return call

    return bind


def _unfrozen(case: Case, sets: Sets, inputs: InputSets) -> Bind:
    """One compiled step for all sets, whose weights are its arguments; to train, its backward pass is compiled too."""
    known = signature(torch.compile).parameters
    once = {name: value for name, value in ONCE.items() if name in known}
    step = torch.compile(_apart(_step), **once)

    def prepare(_case: Case, sets: Sets, inputs: InputSets) -> Bind:
        words = case.cell, case.part
        return lambda w, i: partial(step, *words, Weights(*sets[w]), *inputs[i][:4])

    trains = case.phase == "train"
    bind = _autograd.prepare(prepare, case, sets, inputs) if trains else prepare(case, sets, inputs)
    with _compiling(case, freezing=False), torch.inference_mode(not trains):
        for pair in range(2):
            bind(pair % len(sets), pair % len(inputs))()
    return bind


def _apart(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """The same function with code of its own: dynamo counts what it compiled, and keeps its guards, by the code."""
    assert isinstance(function, FunctionType)
    return FunctionType(function.__code__.replace(), function.__globals__, function.__name__)


@contextmanager
def _compiling(case: Case, *, freezing: bool) -> Iterator[None]:
    """What is called for the first time herein is compiled; a call that would compile it again raises."""
    from torch._dynamo import config as dynamo
    from torch._inductor import config as inductor
    from torch._inductor.codecache import PyCodeCache

    before = set(sys.modules)
    # set for dynamo too, which must know that parameters are constants; as `options` inductor alone would hear of it
    limits = {"accumulated_recompile_limit": sys.maxsize} | (
        {} if ISOLATES else {"recompile_limit": 1}
    )
    tuned = case.device == "cpu" and not (freezing and case.dtype == "float16")
    options = {**OPTIONS, "max_autotune": tuned, "freezing": freezing}
    with inductor.patch(options), dynamo.patch(limits), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    # Inductor keeps what it generated, packed weights and all, until the process ends; the step needs neither list.
    PyCodeCache.cache_clear()
    for name in set(sys.modules) - before:
        if name.startswith("torch._inductor.runtime.compile_tasks."):
            del sys.modules[name]


class _Frozen(nn.Module):
    """One step of a case, with its weights as parameters."""

    def __init__(self, case: Case, weights: Weights) -> None:
        super().__init__()
        self.cell, self.part = case.cell, case.part
        # Copies: of a parameter that is a view, inductor packs the block from its start and not from the view's offset,
        # seen with torch 2.13 as a wrong answer of the part `linear`.
        self.weights = nn.ParameterList(
            nn.Parameter(t.clone(), requires_grad=False) for t in weights
        )

    def forward(self, x: Tensor, h: Tensor, c: Tensor, sums: Tensor) -> Answer:
        return _step(self.cell, self.part, Weights(*self.weights), x, h, c, sums)


def _step(
    cell: str, part: str, weights: Weights, x: Tensor, h: Tensor, c: Tensor, sums: Tensor
) -> Answer:
    W, U, b_w, b_u = weights
    if part == "linear":
        from_x, from_h = linear(x, W), linear(h, U)
        return (from_x, from_h) if cell == "gru" else (from_x + from_h,)
    gates: Answer
    if part == "pointwise" and cell == "gru":
        s_r, s_z, n_x, n_h = sums.chunk(4, dim=1)
        (w_r, w_z, w_n), (u_r, u_z, u_n) = b_w.chunk(3), b_u.chunk(3)
        gates = s_r + (w_r + u_r), s_z + (w_z + u_z), n_x + w_n, n_h + u_n
    elif part == "pointwise":
        gates = (sums + (b_w + b_u)).chunk(GATES[cell], dim=1)
    else:
        from_x, from_h = linear(x, W, b_w), linear(h, U, b_u)
        if cell == "gru":
            (r_x, z_x, n_x), (r_h, z_h, n_h) = from_x.chunk(3, dim=1), from_h.chunk(3, dim=1)
            gates = r_x + r_h, z_x + z_h, n_x, n_h
        else:
            gates = (from_x + from_h).chunk(GATES[cell], dim=1)
    if cell == "rnn":
        return (torch.tanh(gates[0]),)
    if cell == "lstm":
        i, f, g, o = gates
        c_new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c_new), c_new
    r, z, n_x, n_h = gates
    update = torch.sigmoid(z)
    n = torch.tanh(n_x + torch.sigmoid(r) * n_h)
    return ((1 - update) * n + update * h,)
