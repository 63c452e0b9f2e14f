"""What a profile says of a machine identifies nobody."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.device import threads
from bench.machine import describe, environment, gpus, nvml
from tests.fake_nvml import UUID, NVMLError, library


@pytest.fixture(scope="module")
def described():
    return {**describe.machine(), "environment": environment.environment(1, "omp")}


def test_no_host_name_home_or_path_is_in_it(described):
    text = json.dumps(described)
    assert json.dumps(platform.node()) not in text
    assert str(Path.home()) + "/" not in text
    assert str(Path.cwd()) not in text
    assert '"/' not in text


def test_the_same_machine_has_the_same_id(described):
    assert describe.machine()["id"] == described["id"]
    assert int(described["id"], 16) >= 0


def test_it_is_json_with_what_it_found(described):
    assert described["memory_bytes"] > 0
    assert described["cpu"]["threads"] >= 1
    assert described["environment"]["packages"]["torch"]
    assert "-" not in described["kernel"]


def test_only_variables_that_steer_threads_are_told(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("MY_SECRET", "hunter2")
    variables = environment.environment(1, "omp")["variables"]
    assert variables["OMP_NUM_THREADS"] == "2"
    assert variables.keys() <= set(environment.VARIABLES)


def test_no_variable_that_may_hold_a_path_is_told():
    assert "MALLOC_CONF" not in environment.VARIABLES
    assert not any("PATH" in name or "DIR" in name for name in environment.VARIABLES)


def test_there_is_a_thread_to_measure_with_and_no_more_than_cores():
    assert 1 <= threads.available() <= max(1, len(threads.cores()) or 1 << 20)


def test_a_users_own_settings_win(monkeypatch):
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OMP_PROC_BIND"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("OMP_PLACES", raising=False)
    threads.settle()
    import os

    assert os.environ["OMP_NUM_THREADS"] == os.environ["NUMBA_NUM_THREADS"] == "1"
    assert "OMP_PLACES" not in os.environ


def test_no_cuda_is_a_reason_not_an_error():
    reason = gpus.no_cuda_reason()
    assert reason
    assert "\n" not in reason


@pytest.fixture
def with_a_gpu(monkeypatch):
    """A machine with one H200, whose driver answers as told."""
    properties = SimpleNamespace(
        name="NVIDIA H200",
        multi_processor_count=132,
        L2_cache_size=50 << 20,
        total_memory=150 << 30,
        uuid=UUID,
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _index: properties)

    def made(**answers):
        monkeypatch.setitem(sys.modules, "pynvml", library(**answers))
        return describe.machine()

    return made


def test_a_gpu_is_described_by_torch_and_nvml_and_its_uuid_is_not_told(with_a_gpu):
    described = with_a_gpu()
    (gpu,) = described["gpus"]
    assert (gpu["sm_count"], gpu["memory_bus_bits"], gpu["driver"]) == (132, 6016, "580.159.04")
    assert gpu["datasheet_bytes_per_s"] == pytest.approx(4.8143e12, rel=1e-4)
    assert UUID not in json.dumps(described)


def test_without_nvml_a_gpu_is_described_by_torch_alone(with_a_gpu):
    (gpu,) = with_a_gpu(nvmlInit=NVMLError("Driver Not Loaded"))["gpus"]
    assert gpu["name"] == "NVIDIA H200"
    assert {gpu[name] for name in nvml.Card.__dataclass_fields__} == {None}


def test_another_driver_or_power_limit_is_the_same_machine(with_a_gpu):
    other = with_a_gpu(nvmlSystemGetDriverVersion=b"999", nvmlDeviceGetEnforcedPowerLimit=1)
    assert with_a_gpu()["id"] == other["id"]


@pytest.mark.parametrize(("asked", "count"), [("1", 1), ("1,4", 1), (" 1 ,4", 1)])
def test_of_openmps_list_of_threads_the_outermost_number_counts(monkeypatch, asked, count):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    assert threads.available() == count
