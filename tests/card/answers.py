"""What this machine's driver and libraries answer, into `answers.json`: from it fixtures are made for later work.

    python -m tests.card.answers FOLDER

Names of one card alone (UUID, serial numbers, its place on the bus) are left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ASKED = {
    "nvmlSystemGetDriverVersion": (),
    "nvmlDeviceGetCount": (),
    "nvmlDeviceGetName": ("handle",),
    "nvmlDeviceGetMemoryBusWidth": ("handle",),
    "nvmlDeviceGetMaxClockInfo": ("handle", "NVML_CLOCK_MEM"),
    "nvmlDeviceGetMigMode": ("handle",),
    "nvmlDeviceGetEccMode": ("handle",),
    "nvmlDeviceGetEnforcedPowerLimit": ("handle",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("handle",),
    "nvmlDeviceGetCurrentClocksThrottleReasons": ("handle",),
    "nvmlDeviceGetTotalEnergyConsumption": ("handle",),
    "nvmlDeviceGetClockInfo": ("handle", "NVML_CLOCK_SM"),
    "nvmlDeviceGetTemperature": ("handle", "NVML_TEMPERATURE_GPU"),
    "nvmlDeviceGetPowerUsage": ("handle",),
    "nvmlDeviceGetComputeRunningProcesses": ("handle",),
}
"""Every function that `bench.machine.nvml` asks, with its arguments: the GPU's handle, or names of NVML's constants."""
PACKAGES = (
    "torch",
    "triton",
    "numpy",
    "nvidia-ml-py",
    "cuda-bindings",
    "pytest",
    "msgspec",
    "numba",
    "matplotlib",
)
OWN = re.compile(
    r"^(.*(?:UUID|Serial|PDI|Bus ?Id|GUID|Module Id|Board ID|Platform).*?):.*$",
    re.MULTILINE | re.IGNORECASE,
)


def nvml():
    """Each function's answer as it came, or the error's name and words."""
    try:
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    except Exception as error:  # noqa: BLE001 - whatever is missing is the answer
        return {"error": f"{type(error).__name__}: {error}"}
    found = {}
    for name, arguments in ASKED.items():
        try:
            given = [handle if one == "handle" else getattr(pynvml, one) for one in arguments]
            found[name] = getattr(pynvml, name)(*given)
        except Exception as error:  # noqa: BLE001
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    return found


def torchs():
    """Versions and the first device's properties, but for its UUID."""
    try:
        import torch
    except ImportError as error:
        return {"error": str(error)}
    found = {"version": torch.__version__, "cuda": torch.version.cuda}
    if not torch.cuda.is_available():
        from bench.machine import gpus

        return {**found, "error": gpus.no_cuda_reason()}
    properties = torch.cuda.get_device_properties(0)
    names = [name for name in dir(properties) if not name.startswith("_") and name != "uuid"]
    told = {name: getattr(properties, name) for name in names if "pci" not in name}
    free, total = torch.cuda.mem_get_info()
    return {
        **found,
        "cudnn": torch.backends.cudnn.version(),
        "properties": {name: value for name, value in told.items() if not callable(value)},
        "type_of_uuid": type(getattr(properties, "uuid", None)).__name__,
        "free_bytes": free,
        "total_bytes": total,
    }


def said(*command):
    """What a command prints, without names of this card alone; or why it prints nothing."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"
    return OWN.sub(r"\1: not kept", done.stdout or done.stderr)


def versions():
    """Of packages; None where one is not installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def no_card(folder):
    """Why PyTorch can use no GPU here, as the answers in that folder say; None where it can, or they do not tell."""
    path = Path(folder) / "answers.json"
    return json.loads(path.read_text()).get("torch", {}).get("error") if path.exists() else None


def main(folder):
    """Write the answers, and print the shortest of them."""
    found = {
        "python": sys.version.split()[0],
        "packages": versions(),
        "nvml": nvml(),
        "torch": torchs(),
        "nvidia-smi": said("nvidia-smi", "-q"),
        "ncu": said("ncu", "--version").strip().splitlines()[-1:],
        "nvcc": said("nvcc", "--version").strip().splitlines()[-1:],
    }
    text = json.dumps(found, indent=1, default=repr)
    (Path(folder) / "answers.json").write_text(f"{text}\n", encoding="utf-8")
    print(*(f"{name}: {value}" for name, value in found.items() if name != "nvidia-smi"), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1])
