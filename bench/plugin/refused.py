"""What cannot be had together with measuring, told before anything is measured: one table, a line for each kind.

What is refused would spoil samples, end a run half-way, lose what it writes at the end, or have no effect. Plugins are
known by their options: an absent plugin has none.
"""

import os
import tracemalloc
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

Reasons = Iterator[str]
"""What is refused and why, with the mend, a line each."""

WITHOUT_EFFECT = tuple(
    f"benchmark_{name}"
    for name in (
        *("min_time", "max_time", "min_rounds", "precision", "confidence", "timer"),
        *("calibration_precision", "warmup", "warmup_iterations"),
    )
)
"""pytest-benchmark's options for how it measures, which it does not do here."""
NEEDED = ("benchmark", "pytest-benchmark", "python", "skipping")
"""Plugins without which nothing is collected, replayed or skipped."""
GROUPS = ("group", "name", "func", "fullname", "fullfunc", "param")


def reasons(config: pytest.Config) -> Reasons:
    """Everything that is refused of these options."""
    for look in LOOKS:
        yield from look(config)


def beside_one_another(config: pytest.Config) -> Reasons:
    """Tests in several processes or threads at once, or each in a process of its own."""
    apart = "processes or threads beside one another spoil each other's samples"
    get = config.getoption
    if (
        hasattr(config, "workerinput")
        or get("numprocesses", default=None)
        or get("tx", default=None)
        or get("looponfail", default=False)
    ):
        yield f"benchmarks do not run under pytest-xdist: {apart}: leave out its options"
    if get("workers", default=None) or get("tests_per_worker", default=None):
        yield f"benchmarks do not run under pytest-parallel: {apart}: leave out its options"
    if get("forever", default=False) or any(
        str(get(name, default=1)) != "1" for name in ("parallel_threads", "iterations")
    ):
        yield f"benchmarks do not run under pytest-run-parallel: {apart}: leave out its options"
    if get("forked", default=False):
        yield (
            "benchmarks do not run under pytest-forked: a run is one process, and points that may crash it are tried "
            "in another one first: leave out --forked"
        )


def limits_of_time(config: pytest.Config) -> Reasons:
    """Limits on a test or a session: all points are measured in passes while the first test runs."""
    named: dict[str, Any] = {
        "--timeout": config.getoption("timeout", default=None) or _ini(config, "timeout"),
        "--session-timeout": config.getoption("session_timeout", default=None)
        or _ini(config, "session_timeout"),
        "PYTEST_TIMEOUT": config.pluginmanager.hasplugin("timeout")
        and os.environ.get("PYTEST_TIMEOUT"),
        "faulthandler_timeout": config.pluginmanager.hasplugin("faulthandler")
        and _ini(config, "faulthandler_timeout"),
    }
    for name, value in named.items():
        if value and _seconds(value) > 0:
            yield (
                f"{name} {_seconds(value):g} would end a run half-way: all points are measured while the first test "
                "runs, and each has a time limit of its own: leave it out"
            )


def tracers(config: pytest.Config) -> Reasons:
    """What traces what is timed, and cannot be paused."""
    if config.getoption("memray", default=False):
        yield "--memray follows every allocation, also while steps are timed: leave it out"
    if tracemalloc.is_tracing():
        yield (
            "tracemalloc follows every allocation, also while steps are timed: unset PYTHONTRACEMALLOC, leave out "
            "-X tracemalloc"
        )
    if config.getoption("benchmark_cprofile") or config.getoption("benchmark_cprofile_dump"):
        yield (
            "--benchmark-cprofile would profile the replay of samples and not a step: leave it out, and profile "
            "python -m bench step"
        )


def without_effect(config: pytest.Config) -> Reasons:
    """Options of pytest-benchmark's own measuring: it is given samples that were taken by this suite's method."""
    from pytest_benchmark import plugin

    parser = ArgumentParser()
    group = SimpleNamespace(addoption=parser.add_argument)
    plugin.pytest_addoption(SimpleNamespace(getgroup=lambda _: group))  # type: ignore[no-untyped-call]
    default = parser.parse_args([])
    for name in WITHOUT_EFFECT:
        if str(config.getoption(name)) != str(getattr(default, name)):
            yield (
                f"--{name.replace('_', '-')} has no effect: a suite's precision and budget_seconds say how long a "
                "point is measured: leave it out"
            )


def output(config: pytest.Config) -> Reasons:
    """What pytest-benchmark would fail to write or to show after everything was measured."""
    get = config.getoption
    if path := get("benchmark_json"):
        folder = Path(path).parent
        if Path(path).is_dir():
            yield f"--benchmark-json {path} is a folder: name a file"
        elif not folder.is_dir():
            yield f"--benchmark-json {path}: there is no folder {folder}: make it"
        elif not os.access(path if Path(path).exists() else folder, os.W_OK):
            yield f"--benchmark-json {path} cannot be written: name another file"
    unknown = [one for one in get("benchmark_group_by").split(",") if one not in GROUPS]
    if unknown:
        yield (
            f"--benchmark-group-by {unknown[0]} is unknown here: use {', '.join(GROUPS)} (a point's cell, batch and "
            "the rest stand in its name)"
        )
    absent = [name for name in ("pygal", "pygaljs") if find_spec(name) is None]
    if get("benchmark_histogram") and absent:
        yield (
            f"--benchmark-histogram needs {' and '.join(absent)}: pip install 'pytest-benchmark[histogram]', or leave "
            "it out"
        )
    if get("benchmark_compare_fail") and not get("benchmark_compare"):
        yield "--benchmark-compare-fail needs --benchmark-compare, to say what to compare with"


def nothing_to_compare(config: pytest.Config, known: Mapping[str, object] | None) -> Reasons:
    """What can be told once pytest-benchmark has read the results that it shall compare with."""
    if config.getoption("benchmark_compare_fail") and not known:
        yield (
            f"--benchmark-compare-fail has nothing to compare with in {config.getoption('benchmark_storage')}: save "
            "results by --benchmark-save first"
        )


def no_suite(config: pytest.Config) -> Reasons:
    """A session without the file that measures, or without a plugin that it needs."""
    for name in NEEDED:
        if config.pluginmanager.is_blocked(name):
            yield f"-p no:{name} leaves out what a run needs: leave out the option"
    if config.getoption("noconftest", default=False):
        yield "--noconftest leaves out the suite itself, which is conftest.py: leave out the option"


def nothing_compiled(_config: pytest.Config) -> Reasons:
    """Compilers switched off: what is named after them would be something else."""
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        yield "NUMBA_DISABLE_JIT is set: what is compiled would run as Python: unset it"


LOOKS: tuple[Callable[[pytest.Config], Reasons], ...] = (
    no_suite,
    beside_one_another,
    limits_of_time,
    tracers,
    without_effect,
    output,
    nothing_compiled,
)
"""In the order in which they are told."""


def _seconds(value: Any) -> float:
    """A limit; 0 where it is no number, which its plugin will say."""
    try:
        return float(value)
    except ValueError:
        return 0.0


def _ini(config: pytest.Config, name: str) -> Any:
    """What a configuration says under a name; None where no plugin knows it."""
    try:
        return config.getini(name)
    except (KeyError, ValueError):
        return None
