"""Probes and steps compiled for a variant and kept on disk: each variant under a name of its own."""

import re
from collections.abc import Callable
from typing import Any

import numba


def for_all_threads(*variant: object) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a function that compiles for this variant; the next process finds it compiled.

    numba names compiled closures by their function and a count of its own process. Of two closures of one function that
    two processes compiled, a third may find one and call the other: a wrong answer, kept (numba's issue 10128; figures
    are in FINDINGS). So the variant is in the name.
    """

    return lambda function: numba.njit(parallel=True, nogil=True, cache=True)(
        named(function, *variant)
    )


def named(function: Callable[..., Any], *variant: object) -> Callable[..., Any]:
    """The function, its variant in its name."""
    words = [function.__name__, *(re.sub(r"\W+", "_", str(part)) for part in variant)]
    function.__name__ = function.__qualname__ = "_".join(words)
    return function
