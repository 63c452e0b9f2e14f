"""Runs as people start them: with any options, other plugins of pytest, from other folders, in other environments.

`cases.py` lists them; a run of one is a process of its own, with made-up roofs and short samples, so its figures mean
nothing. Plugins lie in a folder of their own, which `make guests` fills, and are loaded by name alone: no other run of
pytest here has them.

    python -m tests.guests                                  # every case, a line each
    python -m tests.guests --of ../other 'cov*' resume      # some, of another checkout
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PLUGINS = ROOT / ".cache" / "guests"
"""Where `make guests` installs them."""
SUITE = """
why = "a few points, for tests"
[settings]
precision = 0.5
budget_seconds = 0.01
curve_seconds = 0.01
[[group]]
why = "three cells by two implementations"
hidden = 32
batch = 2
implementation = ["torch_cell", "torch_gates"]
"""
POINTS = 6
LONGEST = 300.0
"""Seconds of a case."""

MEASURED = "measured"
"""All points, the report, the headline, exit code 0."""
REFUSED = "refused"
"""One line on standard error, nothing measured, exit code 2."""
KEPT, FOUND = "kept, exit code 2", "kept, exit code 1"
"""All points, the report and the headline; but another plugin could not do something, or found something."""
UNSEEN = "measured, unseen"
"""As measured, with a headline that nobody could read."""
NOTHING = "nothing asked"
"""Exit code 0, and nothing was to be measured."""
THEIRS = "pytest's own error"
"""Exit code 4, or 3 where a plugin cannot be imported: pytest ended before the suite was asked."""


@dataclass(frozen=True)
class Case:
    """One way to start a run. In texts stand {tmp}, {out}, {root}, {suite}, {empty}, {begun}, {inside} and {other}.

    options  of pytest, beside --benchmark-only, --suite and --out; `bare`: instead of the last two
    plugins  that are loaded, as their entry points are called
    start    where it is started; elsewhere than in the checkout by the command `pytest`
    shell    a line for bash, in which {command} stands for the command
    via      what python is given before -m pytest
    expect   how it ends; `why` is told where that is no plain success; `says` is among what it prints
    always   whether the tests try it, too
    """

    name: str
    options: tuple[str, ...] = ()
    expect: str = MEASURED
    why: str = ""
    plugins: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    start: str = "{root}"
    bare: bool = False
    shell: str = ""
    via: tuple[str, ...] = ()
    says: str = ""
    always: bool = False


@dataclass(frozen=True)
class Ended:
    """How a case ended. `outcome` is one of the words above, or says what else was seen."""

    outcome: str
    code: int
    line: str
    output: str
    folder: Path


def run(case: Case, folder: Path, checkout: Path = ROOT, python: str = sys.executable) -> Ended:
    """Run a case of a checkout to its end, in a folder that is empty."""
    places = _places(folder, checkout)
    out = places["out"]
    for name in ("begun", "inside", "empty"):
        if any(f"{{{name}}}" in option for option in case.options):
            out = places[name]

    def filled(text: str) -> str:
        for name, place in places.items():
            text = text.replace(f"{{{name}}}", str(place))
        return text

    if out in (places["begun"], places["inside"]):
        _begin(out, folder, places["suite"], checkout, python)
    options = [] if case.bare else [f"--suite={places['suite']}", f"--out={out}"]
    words = [*options, *map(filled, case.options), *_loading(case)]
    command = [python, *map(filled, case.via), "-m", "pytest", "--benchmark-only", *words]
    start = Path(filled(case.start))
    if start != checkout:
        command = [str(Path(python).with_name("pytest")), "--benchmark-only", *words]
    if case.shell:
        line = filled(case.shell).replace("{command}", shlex.join(command))
        command = ["bash", "-c", line]
    environment = _environment(folder, case)
    environment |= {name: _joined(name, filled(v), environment) for name, v in case.env.items()}
    try:
        done = subprocess.run(
            command,
            cwd=start,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=LONGEST,
        )
        ready = out != places["out"]
        ended = _told(done.returncode, done.stdout, done.stderr, out, folder, ready=ready)
        if case.says not in ended.output:
            ended = replace(ended, outcome=f"{ended.outcome}, and does not say {case.says!r}")
    except subprocess.TimeoutExpired as error:
        ended = Ended("it hangs", -1, "", str(error.stdout), folder)
    if out == places["inside"]:
        shutil.rmtree(out, ignore_errors=True)
    return ended


def _places(folder: Path, checkout: Path) -> dict[str, Path]:
    """What stands in a case's texts; `other` holds packages called as ours are."""
    places = {
        "tmp": folder,
        "out": folder / "run",
        "root": checkout,
        "suite": folder / "tiny.toml",
        "empty": folder / "empty",
        "begun": folder / "begun",
        "inside": checkout / "reports" / "runs" / f"guest-{os.getpid()}",
        "other": folder / "other",
    }
    places["suite"].write_text(SUITE)
    places["empty"].mkdir()
    for name in ("tests", "kernels", "bench", "reports"):
        (places["other"] / name).mkdir(parents=True)
        (places["other"] / name / "__init__.py").write_text("")
    return places


