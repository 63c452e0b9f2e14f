"""The doctor tells what others do now, then what holds for every run."""

from __future__ import annotations

import pytest

from bench.commands import doctor
from bench.machine import describe
from bench.session import lock, machine_warnings
from bench.telemetry import state


@pytest.fixture
def disturbed(monkeypatch):
    """Another run measures, two processors are busy, and memory is short."""
    swapped = iter((1000, 3000))
    monkeypatch.setattr(doctor, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(lock, "held_by", lambda: "process 7 since then, into there")
    monkeypatch.setattr(state, "swapped_bytes", lambda: next(swapped))
    monkeypatch.setattr(state.Load, "cores_taken_by_others", lambda _: 2.0)


@pytest.mark.usefixtures("disturbed")
def test_it_tells_what_others_do_first_and_what_to_do_about_everything():
    found = doctor.examine()
    assert [one.code for one in found[:3]] == ["another measurement", "load", "swap"]
    assert found[0].message == "process 7 since then, into there measures on this machine"
    assert "2000 bytes" in found[2].message
    assert all(warning.advice for warning in found)
    standing = machine_warnings.of_machine(describe.machine(), {}, None)
    assert {one.code for one in found} >= {one.code for one in standing}
