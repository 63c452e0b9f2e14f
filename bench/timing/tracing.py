"""Tracers and profilers: paused while something is timed, and told where they cannot be.

A tracer is called at every line of Python that is run, so steps that are Python would be timed with it: coverage, a
debugger, cProfile.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

TOOLS = range(6)
"""Those that Python 3.12 and later may call at events, by their numbers."""
Callbacks = dict[tuple[int, int], Any]
"""By tool and event."""


@contextmanager
def paused() -> Iterator[None]:
    """No tracer and no profiler of this thread meanwhile; afterwards those that there were."""
    tracer, profiler, events = sys.gettrace(), sys.getprofile(), _events()
    if not (tracer or profiler or events):
        yield
        return
    sys.settrace(None)
    _stop(profiler)
    _set_events(dict.fromkeys(events, 0))
    callbacks = _no_callbacks(events)
    try:
        yield
    finally:
        _set_callbacks(callbacks)
        _set_events(events)
        _go_on(profiler)
        sys.settrace(tracer)
        _called()


def _called() -> None:
    """A call, at which coverage's tracer in C takes over again, for the functions around this one too."""


def _events() -> dict[int, int]:
    """What each tool that is registered wants to be called at, by its number."""
    if sys.version_info < (3, 12):
        return {}
    known = sys.monitoring
    return {tool: known.get_events(tool) for tool in TOOLS if known.get_tool(tool) is not None}


def _set_events(events: dict[int, int]) -> None:
    if sys.version_info >= (3, 12):
        for tool, wanted in events.items():
            sys.monitoring.set_events(tool, wanted)


def _no_callbacks(tools: Iterable[int]) -> Callbacks:
    """Take away what these tools call, also at events that they follow in single functions; what that was."""
    found: Callbacks = {}
    if sys.version_info >= (3, 12):
        single = [
            one
            for one in vars(sys.monitoring.events).values()
            if type(one) is int and one.bit_count() == 1
        ]
        for tool, event in product(tools, single):
            callback = sys.monitoring.register_callback(tool, event, None)
            if callback is not None:
                found[tool, event] = callback
    return found


def _set_callbacks(callbacks: Callbacks) -> None:
    if sys.version_info >= (3, 12):
        for (tool, event), callback in callbacks.items():
            sys.monitoring.register_callback(tool, event, callback)


def _stop(profiler: Any) -> None:
    """cProfile's own object is no function that could be set again."""
    if hasattr(profiler, "disable"):
        profiler.disable()
    else:
        sys.setprofile(None)


def _go_on(profiler: Any) -> None:
    if hasattr(profiler, "enable"):
        profiler.enable()
    else:
        sys.setprofile(profiler)
