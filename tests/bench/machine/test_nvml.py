"""A GPU's state by NVML, with a stand-in for the library: values, units, and what a driver does not tell."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from types import ModuleType, SimpleNamespace

import pytest

from bench.machine import nvml
from bench.session import machine_warnings
from kernels.case import Unavailable
from tests.fake_nvml import UUID, NVMLError, library


@pytest.fixture
def gpu(monkeypatch):
    def gpu(**answers):
        monkeypatch.setitem(sys.modules, "pynvml", library(**answers))
        return nvml.Gpu(UUID)

    return gpu


def test_a_card_is_told_in_si_units_and_its_bandwidth_is_bus_times_clock(gpu):
    card = gpu().card()
    assert card.datasheet_bytes_per_s == pytest.approx(4.8143e12, rel=1e-4)
    assert (card.memory_clock_hz, card.power_limit_w) == (3.201e9, 700.0)
    assert card.driver == "580.159.04"
    assert (card.ecc, card.mig) == (True, False)


def test_a_state_is_told_in_si_units(gpu):
    found = gpu()
    assert found.state() == nvml.State(1.98e9, 35.0, pytest.approx(81.942))
    assert (found.throttle(), found.energy_j()) == ((), pytest.approx(2758.892))


@pytest.mark.parametrize(
    ("bits", "words"),
    [
        (0x01, ()),  # idle
        (0x02, ()),  # clocks that a user set
        (0x04, ("power cap",)),
        (0x08 | 0x40, ("hardware slowdown", "heat, by hardware")),
        (0x20 | 0x80 | 0x01, ("heat, by software", "power brake")),
    ],
)
def test_what_holds_the_clock_down_is_named(gpu, bits, words):
    assert gpu(nvmlDeviceGetCurrentClocksEventReasons=bits).throttle() == words


def test_an_old_driver_is_asked_for_throttle_reasons(gpu):
    old = {
        "nvmlDeviceGetCurrentClocksEventReasons": NVMLError("Function Not Found"),
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0x04,
    }
    assert gpu(**old).throttle() == ("power cap",)


def test_what_a_driver_does_not_tell_is_none(gpu):
    names = [name for name in vars(library()) if name.startswith("nvmlDeviceGet")]
    silent = dict.fromkeys(names, NVMLError("Not Supported"))
    for unsaid in ("nvmlDeviceGetHandleByUUID", "nvmlDeviceGetClockInfo"):
        silent.pop(unsaid)
    found = gpu(**silent)
    card, state = found.card(), found.state()
    assert card.driver == "580.159.04"
    told = {getattr(card, name) for name in card.__dataclass_fields__ if name != "driver"}
    assert told == {None}
    assert (state.power_w, state.temperature_c, found.energy_j()) == (None, None, None)
    assert found.throttle() == ()


def test_a_slice_of_a_gpu_has_no_datasheet_bandwidth_and_a_remark(gpu):
    card = gpu(nvmlDeviceGetMigMode=(1, 1)).card()
    assert card.mig is True
    assert card.datasheet_bytes_per_s is None
    (remark,) = nvml.remarks(1, card)
    assert "MIG" in remark


def test_a_slice_that_cuda_names_by_its_own_uuid_is_found_and_told_as_one(monkeypatch):
    """Of a slice's handle NVML tells the bus of the whole GPU, and no mode."""
    there = library(nvmlDeviceGetMigMode=NVMLError("Not Supported"))
    there.kind = "MIG"
    monkeypatch.setitem(sys.modules, "pynvml", there)
    card = nvml.Gpu(UUID).card()
    assert there.asked == [f"GPU-{UUID}", f"MIG-{UUID}"]
    assert (card.mig, card.datasheet_bytes_per_s) == (True, None)


def test_one_of_two_gpus_is_a_remark_and_one_alone_is_none(gpu):
    card = gpu().card()
    (remark,) = nvml.remarks(2, card)
    assert "2 GPUs" in remark
    assert "CUDA_VISIBLE_DEVICES" in remark
    assert nvml.remarks(1, card) == nvml.remarks(1, None) == []


def test_cudas_uuid_is_written_as_nvmls(gpu):
    gpu()
    assert sys.modules["pynvml"].asked == [f"GPU-{UUID}"]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"nvmlInit": NVMLError("Driver Not Loaded")}, "NVML: Driver Not Loaded"),
        ({"nvmlInit": NVMLError("NVML Shared Library Not Found")}, "Shared Library Not Found"),
    ],
)
def test_no_driver_is_a_reason(gpu, answers, reason):
    with pytest.raises(Unavailable, match=reason):
        gpu(**answers)


def test_a_gpu_that_nvml_does_not_know_is_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", library())
    with pytest.raises(Unavailable, match=r"of 1 that it knows: Not Found"):
        nvml.Gpu("other")


def test_no_library_is_a_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(Unavailable, match="nvidia-ml-py is not installed"):
        nvml.Gpu(UUID)


def test_the_real_library_knows_no_gpu_of_a_made_up_uuid():
    """For want of a library, a driver, or that GPU: one line in any case."""
    with pytest.raises(Unavailable) as caught:
        nvml.Gpu(UUID)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["raise ImportError", "x = undefined", "def nvmlInit(): 1 / 0"])
def test_a_missing_broken_or_driverless_nvml_tells_nothing(monkeypatch, broken):
    module = ModuleType("pynvml")
    with suppress(Exception):
        exec(broken, vars(module))
    monkeypatch.setitem(sys.modules, "pynvml", None if "Import" in broken else module)
    assert nvml.processes_of_others() == 0


def test_other_processes_on_a_gpu_are_told(monkeypatch):
    running = {0: [os.getpid(), 11], 1: [11, 12]}
    told = {
        "nvmlInit": lambda: None,
        "nvmlShutdown": lambda: None,
        "nvmlDeviceGetCount": lambda: 2,
        "nvmlDeviceGetHandleByIndex": lambda index: index,
        "nvmlDeviceGetComputeRunningProcesses": lambda index: [
            SimpleNamespace(pid=pid) for pid in running[index]
        ],
    }
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace(**told))
    (found,) = machine_warnings.of_gpu_processes(nvml.processes_of_others())
    assert found.code == "gpu in use"
    assert found.message.startswith("2 other processes")
