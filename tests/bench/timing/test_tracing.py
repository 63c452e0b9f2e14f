"""Who traces or profiles Python is called for nothing that is timed, and for everything before and after."""

from __future__ import annotations

import cProfile
import pstats
import sys

import pytest

from bench.timing import clock, rounds, tracing


def step(count):
    for _ in range(count):
        sum(range(3))


def timed():
    return rounds.once(rounds.Contender(step), 1e-4)


@pytest.fixture
def calls():
    """Names of functions that a tracer and a profiler set here were called for."""
    seen = []

    def follow(frame, _event, _argument):
        seen.append(frame.f_code.co_name)
        return follow

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(follow)
    sys.setprofile(follow)
    yield seen
    sys.settrace(before[0])
    sys.setprofile(before[1])


def test_a_step_is_timed_untraced_and_the_tracer_goes_on(calls):
    timed()
    assert "once" in calls
    assert "step" not in calls
    step(1)
    assert "step" in calls


def test_a_tracer_goes_on_after_an_error_too(calls):
    with pytest.raises(ZeroDivisionError), clock.undisturbed():
        raise ZeroDivisionError
    step(1)
    assert "step" in calls


def test_nothing_is_set_where_nothing_was():
    before = sys.gettrace(), sys.getprofile()
    sys.settrace(None)
    sys.setprofile(None)
    try:
        with tracing.paused():
            pass
        assert (sys.gettrace(), sys.getprofile()) == (None, None)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])


def test_cprofile_goes_on_afterwards_and_has_not_seen_what_was_timed():
    profiler = cProfile.Profile()
    try:
        profiler.enable()
    except ValueError:
        pytest.skip("another profiler is active")
    timed()
    sorted([1])
    profiler.disable()
    names = {name for _, _, name in pstats.Stats(profiler).stats}
    assert "step" not in names
    assert "<built-in method builtins.sorted>" in names


@pytest.fixture
def tool():
    """The number of a tool of sys.monitoring, which is given up afterwards."""
    if not hasattr(sys, "monitoring"):
        pytest.skip("Python before 3.12 has no sys.monitoring")
    sys.monitoring.use_tool_id(4, "seen")
    yield 4
    sys.monitoring.free_tool_id(4)


def test_a_tool_of_sys_monitoring_sees_nothing_that_is_timed(tool):
    known, seen = sys.monitoring, []
    known.register_callback(tool, known.events.PY_START, lambda code, _: seen.append(code.co_name))
    known.set_events(tool, known.events.PY_START)
    timed()
    assert "once" in seen
    assert "step" not in seen
    step(1)
    assert "step" in seen


def test_a_tool_that_follows_single_functions_sees_nothing_of_them_while_timed(tool):
    known, seen = sys.monitoring, []
    known.register_callback(tool, known.events.LINE, lambda code, _: seen.append(code.co_name))
    known.set_local_events(tool, step.__code__, known.events.LINE)
    try:
        timed()
        assert not seen
        step(1)
        assert set(seen) == {"step"}
    finally:
        known.set_local_events(tool, step.__code__, 0)
        known.register_callback(tool, known.events.LINE, None)
