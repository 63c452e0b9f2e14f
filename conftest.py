"""The pytest glue: options, replay, progress, closing table, report. The one file that may import all three folders.

`pytest --benchmark-only` collects bench/ and measures; anything else collects tests/ and tests. A benchmark is measured
by bench.session.run, and its samples are replayed through pytest-benchmark's fixture by a clock that says what was
measured; so its table, --benchmark-json, --benchmark-save and compare work on our figures, with nothing measured twice.
"""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest
from pytest_benchmark.session import PerformanceRegression

from bench.device import threads
from bench.plugin import faults, options, refused
from bench.plugin.hooks import BAD_USAGE
from bench.profile.errors import OneLine
from bench.timing import interrupts, timeout, tracing
from bench.timing.interrupts import INTERRUPTED
from kernels.case import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bench.profile.records import Point, Profile, Roof
    from bench.profile.suite import Planned
    from bench.session.run import Run
    from reports.analysis.analysis import Analysis
    from reports.page.build import Built

ROOT = Path(__file__).parent
FAILED = 1
NOT_APART = "tests run in a process or a thread of their own: a run is one process: leave out the plugin that does so"
pytest_plugins = ("bench.plugin.hooks",)  # where our configuration, which names it, is not read
LINE_SECONDS = 10.0
"""Between lines of progress where the output is no terminal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own options, where no configuration named the plugin that adds them earlier."""
    options.add(parser)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """bench/ alone with --benchmark-only, tests/ alone without."""
    other = ROOT / ("tests" if options.measures(config) else "bench")
    return True if collection_path.is_relative_to(other) else None


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the plan before anything is collected, so that bad input costs nothing."""
    if not options.measures(config):
        return
    if config.getoption("--help", default=False) or config.getoption("--version", default=0):
        return
    if threading.current_thread() is not threading.main_thread():
        raise pytest.UsageError(NOT_APART)
    timeout.report_to_a_copy()
    heard = ExitStack()
    heard.enter_context(interrupts.listening())
    config.add_cleanup(heard.close)
    session = Session(config)
    config.add_cleanup(session.leave_nothing)
    config.pluginmanager.register(session, "rnn-roofline")


class ReplayClock:
    """A timer for pytest-benchmark, moved on by what was measured."""

    __name__ = "measured_by_rnn_roofline"
    now = 0.0

    def __call__(self) -> float:
        """Seconds since the first replay."""
        return self.now


CLOCK = ReplayClock()


class Session:
    """One `pytest --benchmark-only`: the plan, the run, and what is told of it."""

    def __init__(self, config: pytest.Config) -> None:
        """Read the options. Raises pytest.UsageError for what cannot be done."""
        self.config = config
        self._run: Run | None = None
        self._selected: dict[str, Planned] = {}
        self._profile: Profile | None = None
        self._told = 0.0
        self._analysis: Analysis | None = None
        self._built: Built | None = None
        self._lost = ""
        self._failed: set[str] = set()
        self._begun = self._visited = False
        self._process = os.getpid(), threading.get_ident()
        try:
            threads.settle()  # before anything imports torch or numba
            threads.libraries(config.getoption("device"))
            from bench.session import start

            self._start = start.of_suite(
                **{name: config.getoption(name) for name in options.OPTIONS}
            )
        except (OneLine, Unavailable) as error:
            raise pytest.UsageError(str(error)) from error

    def begin(self) -> Session:
        """Measure the roofs, at the first call. Ends the session where it cannot begin."""
        if self._process != (os.getpid(), threading.get_ident()):
            pytest.exit(f"rnn-roofline: {NOT_APART}", returncode=BAD_USAGE)
        if self._begun:
            pytest.exit("rnn-roofline: measuring the roofs was stopped", returncode=FAILED)
        self._begun = True
        suite = self._start.suite.name
        self._tell(f"measuring the roofs of this machine for suite {suite} ...")
        try:
            self._run = self._start.run(self._tell)
        except (OneLine, Unavailable) as error:
            pytest.exit(f"rnn-roofline: {error}", returncode=BAD_USAGE)
        return self

    def roofs(self) -> list[Roof]:
        """Those of the run."""
        assert self._run is not None
        return self._run.roofs()

    def measure(self, planned: Planned) -> Point | None:
        """A point's record: at the first call all that were selected are visited, in passes.

        None where the session stopped at a failure before the first visit to it.
        """
        assert self._run is not None
        if not self._visited:
            from bench.timing import duration

            self._visited = True
            left = duration.told(self._run.seconds_left(self._selected.values()))
            self._tell(f"{len(self._selected)} points, about {left} of measuring")
            self._run.measure_all(self._selected.values(), self._visit)
        return self._run.known(planned)

    def _visit(self, point: Point) -> bool:
        """A line of progress after each visit; and whether as many points failed as pytest was told to stop at."""
        from bench.timing import duration

        assert self._run is not None
        if point.status == "failed":
            self._failed.add(point.key)
        made, wanted = self._run.visits(self._selected.values())
        if made == wanted or monotonic() - self._told >= self._pause:
            left = duration.told(self._run.seconds_left(self._selected.values()))
            self._tell(f"{made} of {wanted} visits, about {left} of measuring left")
        most = self.config.getoption("maxfail")
        return bool(most) and len(self._failed) >= most

    @property
    def _pause(self) -> float:
        """Seconds between lines of progress: the estimate in them takes its time, too."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        return 1.0 if getattr(terminal, "isatty", False) else LINE_SECONDS

    def _tell(self, text: str) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        if terminal is None or capture is None or self.config.option.verbose < 0:
            return
        with capture.global_and_fixture_disabled():
            self._told = monotonic()
            if terminal.isatty:
                terminal.rewrite(f"{text}   ", erase=True)
            else:
                terminal.ensure_newline()
                terminal.write_line(text, flush=True)

    def leave_nothing(self) -> None:
        """The folder goes where it was claimed and nothing was measured; one that holds something stays."""
        if self._run is None and self._start.earlier is None:
            with suppress(OSError):
                self._start.folder.rmdir()

    # pytest's hooks

    def pytest_sessionstart(self) -> None:
        """By now pytest-benchmark has read what to compare with. Raises pytest.UsageError where that is nothing."""
        theirs: Any = self.config.pluginmanager.get_plugin("pytest-benchmark")
        for reason in refused.nothing_to_compare(self.config, theirs.compared_mapping):
            raise pytest.UsageError(reason)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test per planned point, one per kind of roof."""
        points = self._start.suite.points
        if "planned" in metafunc.fixturenames:
            metafunc.parametrize("planned", points, ids=[point.key for point in points])
        if "roof_kind" in metafunc.fixturenames:
            from bench.roofs import kinds

            metafunc.parametrize("roof_kind", kinds())

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Roofs first, then points in the plan's own order, whatever another plugin made of it."""
        place = {point.key: number for number, point in enumerate(self._start.suite.points)}

        def order(item: pytest.Item) -> int:
            planned = _parameter(item, "planned")
            return -1 if planned is None else place[planned.key]

        items.sort(key=order)
        ours = [
            item for item in items if _parameter(item, "planned") or _parameter(item, "roof_kind")
        ]
        if items and not ours:
            raise pytest.UsageError(
                "no benchmark is among what is named: leave out --benchmark-only, or name bench/test_steps.py"
            )
        for item in items:
            if item not in ours and "benchmark" in getattr(item, "fixturenames", ()):
                raise pytest.UsageError(
                    f"{item.nodeid} is a benchmark of somebody else's: run it without this suite's"
                )
        found = ((item.nodeid, _parameter(item, "planned")) for item in ours)
        self._selected = {node: planned for node, planned in found if planned is not None}
        for item in ours:
            item.add_marker(pytest.mark.benchmark(timer=CLOCK))

    def pytest_report_header(self) -> list[str]:
        """What is about to be measured, and on what."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal and self.config.option.verbose == 0:
            terminal.showfspath = False
        from bench.machine import gpus

        suite, folder = self._start.suite.name, self._start.folder
        told = f"rnn-roofline: suite {suite}, {threads.available()} threads, into {folder}"
        no_cuda = gpus.no_cuda_reason()
        return [told, f"rnn-roofline: CPU only: {no_cuda}"] if no_cuda else [told]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        """A point that cannot be kept ends the session."""
        try:
            return (yield)
        except OneLine as error:
            self._lost = str(error)
            pytest.exit(f"rnn-roofline: {error}", returncode=BAD_USAGE)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """No dot for a good point: the line of progress says more."""
        if report.passed and report.when == "call" and self.config.option.verbose == 0:
            return "passed", "", ""
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_keyboard_interrupt(self) -> Generator[None, Any, Any]:
        """A signal may come where Python's code has no line, which pytest cannot show: it need not."""
        try:
            return (yield)
        except TypeError:
            return None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Whatever ended the session: what was measured is assembled and reported, before anything long is printed.

        What another plugin raises then costs neither report nor headline: `bench.plugin.hooks` tells it.
        """
        interrupts.hold()
        self._assemble()
        self._report()
        try:
            yield
        except PerformanceRegression:  # told by pytest-benchmark
            session.exitstatus = FAILED
        finally:
            self._tell_the_end()
        unsound = not self._profile.complete if self._profile else self._wanted()
        unsound |= self._built is not None and self._built.impossible
        if session.exitstatus == pytest.ExitCode.OK and unsound:
            session.exitstatus = FAILED
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = BAD_USAGE
        if self._lost:
            session.exitstatus = BAD_USAGE
        elif interrupts.asked():
            session.exitstatus = INTERRUPTED

    def _wanted(self) -> bool:
        """Whether points were to be measured, and not only listed."""
        listed = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
        return bool(self._selected) and not any(
            self.config.getoption(name, default=False) for name in listed
        )

    def _assemble(self) -> None:
        """The profile of what was measured."""
        if self._run is not None:
            try:
                self._profile = self._run.finish(self._selected.values())
            except OneLine as error:
                self._lose(str(error))

    def _report(self) -> None:
        """The report on the profile, whose folder has it then."""
        if self._profile is None:
            return
        from reports.analysis.analysis import Analysis
        from reports.locate import BadInput
        from reports.page import build

        folder = self._start.folder
        try:
            self._analysis = Analysis(self._profile)
            self._built = build.build(self._analysis, folder)
        except BadInput as error:
            self._lose(f"{error}: python -m reports build makes it anew")
        except Exception as error:  # noqa: BLE001 - of whatever draws it: the profile is written, and others go on
            self._lose(
                f"the report cannot be made: {faults.kind(error)}: python -m reports build {folder} shows where"
            )

    def _lose(self, why: str) -> None:
        """Say what was lost, once: what follows from it needs no line."""
        if not self._lost:
            faults.say(why)
        self._lost = self._lost or why

    def pytest_benchmark_update_machine_info(self, machine_info: dict[str, Any]) -> None:
        """No host name in a file that people share."""
        machine_info["node"] = ""

    @pytest.hookimpl(trylast=True)
    def pytest_benchmark_update_json(self, output_json: dict[str, Any]) -> None:
        """The profile, whole, beside pytest-benchmark's own figures."""
        if self._profile is not None:
            output_json["roofline"] = asdict(self._profile)

    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Our table, before pytest-benchmark's."""
        if self._analysis is None or not self._analysis.profile.points:
            return
        from reports.page import terminal

        terminalreporter.ensure_newline()
        terminal.closing(self._analysis)

    def _tell_the_end(self) -> None:
        """Headline and page, under everything else that pytest and its plugins print."""
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._built is None:
            return
        terminal.write_line(f"\n{self._built.headline}\n")
        if self._built.impossible:
            terminal.write_line(
                "a point lies above its roof: the roof or its bytes are wrong; see the warnings"
            )
        terminal.write_line(f"report: {self._built.page}")


def _parameter(item: pytest.Item, name: str) -> Any:
    return getattr(item, "callspec", None) and item.callspec.params.get(name)  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def roofline(request: pytest.FixtureRequest) -> Session:
    """The session, whose roofs are measured when a test first asks for it; only with --benchmark-only."""
    session: Session | None = request.config.pluginmanager.get_plugin("rnn-roofline")
    assert session is not None
    try:
        return session.begin()
    except pytest.exit.Exception:  # which says itself why the session ends
        raise
    except (Exception, pytest.fail.Exception):
        request.session.shouldfail = "the roofs were not measured"
        raise


@pytest.fixture
def replay() -> Callable[[Any, list[float]], None]:
    """Give pytest-benchmark our samples, one round each."""

    def rounds(benchmark: Any, seconds: list[float]) -> None:
        samples = iter(seconds)

        def pass_time() -> None:
            CLOCK.now += next(samples)

        with tracing.paused():  # pytest-benchmark cannot put cProfile's profiler back
            benchmark.pedantic(pass_time, rounds=len(seconds), iterations=1)

    return rounds
