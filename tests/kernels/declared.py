"""Tests of what implementations declare that they compute: no test is made of a case that none of them has."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from importlib import import_module

import pytest

from kernels import implementations
from kernels.case import CELLS, DEVICES, PARTS, PHASES, RESIDENCIES, Case, InvalidCase, Unavailable
from kernels.reference import check

COMPILED = "torch_compile"
"""Compiles for seconds; by default for whole LSTM steps in float32 alone, for all with EVERY_COMPILE=1 set."""
EVERY_COMPILE = "EVERY_COMPILE" in os.environ


def every_case():
    """Every combination of words, of one step and of several, that is a case."""
    for cell, part, phase, (dtype, activations), steps, device, residency in itertools.product(
        CELLS, PARTS, PHASES, check.TOLERANCES, (1, 3), DEVICES, RESIDENCIES
    ):
        try:
            yield Case(
                cell, 8, 6, 1, part, phase, dtype, activations,
                device=device, residency=residency, steps=steps,
            )  # fmt: skip
        except InvalidCase:
            continue


CASES = tuple(every_case())
COMPILED_CASES = {c for c in CASES if (c.cell, c.part, c.dtype) == ("lstm", "cell", "float32")}


def of(name, **words):
    """The cases with these words that an implementation declares; Unavailable where its library is not installed.

    A tuple of words stands for any of them; without `residency`, resident ones.
    """
    implementations.load(name)
    supports = replace(import_module(f"kernels.implementations.{name}").SUPPORTS, also=None)
    words = {"residency": "resident", **words}
    for case in CASES:
        fits = all(
            getattr(case, field) in (value if isinstance(value, tuple) else (value,))
            for field, value in words.items()
        )
        if fits and supports.unavailable(case) is None:
            yield case


def each(*fields, but="", **words):
    """Parametrize by name and by these fields of the declared cases with these words, each once; without one name.

    An implementation whose library is not installed is one test, which is skipped.
    """
    found = {}
    for name in sorted({*implementations.names()} - {but}):
        try:
            for case in of(name, **words):
                if EVERY_COMPILE or name != COMPILED or case in COMPILED_CASES:
                    found[name, *(getattr(case, field) for field in fields)] = ()
        except Unavailable as reason:
            found[name, *[None] * len(fields)] = pytest.mark.skip(reason=str(reason))
    params = [pytest.param(*values, marks=marks) for values, marks in found.items()]
    return pytest.mark.parametrize(("name", *fields), params)
