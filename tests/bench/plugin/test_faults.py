"""Whose error it was: a plugin's, pytest's, or the suite's own, which alone is worth a traceback."""

from __future__ import annotations

import pluggy
import pytest

from bench.plugin import faults


@pytest.fixture
def raised(tmp_path, monkeypatch):
    """Have a hook raise that stands in a file, and give the error as it arrives."""

    def run(source, name, folder=None):
        if folder is None:
            monkeypatch.syspath_prepend(tmp_path)
        path = tmp_path / f"{name}.py"
        path.write_text(source)
        scope = {}
        where = str((folder or tmp_path) / path.name)
        exec(compile(source, where, "exec"), scope)
        manager = pluggy.PluginManager("pytest")
        spec = pluggy.HookspecMarker("pytest")

        class Specs:
            @spec
            def pytest_at_the_end(self): ...

        manager.add_hookspecs(Specs)
        mark = pluggy.HookimplMarker("pytest")

        class Plugin:
            pytest_at_the_end = staticmethod(mark(scope["hook"]))

        manager.register(Plugin)
        with pytest.raises(Exception) as info:  # noqa: PT011 - of whatever kind
            manager.hook.pytest_at_the_end()
        return info.value

    return run


LIBRARY = "import json\ndef hook():\n    json.loads('{')\n"


def test_a_plugin_is_to_blame_for_what_its_hook_calls(raised):
    assert faults.guest(raised(LIBRARY, "theirs")) == "theirs"


def test_our_hooks_are_our_own_fault_whatever_library_raises(raised):
    assert faults.guest(raised(LIBRARY, "conftest", faults.ROOT)) is None


def test_what_no_hook_raised_is_our_own():
    error = ValueError("never raised")
    assert faults.guest(error) is None


def test_an_error_is_one_line_with_its_kind():
    line = faults.told(ValueError("first\nsecond"), "theirs")
    assert line.startswith("theirs failed: ValueError: first")
    assert "second" not in line
