"""Figures of a profile that several parts of a report ask for, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import update_wrapper
from typing import Concatenate, ParamSpec, TypeVar

from bench.profile.records import Profile

P = ParamSpec("P")
T = TypeVar("T")

MOST = 24
"""Profiles kept at a time, the latest: as many as are ever compared, and some."""


def remembered(
    function: Callable[Concatenate[Profile, P], T],
) -> Callable[Concatenate[Profile, P], T]:
    """A pure function of a profile that answers a repeated question from memory.

    A profile is frozen, and known by identity: one that is equal but another object is asked anew. The answer is
    shared by all who ask, and nobody may change it.
    """
    kept: dict[int, tuple[Profile, dict[Hashable, T]]] = {}

    def asked(profile: Profile, /, *arguments: P.args, **named: P.kwargs) -> T:
        if id(profile) not in kept:
            while len(kept) >= MOST:
                del kept[next(iter(kept))]
            kept[id(profile)] = (profile, {})
        answers = kept[id(profile)][1]
        question = (arguments, tuple(sorted(named.items())))
        if question not in answers:
            answers[question] = function(profile, *arguments, **named)
        return answers[question]

    update_wrapper(asked, function)
    return asked
