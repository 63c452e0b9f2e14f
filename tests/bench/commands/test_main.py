"""What `python -m bench` and `python -m reports` say where a package is missing; and that what there is, is listed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.profile import suite

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("package", "command", "verb"),
    [
        ("msgspec", "bench", ["list"]),
        ("psutil", "bench", ["list"]),
        ("msgspec", "reports", ["headline", "latest"]),
        ("jinja2", "reports", ["build", "2026-11-23-epyc-2-cores", "--out"]),
    ],
)
def test_a_package_that_is_missing_is_told_in_one_line(tmp_path, package, command, verb):
    arguments = [*verb, str(tmp_path)] if verb[-1] == "--out" else verb
    without = f"import sys; sys.modules[{package!r}] = None; from {command}.__main__ import main; "
    call = f"sys.exit(main({arguments!r}))"
    ran = subprocess.run(
        [sys.executable, "-c", without + call],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert f": {package} cannot be imported (" in line
    assert line.endswith(": make venv installs what is needed")


def test_every_suite_is_listed_on_a_machine_without_a_gpu(capsys):
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    for name in suite.names():
        assert re.search(rf"^suite {name}\b.*: [1-9]\d* points", said, re.MULTILINE)
    assert len(suite.load("card", "cuda", 2, 0).points) == int(
        re.search(r"suite card: (\d+)", said)[1]
    )


@pytest.mark.parametrize("command", ["python -m bench list", "python -m reports headline {run}"])
@pytest.mark.parametrize(
    ("shell", "code"),
    [
        ("{command} >/dev/full", 2),
        ("{command} | true; exit ${{PIPESTATUS[0]}}", 0),
        ("{command} >&-", 0),
        ("PYTHONIOENCODING=ascii {command}", 0),
    ],
)
def test_what_cannot_be_printed_is_no_traceback(command, shell, code):
    run = min((ROOT / "reports" / "gallery").iterdir()).name
    line = shell.format(command=command.format(run=run).replace("python", sys.executable, 1))
    ran = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == code, ran.stderr
    assert len(ran.stderr.splitlines()) == bool(code)
