"""Every case that was tried, in the order of the document that lists them."""

from __future__ import annotations

from tests.guests import FOUND, KEPT, NOTHING, REFUSED, UNSEEN, Case
from tests.guests.plugin_cases import APART, HALF_WAY, PLUGINS

NO_POINT = "nothing is named, so nothing is measured"
REPLAY = "it would profile the replay of samples, and not a step"
NO_EFFECT = "has no effect: samples are taken by this suite's method"
AFTERWARDS = "what was measured is reported; what could not be written is told in a line"
BLOCKED = "a run needs this plugin of pytest's"


def options(*every: str, **more: object) -> list[Case]:
    """A case for each option, called as the option."""
    return [Case(one.replace("{tmp}", "DIR"), (one,), **more) for one in every]  # type: ignore[arg-type]


def blocked(*every: str, **more: object) -> list[Case]:
    """A case for each plugin of pytest's that is blocked."""
    return [Case(f"-p no:{one}", ("-p", f"no:{one}"), **more) for one in every]  # type: ignore[arg-type]


def variables(*every: str, **more: object) -> list[Case]:
    """A case for each variable of the environment."""
    return [
        Case(
            one.replace("{tmp}", "DIR").replace("{other}", "DIR"),
            env=dict([one.split("=", 1)]),
            **more,
        )  # type: ignore[arg-type]
        for one in every
    ]


def encoded(*every: str) -> list[Case]:
    """A case for each encoding of what is printed."""
    return variables(*(f"PYTHONIOENCODING={one}" for one in every), always=True)


