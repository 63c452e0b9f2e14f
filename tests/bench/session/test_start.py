"""A run starts in one way, whichever command asks for it; what cannot start is refused before anything is measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.machine import gpus
from bench.profile.errors import OneLine
from bench.profile.suite import Planned
from bench.session import lock, start
from bench.session.folder import BadOutput
from kernels.case import Case


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    """No CUDA here, whatever machine this is."""
    monkeypatch.setattr(gpus, "no_cuda_reason", lambda: "none here")


def test_a_suite_gets_a_folder_of_its_own_and_the_devices_that_there_are(tmp_path):
    found = start.of_suite("smoke", out=str(tmp_path / "run"))
    assert found.suite.name == "smoke"
    assert {planned.case.device for planned in found.suite.points} == {"cpu"}
    assert (found.seed, found.folder, found.earlier) == (0, tmp_path / "run", None)
    assert found.folder.is_dir()


def test_a_device_that_is_unknown_or_absent_is_refused_and_no_folder_is_made(tmp_path):
    for device in ("gpu", "cuda"):
        with pytest.raises(start.BadUsage):
            start.of_suite("smoke", device=device, out=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    assert start.usable(None) == start.usable("all") == "cpu"


def test_a_run_may_wait_for_another_one_also_when_it_is_resumed(tmp_path):
    assert start.of_suite("smoke", out=str(tmp_path / "run")).wait_seconds == 0
    assert start.of_suite("smoke", out=str(tmp_path / "run"), wait=7.5).wait_seconds == 7.5
    for seconds in (-1.0, float("nan"), float("inf")):
        with pytest.raises(start.BadUsage, match="--wait"):
            start.of_suite("smoke", out=str(tmp_path / "other"), wait=seconds)
    assert not (tmp_path / "other").exists()


def test_a_run_that_waits_tells_whom_it_waits_for(tmp_path, monkeypatch):
    def busy(_folder, wait_seconds, tell):
        tell(f"waiting up to {wait_seconds:g} s for process 7")
        raise lock.Busy("process 7 measures")

    monkeypatch.setattr(lock, "hold", busy)
    told = []
    with pytest.raises(lock.Busy):
        start.of_suite("smoke", out=str(tmp_path / "run"), wait=7).run(told.append)
    assert told == ["waiting up to 7 s for process 7"]


def test_a_folder_that_holds_a_run_is_refused(tmp_path):
    (tmp_path / "profile.json").write_text("{}")
    with pytest.raises(BadOutput):
        start.of_suite("smoke", out=str(tmp_path))


def test_points_of_ones_own_are_measured_where_one_says_and_their_calls_may_be_long(tmp_path):
    points = [Planned(Case("lstm", 8, 8, 1), "torch_cell")]
    found = start.of_points(points, tmp_path)
    assert (found.folder, found.suite.points) == (tmp_path, tuple(points))
    assert found.suite.settings["longest_call_seconds"] == start.OWN_CALL_SECONDS


def test_what_is_refused_is_told_in_one_line():
    assert issubclass(start.BadUsage, OneLine)
    assert issubclass(BadOutput, OneLine)


def test_a_resumed_run_reads_its_journal_anew_once_it_has_the_machine(tmp_path, monkeypatch):
    """What it waited for may have been the same run."""
    said = []
    monkeypatch.setattr(lock, "hold", lambda *_: said.append("held"))
    monkeypatch.setattr(start, "from_journal", lambda _: said.append("read") or "as it is now")

    class Run:
        def __init__(self, _plan, _seed, folder, earlier, hold):
            hold(folder)
            said.append(earlier)

        def begin(self):
            said.append("begun")

    monkeypatch.setattr(start, "Run", Run)
    new = start.of_suite("smoke", out=str(tmp_path / "run"))
    new.run()
    assert said == ["held", None, "begun"]
    said.clear()
    replace(new, earlier="as it was").run()
    assert said == ["held", "read", "as it is now", "begun"]
