"""Planted errors: wrong formulas and signs, each of which a test must catch. `errors.toml` holds them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("bench", "kernels", "reports", "tests", "conftest.py", "pyproject.toml")
SECONDS = 300


@dataclass(frozen=True)
class Planted:
    """One error: what is wrong, the text that makes it so, and the tests that must fail."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    needs: str | None = None

    @property
    def here(self):
        """Whether this checkout has the file and the tests, and this Python what these need: else they are skipped."""
        if self.needs and not _installed(self.needs):
            return False
        files = (path.split("::")[0] for path in (self.file, *self.tests))
        return all((ROOT / path).exists() for path in files)

    @property
    def times(self):
        """How often the text to be changed stands in the file: once, or the error no longer fits."""
        return (ROOT / self.file).read_text(encoding="utf-8").count(self.old)


def _installed(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # what it would lie in
        return False


def all_of_them():
    """Every error of `errors.toml`."""
    data = tomllib.loads((Path(__file__).parent / "errors.toml").read_text(encoding="utf-8"))
    return [Planted(**error, tests=tuple(data["tests"][error["file"]])) for error in data["error"]]


def copy_tree(folder):
    """The tree as it stands, for errors to be planted in."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "gallery", "runs")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy2(source, folder / name)


def run_tests(folder, tests):
    """pytest's exit code in a copy of the tree: 0 all passed, 1 one failed, others that they could not be run."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", *tests]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
        timeout=SECONDS,
    ).returncode


def plant(folder, error):
    """Whether the tests fail with the error in the copy of the tree, which is mended afterwards."""
    path = folder / error.file
    right = path.read_text(encoding="utf-8")
    path.write_text(right.replace(error.old, error.new), encoding="utf-8")
    try:
        return run_tests(folder, error.tests) == 1
    finally:
        path.write_text(right, encoding="utf-8")