CASES: dict[str, list[Case]] = {
    "Our options, and where a run is started": [
        Case("nothing else", always=True),
        Case(
            "--out DIR, which is there",
            ("--suite={suite}", "--out", "{empty}"),
            bare=True,
            always=True,
        ),
        Case("--resume DIR in the checkout", ("--resume", "{inside}"), bare=True, always=True),
        Case("--resume DIR elsewhere", ("--resume", "{begun}"), bare=True, always=True),
        Case("--resume=DIR elsewhere", ("--resume={begun}",), bare=True),
        Case("--wait=60", ("--wait=60",), always=True),
        Case("--wait=-1", ("--wait=-1",), REFUSED, "seconds from 0 are asked for"),
        Case(
            "--resume DIR, from reports/",
            ("--resume", "{inside}"),
            bare=True,
            start="{root}/reports",
        ),
        Case("--suite FILE", ("--suite", "{suite}", "--out={out}"), bare=True),
        Case("from reports/", start="{root}/reports", always=True),
        Case("from /", start="/", always=True),
        Case("from /, with the checkout", ("{root}",), start="/"),
        Case("from /, -c", ("-c", "{root}/pyproject.toml"), start="/"),
        Case("--rootdir", ("--rootdir={tmp}",)),
        Case("-o addopts=", ("--override-ini=addopts=",), always=True),
        Case("bench/test_steps.py", ("bench/test_steps.py",)),
        Case("bench/test_steps.py::test_step", ("bench/test_steps.py::test_step",)),
        Case(
            "tests/test_docs.py",
            ("tests/test_docs.py",),
            REFUSED,
            "no benchmark is there",
            always=True,
        ),
        Case(
            "-k nothing",
            ("-k", "nothing_like_that"),
            "exit code 2: nothing",
            NO_POINT,
        ),
        Case("--deselect", ("--deselect=bench/test_roofs.py",)),
    ],
    "pytest-benchmark's options": [
        Case("--benchmark-json", ("--benchmark-json={tmp}/f.json",)),
        Case(
            "--benchmark-json, no folder",
            ("--benchmark-json={tmp}/no/f.json",),
            REFUSED,
            "every point would be measured first, and the JSON lost",
            always=True,
        ),
        Case("--benchmark-json, a folder", ("--benchmark-json={tmp}",), REFUSED, "as above"),
        Case("--benchmark-group-by=func", ("--benchmark-group-by=func",)),
        Case(
            "--benchmark-group-by=param:cell",
            ("--benchmark-group-by=param:cell",),
            REFUSED,
            "pytest-benchmark would raise KeyError at the end",
            always=True,
        ),
        Case(
            "--benchmark-group-by=unknown",
            ("--benchmark-group-by=unknown",),
            REFUSED,
            "pytest-benchmark would raise NotImplementedError at the end",
        ),
        Case(
            "--benchmark-histogram",
            ("--benchmark-histogram={tmp}/h",),
            REFUSED,
            "without pygal",
            always=True,
        ),
        Case(
            "--benchmark-histogram, pygal",
            ("--benchmark-histogram={tmp}/h",),
            plugins=("metadata",),
            always=True,
        ),
        Case(
            "--benchmark-compare, none saved",
            ("--benchmark-compare", "--benchmark-storage={tmp}/s"),
        ),
        Case(
            "--benchmark-compare-fail alone",
            ("--benchmark-compare-fail=min:5%",),
            REFUSED,
            "pytest-benchmark would raise UsageError at the end",
            always=True,
        ),
        Case(
            "--benchmark-compare-fail, none saved",
            (
                "--benchmark-compare-fail=min:5%",
                "--benchmark-compare",
                "--benchmark-storage={tmp}/s",
            ),
            REFUSED,
            "as above",
            always=True,
        ),
        Case(
            "--benchmark-compare-fail, slower",
            (),
            FOUND,
            "pytest-benchmark says what is slower, and headline and report are there",
            ("regresses",),
            always=True,
        ),
        Case("--benchmark-save", ("--benchmark-save=x", "--benchmark-storage={tmp}/s")),
        Case(
            "--benchmark-save, not writable",
            ("--benchmark-save=x", "--benchmark-storage=/proc/none"),
            KEPT,
            AFTERWARDS,
            always=True,
        ),
        Case(
            "--benchmark-storage=elasticsearch",
            ("--benchmark-save=x", "--benchmark-storage=elasticsearch+http://nowhere.invalid/x"),
            REFUSED,
            "without its package",
        ),
        Case("--benchmark-autosave", ("--benchmark-autosave", "--benchmark-storage={tmp}/s")),
        *options("--benchmark-cprofile=tottime", expect=REFUSED, why=REPLAY, always=True),
        *options("--benchmark-cprofile-dump={tmp}/d", expect=REFUSED, why=REPLAY),
        *options("--benchmark-disable", expect=REFUSED, why="pytest-benchmark's own"),
        *options("--benchmark-min-rounds=1", expect=REFUSED, why=NO_EFFECT, always=True),
        *options(
            *("--benchmark-max-time=1", "--benchmark-min-time=1", "--benchmark-warmup=on"),
            *("--benchmark-timer=time.process_time", "--benchmark-precision=0.02"),
            expect=REFUSED,
            why=NO_EFFECT,
        ),
        *options(
            *("--benchmark-skip", "--benchmark-disable-gc", "--benchmark-sort=name"),
            *(
                "--benchmark-columns=min,max,ops",
                "--benchmark-name=trial",
                "--benchmark-time-unit=ns",
            ),
            *("--benchmark-verbose", "--benchmark-quiet"),
        ),
    ],
    "pytest's own options and plugins": [
        *blocked("cacheprovider", always=True),
        *blocked("terminal", expect=UNSEEN, why="nothing is printed", always=True),
        *blocked("benchmark", "skipping", "python", expect=REFUSED, why=BLOCKED),
        *blocked(
            *("capture", "warnings", "logging", "faulthandler", "tmpdir", "junitxml", "stepwise"),
            *("terminalprogress", "unraisableexception", "assertion", "recwarn"),
        ),
        *options("-Werror", "--durations=5", always=True),
        *options(
            *(
                "-x",
                "--maxfail=1",
                "-q",
                "-qq",
                "-v",
                "-vv",
                "-rA",
                "-s",
                "--tb=no",
                "--capture=sys",
            ),
            *(
                "--capture=tee-sys",
                "--color=yes",
                "--junitxml={tmp}/a/j.xml",
                "--lf",
                "--nf",
                "--sw",
            ),
            *(
                "--import-mode=importlib",
                "--import-mode=append",
                "--disable-warnings",
                "--no-header",
            ),
            *(
                "--no-summary",
                "--log-file=/no/such/log",
                "--log-cli-level=DEBUG",
                "--runxfail",
                "--pdb",
            ),
            *(
                "--pyargs",
                "--basetemp={tmp}/bt",
                "--debug={tmp}/d",
                "--assert=plain",
                "--setup-show",
            ),
            *("--doctest-modules", "--disable-plugin-autoload", "--strict", "--keep-duplicates"),
        ),
        *options("--junitxml=/proc/none/j.xml", expect=KEPT, why=AFTERWARDS, always=True),
        *options("--noconftest", expect=REFUSED, why="the suite is conftest.py", always=True),
        *options(
            "--setup-only", "--trace", expect="exit code 1: 0 of 6 points", why="measures no point"
        ),
        *options("--collect-only", "--fixtures", "--markers", "--help", expect=NOTHING),
        Case("-o faulthandler_timeout=1", ("-o", "faulthandler_timeout=1"), REFUSED, HALF_WAY),
        Case("-n 2", ("-n", "2"), REFUSED, APART, plugins=("xdist",), always=True),
        Case("-n 0", ("-n", "0"), plugins=("xdist",)),
        Case("-d --tx=2*popen", ("-d", "--tx=2*popen"), REFUSED, APART, plugins=("xdist",)),
        Case("--looponfail", ("-f",), REFUSED, APART, plugins=("xdist", "xdist.looponfail")),
    ],
    **PLUGINS,
    "Variables of the environment": [
        *encoded("ascii", "latin-1"),
        *variables("PYTHONIOENCODING=cp1252", "PYTHONIOENCODING=ascii:strict"),
        Case(
            "LANG=C, PYTHONUTF8=0",
            env={"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ),
        *variables("PYTHONWARNINGS=error", "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1", always=True),
        *variables(
            "PYTHONTRACEMALLOC=5", expect=REFUSED, why="a run took 20 times as long", always=True
        ),
        *variables(
            "NUMBA_DISABLE_JIT=1",
            expect=REFUSED,
            why="what is compiled would run as Python",
            always=True,
        ),
        *variables("NUMBA_NUM_THREADS=0", expect=REFUSED, why="numba's own"),
        *variables("PYTEST_ADDOPTS=--benchmark-json={tmp}/f.json -v"),
        *variables("PYTEST_ADDOPTS=-n2", expect=REFUSED, why=APART),
        *variables("PYTHONPATH={other}", always=True),
        *variables(
            *("HOME=/nonexistent", "TMPDIR=/nonexistent", "USER=", "PATH=/nonexistent", "LANG=C"),
            *(
                "LC_ALL=de_DE.ISO-8859-1",
                "LC_ALL=xx_YY.UTF-8",
                "COLUMNS=40",
                "NO_COLOR=1",
                "CI=true",
            ),
            *("FORCE_COLOR=1", "PY_COLORS=1", "TERM=dumb", "TZ=Nowhere/X", "MPLBACKEND=TkAgg"),
            *("MPLCONFIGDIR=/proc/none", "NUMBA_CACHE_DIR=/proc/none", "XDG_CACHE_HOME=/proc/none"),
            *(
                "PYTHONPYCACHEPREFIX=/proc/none",
                "PYTHONOPTIMIZE=1",
                "PYTHONOPTIMIZE=2",
                "PYTHONSAFEPATH=1",
            ),
            *(
                "PYTHONDEVMODE=1",
                "PYTHONMALLOC=debug",
                "PYTHONDONTWRITEBYTECODE=1",
                "PYTHONASYNCIODEBUG=1",
            ),
            *(
                "PYTHONWARNINGS=error::DeprecationWarning",
                "PYTEST_PLUGINS=pytester",
                "PYTEST_DEBUG=1",
            ),
            *(
                "GITHUB_ACTIONS=true",
                "TEAMCITY_VERSION=1",
                "OMP_NUM_THREADS=abc",
                "OMP_NUM_THREADS=2,1",
            ),
            *("MKL_NUM_THREADS=1", "KMP_AFFINITY=disabled", "TORCH_COMPILE_DISABLE=1"),
        ),
    ],
    "Streams, limits and folders": [
        Case(
            "piped to head",
            (),
            UNSEEN,
            "it is measured and reported all the same",
            shell="{command} | head -3; exit ${PIPESTATUS[0]}",
            always=True,
        ),
        Case("standard output closed", (), UNSEEN, shell="{command} >&-", always=True),
        Case("standard error closed", shell="{command} 2>&-"),
        Case("standard input closed", shell="{command} <&-"),
        Case("all three closed", (), UNSEEN, shell="{command} <&- >&- 2>&-"),
        Case(
            "standard output on a full disk",
            (),
            "exit code 2: 6 of 6 points",
            "measured and reported; a line says that what is printed was lost",
            shell="{command} >/dev/full",
            always=True,
        ),
        Case("a terminal of 40 columns", shell="script -qec 'stty cols 40; {command}' /dev/null"),
        Case("umask 077", shell="umask 077; {command}"),
        Case("ulimit -n 64", shell="ulimit -n 64; {command}"),
        Case(
            "a disk too full for the report",
            (),
            "exit code 2: 6 of 6 points, no report",
            "the profile stands; a line says how to make the report anew",
            shell="ulimit -f 100; {command}",
        ),
        Case(
            "started in a folder that was deleted",
            (),
            "a traceback, exit code 1: nothing",
            "pytest's own, before any plugin",
            shell="mkdir {tmp}/gone; cd {tmp}/gone; rmdir {tmp}/gone; {command}",
        ),
    ],
}
"""By what they are about."""
