"""A stand-in for nvidia-ml-py: a library that answers as it did for one H200, but where told otherwise.

The answers are those of a card, kept by `tests/card/answers.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

UUID = "0123-4567"
ANSWERS = Path(__file__).parent / "bench" / "fixtures" / "cards" / "h200-answers.json"


class NVMLError(Exception):
    """As the library has it."""


def library(**answers):
    """A library that answers for one H200, but where told otherwise; an exception as an answer is raised."""
    real = json.loads(ANSWERS.read_text(encoding="utf-8"))
    defaults = {
        "nvmlInit": None,
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(
            total=real["torch"]["properties"]["total_memory"]
        ),
        **real["nvml"],
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
    clock = real["torch"]["properties"]["clock_rate"] // 1000
    found.nvmlDeviceGetClockInfo = lambda _handle, kind: {1: clock, 2: 3201}[kind]
    return found
