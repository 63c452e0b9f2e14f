"""One file = one implementation that must be found out. Same contract as kernels/implementations, and names more:

caught    what the reason of its failed point must match, or None where nothing but an impossible speed gives it away
residency and steps of the case it cheats at, where they are not `resident` and 1
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

from kernels import implementations
from kernels.implementations import torch_cell


def names():
    """Every cheat's name."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def load(name):
    """The cheat of that name as an implementation: what its file does not say, PyTorch's cell does."""
    module = import_module(f"tests.cheats.{name}")
    honest = vars(implementations.load("torch_cell"))
    own = {key: getattr(module, key, its) for key, its in honest.items()}
    case = {"residency": "resident", "steps": 1}
    own |= {key: getattr(module, key, plain) for key, plain in case.items()}
    return SimpleNamespace(**own, caught=module.caught)


def honest(case, sets, inputs):
    """PyTorch's cell, bound: what a cheat starts from."""
    return torch_cell.prepare(case, sets, inputs)


def wrapped(change):
    """A `prepare` whose step is `change(honest step's answer, its inputs)`."""

    def prepare(case, sets, inputs):
        bind = honest(case, sets, inputs)
        return lambda w, i: partial(_changed, change, bind(w, i), inputs[i])

    return prepare


def _changed(change, step, given):
    return change(step(), given)
