"""What SECURITY.md promises: no connection is made, and nothing that is read is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import sockets

ROOT = Path(__file__).parents[1]
FILES = [
    ROOT / "conftest.py",
    *(path for folder in ("bench", "kernels", "reports") for path in (ROOT / folder).rglob("*.py")),
]
NETWORK = {"socket", "ssl", "http", "urllib", "ftplib", "smtplib", "requests", "httpx", "aiohttp"}
RUNS_WHAT_IT_READS = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
CALLS = {"eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.hub.load"}


def test_the_watch_that_a_whole_run_is_under_sees_a_socket(tmp_path):
    """The run: tests/test_runs.py."""
    program = "import socket; socket.socket().bind(('127.0.0.1', 0))"
    below = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}], check=True)"
    )
    for number, code in enumerate((program, below)):
        (tmp_path / str(number)).mkdir()
        done, seen = sockets.watched(tmp_path / str(number), sockets.python("-c", code))
        assert done.returncode == 0
        assert seen[:-1] == ["began"] * (number + 1)
        assert seen[-1].startswith("socket.bind ")


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
