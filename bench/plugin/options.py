"""The options of a run as pytest takes them, and how it is known which options somebody gave."""

import os
import shlex
from argparse import ArgumentError
from typing import Any

import pytest

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
    "wait": ("SECONDS", "that another measurement on this machine may take to end (default 0)"),
    "resume": ("DIR", "go on with the run in this folder, measuring nothing twice"),
}
"""Options by their names, as `bench.session.start.of_suite` takes them: what they are given, and their help."""
KINDS: dict[str, dict[str, Any]] = {
    "implementation": {"action": "append"},
    "seed": {"type": int},
    "wait": {"type": float},
}
"""Of those that are no single text."""
INI_OF = {"cacheprovider": "cache_dir", "skipping": "xfail_strict"}
"""What our configuration says to plugins of pytest's that somebody may do without."""


def add(parser: pytest.Parser) -> None:
    """Our options, where they are not there yet; their help is `pytest --help`, section rnn-roofline.

    Raises pytest.UsageError where another plugin has one of the same name.
    """
    group = parser.getgroup(
        "rnn-roofline",
        "rnn-roofline (with --benchmark-only; example: --suite quick -k 'lstm and resident')",
    )
    if group.options:
        return
    for name, (metavar, words) in OPTIONS.items():
        try:
            group.addoption(f"--{name}", metavar=metavar, help=words, **KINDS.get(name, {}))
        except (ValueError, ArgumentError) as error:
            raise pytest.UsageError(
                f"rnn-roofline: another plugin has an option --{name}, too: leave that plugin out by -p no:NAME, "
                "as pytest --trace-config names it"
            ) from error


def add_ini(parser: pytest.Parser, manager: pytest.PytestPluginManager) -> None:
    """What our configuration says to plugins of pytest's that are blocked: then it is said to nobody."""
    for plugin, key in INI_OF.items():
        if manager.is_blocked(plugin):
            parser.addini(key, f"read by no plugin: {plugin} is blocked")


def measures(config: pytest.Config) -> bool:
    """Whether this is `pytest --benchmark-only`."""
    return bool(config.getoption("--benchmark-only", default=False))


def ours(config: pytest.Config) -> list[str]:
    """Which of our options are given."""
    return [name for name in OPTIONS if config.getoption(name, default=None) is not None]


def is_given(config: Any, *names: str) -> bool:
    """Whether one of these options was given, on the command line or in PYTEST_ADDOPTS."""
    words = [*config.invocation_params.args, *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    return any(str(word).partition("=")[0] in names for word in words)
