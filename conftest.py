"""The pytest glue: options, replay, progress, closing table, report. The one file that may import all three folders.

`pytest --benchmark-only` collects bench/ and measures; anything else collects tests/ and tests. A benchmark is measured
by bench.session.run, and its samples are replayed through pytest-benchmark's fixture by a clock that says what was
measured; so its table, --benchmark-json, --benchmark-save and compare work on our figures, with nothing measured twice.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from bench.device import threads
from bench.profile.errors import OneLine
from bench.timing import interrupts, timeout
from bench.timing.interrupts import INTERRUPTED
from kernels.case import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bench.profile.records import Point, Profile, Roof
    from bench.profile.suite import Planned
    from bench.session.run import Run
    from reports.page.build import Built

ROOT = Path(__file__).parent
FAILED, BAD_USAGE = 1, 2
OPTIONS = {
    "suite": (
        "NAME|FILE",
        "smoke, quick (default), full, gpu (default of --device cuda), or a .toml file",
    ),
    "implementation": (
        "NAME|FILE",
        "these in place of the suite's: a name, or a .py file of your own, which is run (repeatable)",
    ),
    "device": ("DEVICE", "cpu, cuda, or all (default: every device there is)"),
    "seed": ("N", "of weights, inputs and the order of points (default 0)"),
    "out": ("DIR", "folder for this run (default: a new one under reports/runs)"),
    "resume": ("DIR", "go on with the run in this folder, measuring nothing twice"),
}
"""Options by their names, as `bench.session.start.of_suite` takes them: what they are given, and their help."""
KINDS: dict[str, dict[str, Any]] = {"implementation": {"action": "append"}, "seed": {"type": int}}
"""Of those that are no single text."""
LINE_SECONDS = 10.0
"""Between lines of progress where the output is no terminal."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The suite's own options; their help is `pytest --help`, section rnn-roofline."""
    group = parser.getgroup(
        "rnn-roofline",
        "rnn-roofline (with --benchmark-only; example: --suite quick -k 'lstm and resident')",
    )
    for name, (metavar, words) in OPTIONS.items():
        group.addoption(f"--{name}", metavar=metavar, help=words, **KINDS.get(name, {}))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """bench/ alone with --benchmark-only, tests/ alone without."""
    other = ROOT / ("tests" if config.getoption("--benchmark-only") else "bench")
    return True if collection_path.is_relative_to(other) else None


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Exit 2 with one line for bad usage, where pytest would exit 4 (its own options' errors still do).

    And 130 where a signal ended what had not become a session that measures yet.
    """
    try:
        code = yield
        return INTERRUPTED if config.getoption("--benchmark-only") and interrupts.asked() else code
    except pytest.UsageError as error:
        sys.stderr.write(f"rnn-roofline: {error}\n")
        return BAD_USAGE


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the plan before anything is collected, so that bad input costs nothing."""
    if not config.getoption("--benchmark-only"):
        for name in OPTIONS:
            if config.getoption(name) is not None:
                raise pytest.UsageError(f"--{name} has no meaning without --benchmark-only")
        return
    if hasattr(config, "workerinput") or getattr(config.option, "numprocesses", None):
        raise pytest.UsageError(
            "benchmarks do not run under pytest-xdist: processes beside one another spoil each other's samples"
        )
    if config.getoption("--help", default=False) or config.getoption("--version", default=0):
        return
    timeout.report_to_a_copy()
    heard = ExitStack()
    heard.enter_context(interrupts.listening())
    config.add_cleanup(heard.close)
    config.pluginmanager.register(Session(config), "rnn-roofline")


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
        self._built: Built | None = None
        self._lost = ""
        self._failed: set[str] = set()
        self._visited = False
        try:
            threads.settle()  # before anything imports torch or numba
            threads.libraries(config.getoption("device"))
            from bench.session import start

            self._start = start.of_suite(**{name: config.getoption(name) for name in OPTIONS})
        except (OneLine, Unavailable) as error:
            raise pytest.UsageError(str(error)) from error

    def begin(self) -> Session:
        """Measure the roofs. Ends the session where it cannot begin."""
        suite = self._start.suite.name
        self._tell(f"measuring the roofs of this machine for suite {suite} ...")
        try:
            self._run = self._start.run()
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
            from bench.session import progress

            self._visited = True
            left = progress.told(self._run.seconds_left(self._selected.values()))
            self._tell(f"{len(self._selected)} points, about {left} of measuring")
            self._run.measure_all(self._selected.values(), self._visit)
        return self._run.known(planned)

    def _visit(self, point: Point) -> bool:
        """A line of progress after each visit; and whether as many points failed as pytest was told to stop at."""
        from bench.session import progress

        assert self._run is not None
        if point.status == "failed":
            self._failed.add(point.key)
        made, wanted = self._run.visits(self._selected.values())
        if made == wanted or monotonic() - self._told >= self._pause:
            left = progress.told(self._run.seconds_left(self._selected.values()))
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

    # pytest's hooks

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
        for item in items:
            item.add_marker(pytest.mark.benchmark(timer=CLOCK))
        found = ((item.nodeid, _parameter(item, "planned")) for item in items)
        self._selected = {node: planned for node, planned in found if planned is not None}

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
        """Whatever ended the session: what was measured is assembled into a profile."""
        interrupts.hold()
        if self._run is not None:
            try:
                self._profile = self._run.finish(self._selected.values())
            except OneLine as error:
                if not self._lost:
                    sys.stderr.write(f"rnn-roofline: {error}\n")
                self._lost = str(error)
        elif self._start.earlier is None:
            with suppress(OSError):
                self._start.folder.rmdir()  # claimed, and nothing was measured; one that holds something stays
        yield
        self._tell_the_end()
        if session.exitstatus == pytest.ExitCode.OK and self._built and self._built.impossible:
            session.exitstatus = FAILED
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            session.exitstatus = BAD_USAGE
        if self._lost:
            session.exitstatus = BAD_USAGE
        elif interrupts.asked():
            session.exitstatus = INTERRUPTED

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
        """Our table; the report is built here, so that a failure to write it is seen."""
        if self._profile is None or self._run is None:
            return
        from reports.analysis.analysis import Analysis
        from reports.locate import BadInput
        from reports.page import build, terminal

        terminalreporter.ensure_newline()
        analysis = Analysis(self._profile)
        if self._profile.points:
            terminal.closing(analysis)
        try:
            self._built = build.build(analysis, self._run.folder)
        except BadInput as error:
            self._lost = str(error)
            sys.stderr.write(f"rnn-roofline: {self._lost}: python -m reports build makes it anew\n")

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
    return session.begin()


@pytest.fixture
def replay() -> Callable[[Any, list[float]], None]:
    """Give pytest-benchmark our samples, one round each."""

    def rounds(benchmark: Any, seconds: list[float]) -> None:
        samples = iter(seconds)

        def pass_time() -> None:
            CLOCK.now += next(samples)

        benchmark.pedantic(pass_time, rounds=len(seconds), iterations=1)

    return rounds
