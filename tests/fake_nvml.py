"""A stand-in for nvidia-ml-py: a library that answers for one H200, but where told otherwise."""

from __future__ import annotations

from types import SimpleNamespace

UUID = "0123-4567"


class NVMLError(Exception):
    """As the library has it."""


def library(**answers):
    """A library that answers for one H200, but where told otherwise; an exception as an answer is raised."""
    defaults = {
        "nvmlInit": None,
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetName": "NVIDIA H200",
        "nvmlSystemGetDriverVersion": b"570.1",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=150 << 30),
        "nvmlDeviceGetMemoryBusWidth": 6144,
        "nvmlDeviceGetMaxClockInfo": 3201,
        "nvmlDeviceGetMigMode": (0, 0),
        "nvmlDeviceGetEccMode": (1, 1),
        "nvmlDeviceGetEnforcedPowerLimit": 700_000,
        "nvmlDeviceGetCurrentClocksEventReasons": 0,
        "nvmlDeviceGetCurrentClocksThrottleReasons": 0,
        "nvmlDeviceGetTemperature": 41,
        "nvmlDeviceGetPowerUsage": 123_456,
        "nvmlDeviceGetTotalEnergyConsumption": 5_000,
    }

    def function(value):
        def call(*_arguments):
            if isinstance(value, Exception):
                raise value
            return value

        return call

    found = SimpleNamespace(
        NVMLError=NVMLError,
        NVML_CLOCK_SM=1,
        NVML_CLOCK_MEM=2,
        NVML_TEMPERATURE_GPU=0,
        **{name: function(value) for name, value in {**defaults, **answers}.items()},
    )
    found.asked, found.kind = [], "GPU"

    def by_uuid(uuid):
        found.asked.append(uuid)
        if uuid != f"{found.kind}-{UUID}":
            raise NVMLError("Not Found")
        return "handle"

    found.nvmlDeviceGetHandleByUUID = by_uuid
    found.nvmlDeviceGetClockInfo = lambda _handle, kind: {1: 1980, 2: 3201}[kind]
    return found
