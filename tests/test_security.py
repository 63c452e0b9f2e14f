"""What SECURITY.md promises: no connection is made, and nothing that is read is run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [
    ROOT / "conftest.py",
    *(path for folder in ("bench", "kernels", "reports") for path in (ROOT / folder).rglob("*.py")),
]
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp"}
RUNS_WHAT_IT_READS = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.hub.load"}
ONE_POINT = """
why = "one point, watched"
[settings]
precision = 0.5
budget_seconds = 0.01
curve_seconds = 0.01
[[group]]
why = "a cell"
cell = "lstm"
hidden = 32
implementation = "torch_cell"
"""
WATCH = """
import os, sys
LOG = os.open(os.environ["WATCHED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
EVENTS = {"socket.bind", "socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
def watch(event, arguments):
    if event in EVENTS:
        os.write(LOG, f"{event} {arguments[1:]!r}\\n".encode())
sys.addaudithook(watch)
os.write(LOG, b"began\\n")
"""


@pytest.fixture
def watched(tmp_path):
    """Run Python with a hook that every Python process below it has; what the hook saw, line by line."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(WATCH)
    log = tmp_path / "log"

    def watched(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "hook"), "WATCHED": str(log)}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return log.read_text().splitlines()

    return watched


@pytest.mark.slow
@pytest.mark.xdist_group("runs")  # one run at a time on a machine
def test_a_run_and_its_report_open_no_socket(tmp_path, watched):
    path = tmp_path / "one.toml"
    path.write_text(ONE_POINT)
    out = tmp_path / "run"
    seen = watched("-m", "pytest", "--benchmark-only", f"--suite={path}", f"--out={out}")
    assert (out / "report.html").exists()
    assert set(seen) == {"began"}


def test_the_watch_sees_a_socket(watched):
    seen = watched("-c", "import socket; socket.socket().bind(('127.0.0.1', 0))")
    assert seen[0] == "began"
    assert seen[1].startswith("socket.bind ")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_of_ours_connects_unpickles_evaluates_or_asks_a_shell(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else names
            assert not {name.split(".")[0] for name in names} & (NETWORK | RUNS_WHAT_IT_READS)
        elif isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in CALLS
            assert not [k for k in node.keywords if k.arg == "shell"]
