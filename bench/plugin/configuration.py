"""Whose configuration holds, and where benchmarks are looked for, wherever pytest was started.

pytest looks for its configuration above the first existing paths among its arguments, before it knows our options. So
`--resume DIR`, in two words, makes it read the configuration above DIR. And where it is not started in the checkout
it looks for tests in the folder where it is.
"""

from pathlib import Path

import pytest

from bench.plugin import options

FILE = "pyproject.toml"
THIS = "bench/plugin/configuration.py"
"""This file, as a checkout has it."""


def root(folder: Path) -> Path:
    """The checkout around a folder; else the one that this file belongs to."""
    return next(
        (above for above in (folder, *folder.parents) if (above / THIS).is_file()),
        Path(__file__).parents[2],
    )


def is_read(config: pytest.Config) -> bool:
    """Whether pytest has read the configuration of the checkout that it is started for."""
    ours = root(config.invocation_params.dir) / FILE
    return config.inipath is not None and config.inipath.samefile(ours)


def is_ours(config: pytest.Config) -> bool:
    """Whether pytest is started in a checkout or for one, and not with somebody else's tests in its environment."""
    here = config.invocation_params.dir
    inside = here.is_relative_to(root(here)) and not _is_nested(config)
    return inside or is_read(config) or _asks_for_a_run(config)


def _is_nested(config: pytest.Config) -> bool:
    """Whether pytest has read the configuration of somebody else's tests that lie within the checkout, around it."""
    here, read = config.invocation_params.dir, config.inipath
    if read is None or is_read(config):
        return False
    return here.is_relative_to(read.parent) and read.parent.is_relative_to(root(here))


def _asks_for_a_run(config: pytest.Config) -> bool:
    """By our options, from where there are neither tests nor a configuration of somebody else."""
    if config.inipath is not None or (config.invocation_params.dir / "conftest.py").exists():
        return False
    ours = (f"--{name}" for name in options.OPTIONS)
    return options.is_given(config, "--benchmark-only") and options.is_given(config, *ours)


def missing(config: pytest.Config) -> list[str]:
    """The arguments that pytest has to be given for a run, so that it reads our configuration and finds bench/."""
    here = config.invocation_params.dir
    checkout = root(here)
    found = []
    if not config.getoption("inifilename", default=None) and not is_read(config):
        found += ["-c", str(checkout / FILE)]
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    if not named and here != checkout:
        found += [str(checkout / "bench")]
    return found
