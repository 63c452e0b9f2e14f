"""What NVML tells of a GPU, by nvidia-ml-py: what it is, and its state while something is measured. Read only.

A GPU is found by its UUID, for NVML's numbers are not CUDA's: CUDA_VISIBLE_DEVICES renumbers CUDA's alone. The UUID is
in no record. What a driver does not tell is None. Tested with a stand-in that answers as an H200 did.
"""

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bench.machine.system import told
from kernels.case import Unavailable

SLOWED = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "heat, by software",
    0x40: "heat, by hardware",
    0x80: "power brake",
}
"""Reasons of NVML's that hold a clock below what was asked for. The others (idle, clocks set by a user, sync boost) are
no fault of the moment."""

TRANSFERS_PER_CLOCK = 2
"""NVML's memory clock is half the transfers per second, for HBM as for GDDR: an H200's 3,201 MHz and 6,016 bits make
4.81e12 byte/s."""


@dataclass(frozen=True, slots=True)
class Card:
    """What the driver knows of a GPU, as a profile states it."""

    driver: str | None = None
    memory_bus_bits: int | None = None
    memory_clock_hz: float | None = None
    datasheet_bytes_per_s: float | None = None
    ecc: bool | None = None
    power_limit_w: float | None = None
    mig: bool | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A GPU at one moment."""

    clock_hz: float | None
    temperature_c: float | None
    power_w: float | None


class Gpu:
    """One GPU, found by its UUID."""

    def __init__(self, uuid: str) -> None:
        """Ask the driver for it. Raises Unavailable with the reason: no library, no driver, no such GPU."""
        try:
            import pynvml
        except ImportError as error:
            raise Unavailable(
                f"a GPU's state cannot be read: nvidia-ml-py is not installed ({error})"
            ) from error
        self._nvml: Any = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            raise Unavailable(f"a GPU's state cannot be read: NVML: {error}") from error
        # NVML's name of a whole GPU, then of a slice: CUDA's lacks the kind before the number
        kinds = ("",) if uuid.startswith(("GPU-", "MIG-")) else ("GPU-", "MIG-")
        for self._name in (f"{kind}{uuid}" for kind in kinds):
            try:
                self._handle = pynvml.nvmlDeviceGetHandleByUUID(self._name)
            except pynvml.NVMLError as error:
                unknown = error
            else:
                return
        there = self._read("nvmlDeviceGetCount")
        raise Unavailable(
            f"NVML does not know the GPU that CUDA uses, of {there} that it knows: {unknown}"
        )

    def card(self) -> Card:
        """What it is."""
        n, handle = self._nvml, self._handle
        driver = self._read("nvmlSystemGetDriverVersion")
        bits = self._read("nvmlDeviceGetMemoryBusWidth", handle)
        clock = self._read("nvmlDeviceGetMaxClockInfo", handle, n.NVML_CLOCK_MEM, scale=1e6)
        mode, ecc = (self._read(f"nvmlDeviceGet{name}Mode", handle) for name in ("Mig", "Ecc"))
        mig = True if self._name.startswith("MIG-") else None if mode is None else bool(mode[0])
        # of a slice NVML tells the bus of the whole GPU, and not its share
        known = bits and clock and not mig
        return Card(
            driver=driver.decode(errors="replace") if isinstance(driver, bytes) else driver,
            memory_bus_bits=bits,
            memory_clock_hz=clock,
            datasheet_bytes_per_s=TRANSFERS_PER_CLOCK * clock * bits / 8 if known else None,
            ecc=None if ecc is None else bool(ecc[0]),
            power_limit_w=self._read("nvmlDeviceGetEnforcedPowerLimit", handle, scale=1e-3),
            mig=mig,
        )

    def throttle(self) -> tuple[str, ...]:
        """What holds its clock down now."""
        names = ("EventReasons", "ThrottleReasons")  # the second: older drivers and libraries
        read = (self._read(f"nvmlDeviceGetCurrentClocks{name}", self._handle) for name in names)
        reasons = next((bits for bits in read if bits is not None), 0)
        return tuple(word for bit, word in SLOWED.items() if reasons & bit)

    def energy_j(self) -> float | None:
        """What it has spent since the driver was loaded; None where it does not count."""
        name = "nvmlDeviceGetTotalEnergyConsumption"
        joules: float | None = self._read(name, self._handle, scale=1e-3)
        return joules

    def state(self) -> State:
        """How it is now."""
        n, handle = self._nvml, self._handle
        return State(
            clock_hz=self._read("nvmlDeviceGetClockInfo", handle, n.NVML_CLOCK_SM, scale=1e6),
            temperature_c=self._read("nvmlDeviceGetTemperature", handle, n.NVML_TEMPERATURE_GPU),
            power_w=self._read("nvmlDeviceGetPowerUsage", handle, scale=1e-3),
        )

    def _read(self, name: str, *arguments: Any, scale: float = 1) -> Any:
        """What the function of that name answers, in units of `scale`; None where nothing here tells."""
        return told(lambda: getattr(self._nvml, name)(*arguments) * scale)


def processes_of_others() -> int:
    """How many processes but this one compute on the GPUs here."""
    found: set[int] = set()
    with suppress(Exception):  # not installed, half installed, no driver, not allowed
        import pynvml

        pynvml.nvmlInit()
        try:
            for index in range(pynvml.nvmlDeviceGetCount()):
                gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
                found |= {one.pid for one in pynvml.nvmlDeviceGetComputeRunningProcesses(gpu)}
        finally:
            pynvml.nvmlShutdown()
    return len(found - {os.getpid()})


def remarks(count: int, card: Card | None) -> list[str]:
    """What a reader must know of the choice of GPU: one of several, or a slice of one."""
    several = f"{count} GPUs are visible and the first is measured: choose another by CUDA_VISIBLE_DEVICES"
    divided = (
        "the GPU is divided (MIG): roofs and steps are of one slice, which others' work may disturb"
    )
    return [several] * (count > 1) + [divided] * bool(card and card.mig)
