"""Cases of plugins of pytest that others wrote, and of such as nobody has named."""

from __future__ import annotations

from tests.guests import FOUND, REFUSED, THEIRS, Case

APART = "tests at once, or each in a process of its own, spoil each other's samples"
HALF_WAY = "all points are measured while the first test runs: it would end the run half-way"

PLUGINS: dict[str, list[Case]] = {
    "Other plugins": [
        Case("pytest-forked", ("--forked",), REFUSED, APART, ("pytest_forked",), always=True),
        Case(
            "pytest-run-parallel",
            ("--parallel-threads=2",),
            REFUSED,
            APART,
            ("run-parallel",),
            always=True,
        ),
        Case("pytest-run-parallel, unused", plugins=("run-parallel",)),
        Case("pytest-parallel", ("--workers=2",), REFUSED, APART, ("parallel",), always=True),
        Case("pytest-timeout", ("--timeout=60",), REFUSED, HALF_WAY, ("timeout",), always=True),
        Case(
            "pytest-timeout, of a session",
            ("--session-timeout=2",),
            REFUSED,
            HALF_WAY,
            ("timeout",),
        ),
        Case(
            "pytest-timeout, by variable",
            (),
            REFUSED,
            HALF_WAY,
            ("timeout",),
            {"PYTEST_TIMEOUT": "3"},
        ),
        Case("pytest-timeout, unused", plugins=("timeout",)),
        Case(
            "pytest-cov",
            ("--cov=kernels", "--cov=bench", "--cov-report="),
            why="paused while steps are timed",
            plugins=("pytest_cov",),
            env={"COVERAGE_FILE": "{tmp}/cov"},
            always=True,
        ),
        Case(
            "coverage run",
            why="paused while steps are timed",
            plugins=("metadata",),
            via=("-m", "coverage", "run"),
            env={"COVERAGE_FILE": "{tmp}/cov"},
        ),
        Case(
            "python -m cProfile",
            why="paused while steps are timed",
            via=("-m", "cProfile", "-o", "{tmp}/p"),
        ),
        Case(
            "pytest-profiling",
            ("--profile", "--pstats-dir={tmp}"),
            plugins=("profiling",),
            always=True,
        ),
        Case(
            "pytest-memray",
            ("--memray",),
            REFUSED,
            "it follows every allocation while steps are timed",
            ("memray",),
            always=True,
        ),
        Case("pytest-rerunfailures", ("--reruns=2",), plugins=("rerunfailures",), always=True),
        Case("pytest-repeat", ("--count=2",), plugins=("repeat",), always=True),
        Case("pytest-flakefinder", ("--flake-finder", "--flake-runs=2"), plugins=("flakefinder",)),
        Case(
            "pytest-randomly",
            ("-p", "randomly", "--randomly-seed=3"),
            plugins=("randomly",),
            always=True,
        ),
        Case("pytest-random-order", ("--random-order",), plugins=("random_order",)),
        Case("pytest-order", plugins=("pytest_order",)),
        Case("pytest-sugar", plugins=("sugar",), always=True),
        Case("pytest-pretty", plugins=("pretty",)),
        Case("pytest-instafail", ("--instafail",), plugins=("instafail",)),
        Case(
            "pytest-html", ("--html={tmp}/r.html",), plugins=("html", "html_fixtures", "metadata")
        ),
        Case(
            "pytest-html, not writable",
            ("--html=/proc/none/r.html",),
            REFUSED,
            "pytest-html's own, before anything is measured",
            ("html", "html_fixtures", "metadata"),
            always=True,
        ),
        Case(
            "pytest-json-report",
            ("--json-report", "--json-report-file={tmp}/j"),
            plugins=("pytest_jsonreport", "metadata"),
        ),
        Case("pytest-reportlog", ("--report-log={tmp}/r",), plugins=("pytest_reportlog",)),
        Case("pytest-socket", ("--disable-socket",), plugins=("socket",)),
        Case("pytest-asyncio", plugins=("asyncio",)),
        Case(
            "pytest-testmon",
            ("--testmon",),
            plugins=("pytest-testmon",),
            env={"TESTMON_DATAFILE": "{tmp}/t"},
        ),
        Case(
            "pytest-split",
            ("--splits=2", "--group=1"),
            "0 of 6 points",
            "of two groups of tests the first are the roofs",
            ("pytest-split",),
        ),
        Case(
            "pytest-monitor",
            ("--db={tmp}/m",),
            FOUND,
            "1.6.6 fails by itself with pytest 9; what was measured is reported",
            ("monitor",),
        ),
        Case(
            "pytest-playwright",
            (),
            THEIRS,
            "it has an option --device, too: `-p no:playwright`",
            ("playwright", "base_url"),
            always=True,
        ),
    ],
    "Plugins that nobody has named": [
        Case(
            "one that fails a test while roofs are measured",
            (),
            "exit code 1: nothing",
            "one failure for the run",
            ("fails_in_roofs",),
            says=" 1 error in ",
            always=True,
        ),
        Case(
            "one that fails a test amid points",
            (),
            "exit code 1: 1 of 6 points",
            "what was measured is reported, and --resume goes on",
            ("fails_in_points",),
            always=True,
        ),
        Case(
            "one that breaks the report",
            (),
            "exit code 2: 6 of 6 points, no report",
            "the profile is written, and a line says why there is no report",
            ("breaks_the_report",),
            says="the report cannot be made: TypeError",
            always=True,
        ),
    ],
}
"""By what they are about."""