def _environment(folder: Path, case: Case) -> dict[str, str]:
    mine = {name: v for name, v in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    found = {
        **mine,
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GUEST_LOCK": str(folder / "lock"),
        "PYTHONPATH": str(HERE),
        "PYTEST_PLUGINS": "cheap_runs",
    }
    if case.plugins:
        found["PYTHONPATH"] += f":{PLUGINS}"
        found["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    return found


def _joined(name: str, value: str, before: dict[str, str]) -> str:
    """What a case adds to, where this file sets something itself."""
    joined = {"PYTHONPATH": ":", "PYTEST_PLUGINS": ","}
    return f"{value}{joined[name]}{before[name]}" if name in joined else value


def _loading(case: Case) -> list[str]:
    """pytest-benchmark is loaded by name too: a checkout of before may not name it itself."""
    named = [word for name in ("benchmark", *case.plugins) for word in ("-p", name)]
    return named if case.plugins else []


def _begin(run: Path, folder: Path, suite: Path, checkout: Path, python: str) -> None:
    """Leave a run there that ended after half of its points."""
    environment = _environment(folder, Case("begun"))
    command = [python, "-m", "pytest", "--benchmark-only", f"--suite={suite}", f"--out={run}"]
    subprocess.run(command, cwd=checkout, env=environment, capture_output=True, check=True)
    journal = run / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    points = [number for number, line in enumerate(lines) if line.startswith('{"point"')]
    journal.write_text("".join(lines[: points[len(points) // 2]]))
    for path in run.iterdir():
        if path.name not in ("journal.jsonl", "suite.toml"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _told(code: int, out: bytes, err: bytes, run: Path, folder: Path, *, ready: bool) -> Ended:
    """How it ended, by its exit code, its output and its folder; `ready` where that was there before."""
    said, failed = (stream.decode(errors="replace") for stream in (out, err))
    output = f"{said}\n{failed}"
    lines = [line for line in failed.splitlines() if line.startswith("rnn-roofline: ")]
    good = complete = None
    if (run / "profile.json").exists():
        profile = json.loads((run / "profile.json").read_text())
        good, complete = (
            sum(one["status"] == "ok" for one in profile["points"]),
            profile["complete"],
        )
    whole = good == POINTS and complete and (run / "report.html").exists()
    headline = str(run / "report.html") in said
    traceback = "Traceback (most recent call last)" in output or "INTERNALERROR" in output
    points = "nothing" if good is None else f"{good} of {POINTS} points"
    report = "" if (run / "report.html").exists() or good is None else ", no report"
    if traceback:
        outcome = f"a traceback, exit code {code}: {points}{report}"
    elif code == 0 and whole:
        outcome = MEASURED if headline else UNSEEN
    elif code == 0:
        outcome = NOTHING if good is None else f"{points}{report}"
    elif code == 1 and whole and headline:
        outcome = FOUND
    elif code == 2 and whole and headline and len(lines) == 1:
        outcome = KEPT
    elif code == 2 and good is None and len(lines) == 1:
        outcome = f"{REFUSED}, and leaves a folder" if run.exists() and not ready else REFUSED
    elif code in (3, 4) and good is None:
        outcome = THEIRS
    else:
        outcome = f"exit code {code}: {points}{report}"
    return Ended(outcome, code, lines[-1] if lines else "", output, folder)


def every(cases: list[Case], checkout: Path, python: str) -> int:
    """Run these cases and print a line for each. Returns how many ended otherwise than expected."""
    wrong = 0
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            ended = run(case, Path(folder), checkout, python)
        mark = "" if ended.outcome == case.expect else f"  NOT {case.expect}"
        wrong += bool(mark)
        sys.stdout.write(f"{case.name:40} {ended.code:4} {ended.outcome}{mark}\n")
        sys.stdout.flush()
    return wrong
