"""The plugin that our configuration names: known before pytest reads its arguments, and before any conftest.py."""

from collections.abc import Generator
from copy import copy
from typing import Any

import pytest

from bench.plugin import configuration, faults, options, refused
from bench.profile import streams
from bench.timing import interrupts

BAD_USAGE = 2
COLUMNS = ["median", "iqr", "rounds"]
"""Of pytest-benchmark's table."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """What else our configuration needs to be read; and streams that take what is printed, before pytest keeps them."""
    streams.open_closed()
    config: Any = pluginmanager.get_plugin("pytestconfig")
    if configuration.is_ours(config) and options.is_given(config, "--benchmark-only"):
        config.add_cleanup(streams.forgive())
    options.add_ini(parser, pluginmanager)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> None:
    """The suite's own options: after those of all other plugins, and before pytest looks for conftest.py.

    Somebody else's tests may have options of the same names.
    """
    if not configuration.is_ours(early_config):
        return
    options.add(parser)
    early_config.known_args_namespace = parser.parse_known_args(
        args, namespace=copy(early_config.option)
    )


@pytest.hookimpl(wrapper=True, tryfirst=True, specname="pytest_cmdline_main")
def pytest_ends_in_order(config: pytest.Config) -> Generator[None, Any, Any]:
    """Exit 2 with one line for bad usage, where pytest would exit 4 (its own options' errors still do).

    And 130 where a signal ended what had not become a session that measures yet.
    """
    measures = options.measures(config) and configuration.is_ours(config)
    if measures:
        faults.in_one_line(config)
    try:
        code = yield
    except pytest.UsageError as error:
        faults.say(str(error))
        return BAD_USAGE
    except Exception as error:
        name = faults.guest(error)
        if not measures or name is None or config.getoption("fulltrace", default=False):
            raise
        faults.say(faults.told(error, name))
        return BAD_USAGE
    if not measures:
        return code
    if interrupts.asked():
        return interrupts.INTERRUPTED
    if reason := streams.lost():
        faults.say(f"what is printed cannot be written: {reason}; nothing else is lost")
        return BAD_USAGE
    return BAD_USAGE if config.stash.get(faults.TOLD, default=False) else code


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Any:
    """Begin anew with our configuration where pytest has read another one; refuse what cannot be had."""
    if not configuration.is_ours(config):
        return None  # tests and benchmarks of somebody else
    if getattr(config.option, "reportchars", None) == "fE":
        config.option.reportchars = "a"  # pytest's default, which tells no reason of a skip
    if not options.measures(config):
        for name in options.ours(config):
            raise pytest.UsageError(f"--{name} has no meaning without --benchmark-only")
        return None
    if config.getoption("help", default=False) or config.getoption("version", default=0):
        return None
    if more := configuration.missing(config):
        given = config.invocation_params
        return pytest.main([*more, *map(str, given.args)], given.plugins)
    for reason in refused.reasons(config):
        raise pytest.UsageError(reason)
    config.option.benchmark_columns = config.option.benchmark_columns or COLUMNS
    return None
