"""What another plugin raises is told in one line, and costs nothing that was measured."""

import sys
import traceback
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
"""The checkout."""
CALLER = "_multicall"
"""The function in which pluggy calls what plugins have written for a hook."""
TOLD = pytest.StashKey[bool]()
"""Whether another plugin's error ended the session, and was told."""


def guest(error: BaseException) -> str | None:
    """The package whose hook raised an error; None where it was the suite's own, or no hook's.

    pluggy calls every hook from one function: the frame after the innermost one of that function is the hook's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    called = [number for number, frame in enumerate(frames, 1) if frame.name == CALLER]
    if not called or called[-1] == len(frames):
        return None
    file = Path(frames[called[-1]].filename)
    around = [Path(place) for place in sys.path if place and file.is_relative_to(place)]
    place = max(around, key=lambda one: len(one.parts), default=file.parent)
    if place == ROOT:
        return None
    name = file.relative_to(place).parts[0].removesuffix(".py")
    return "pytest" if name == "_pytest" else name


def kind(error: BaseException) -> str:
    """An error's type, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def told(error: BaseException, name: str) -> str:
    """One line for an error of a package."""
    return f"{name} failed: {kind(error)} (--full-trace tells where)"


def say(line: str) -> None:
    """One line on standard error."""
    sys.stderr.write(f"rnn-roofline: {line}\n")


def in_one_line(config: pytest.Config) -> None:
    """Let pytest tell an error of another package so, where it would print its traceback as an internal error."""
    notify = config.notify_exception

    def notified(excinfo: pytest.ExceptionInfo[BaseException], option: object = None) -> None:
        name = guest(excinfo.value)
        if name is None or config.getoption("fulltrace", default=False):
            notify(excinfo, option)  # type: ignore[arg-type]
        else:
            config.stash[TOLD] = True
            say(told(excinfo.value, name))

    config.notify_exception = notified  # type: ignore[method-assign]
