"""Energy of a step from counters: of packages, of a GPU; the reason where there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.machine import system
from bench.telemetry import energy
from kernels.case import Unavailable


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages, one with a core's own counter inside, and another interface's."""
    monkeypatch.setattr(system, "THIS", system.System(tmp_path))
    folder = tmp_path / "sys/class/powercap"
    for name, now in (("intel-rapl:0", 1_000_000), ("intel-rapl:1", 9_000_000)):
        (folder / name).mkdir(parents=True)
        (folder / name / "energy_uj").write_text(f"{now}\n")
        (folder / name / "max_energy_range_uj").write_text("10000000\n")
    for other in ("intel-rapl:0:0", "intel-rapl-mmio:0"):
        (folder / other).mkdir()
        (folder / other / "energy_uj").write_text("77\n")
    return folder


def done():
    """A processor's calls are over when they return."""


def spend(folder, name, microjoules):
    file = folder / name / "energy_uj"
    file.write_text(str((int(file.read_text()) + microjoules) % 10_000_000))


def test_a_calls_energy_is_that_of_all_packages_over_the_calls(packages):
    def run(count):
        spend(packages, "intel-rapl:0", 2_000_000)
        spend(packages, "intel-rapl:1", 500_000)
        spend(packages, "intel-rapl:0:0", 900_000)
        assert count == 10

    assert energy.of_calls(energy.of_cpu(), run, 0.0101, done) == pytest.approx(0.25)


def test_without_counters_or_where_they_stand_still_a_call_has_no_energy(packages):  # noqa: ARG001
    assert energy.of_calls(None, lambda _count: None, 1.0, done) is None
    assert energy.of_calls(energy.of_cpu(), lambda _count: None, 1.0, done) is None


def test_a_block_is_read_when_its_work_is_done():
    spent, queue = [0.0], []
    meter = energy.Meter(lambda: tuple(spent), (0.0,), least_seconds=1.0)

    def wait():
        spent[0] += 2.0 * sum(queue)

    assert energy.of_calls(meter, queue.append, 0.25, wait) == pytest.approx(2.0)
    assert queue == [4]


def test_a_counter_that_starts_again_is_followed(packages):
    def run(_count):
        spend(packages, "intel-rapl:1", 3_000_000)

    assert energy.of_calls(energy.of_cpu(), run, 1.0, done) == pytest.approx(3.0)


def test_no_counters_are_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "THIS", system.System(tmp_path))
    with pytest.raises(Unavailable, match="no energy counters"):
        energy.of_cpu()


def test_counters_kept_to_administrators_are_a_reason(packages, monkeypatch):  # noqa: ARG001
    def refuse(*_arguments, **_named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(Unavailable, match="kept to administrators: Permission denied"):
        energy.of_cpu()


def test_a_counter_that_is_no_number_is_a_reason(packages):
    (packages / "intel-rapl:0" / "energy_uj").write_text("<unknown>")
    with pytest.raises(Unavailable, match="cannot be read"):
        energy.of_cpu()


class Stepping:
    """A GPU of 50 J/s when it waits and 200 J/s when it works, whose counter moves ten times a second."""

    def __init__(self, stands_still=False):
        self.seconds = self.spent = self.shown = 0.0
        self.calls, self.stands_still = [], stands_still

    def energy_j(self):
        self.pass_time(20e-6, 50)
        return 7.0 if self.stands_still else self.shown

    def pass_time(self, seconds, watts):
        while seconds > 0:
            to_move = 0.1 - self.seconds % 0.1
            some = min(seconds, to_move)
            self.seconds, self.spent, seconds = (
                self.seconds + some,
                self.spent + some * watts,
                seconds - some,
            )
            if some == to_move:
                self.shown = self.spent


@pytest.mark.parametrize("seconds", [3e-6, 1e-4, 5e-3])
def test_a_gpus_energy_is_its_counters_rise_from_move_to_move(seconds):
    gpu = Stepping()
    gpu.pass_time(0.03, 50)

    def run(count):
        gpu.calls.append(count)
        gpu.pass_time(count * seconds, 200)

    found = energy.of_calls(energy.of_gpu(gpu), run, seconds, done, launch_seconds=seconds / 2)
    assert found == pytest.approx(200 * seconds, rel=0.03)
    assert sum(gpu.calls) * seconds < 0.6


def test_a_gpus_counter_that_stands_still_is_no_energy_and_no_endless_block():
    gpu, count = Stepping(stands_still=True), []
    assert energy.of_calls(energy.of_gpu(gpu), count.append, 1e-3, done, 1e-4) is None
    assert 0.3 <= sum(count) * 1e-3 <= 1.1


def test_a_step_that_is_launched_more_slowly_than_computed_has_no_energy():
    def run(_count):
        raise AssertionError

    assert energy.of_calls(energy.of_gpu(Stepping()), run, 3e-6, done, launch_seconds=20e-6) is None


def test_a_gpu_without_a_counter_is_a_reason():
    with pytest.raises(Unavailable, match="no counter of energy"):
        energy.of_gpu(SimpleNamespace(energy_j=lambda: None))
    with pytest.raises(Unavailable, match="NVML cannot be asked"):
        energy.of_gpu(None)
