"""What NVML tells of a GPU, by nvidia-ml-py: what it is, and its state while something is measured. Read only.

A GPU is found by its UUID, for NVML's numbers are not CUDA's: CUDA_VISIBLE_DEVICES renumbers CUDA's alone. The UUID is
in no record. What a driver does not tell is None. Tested with a stand-in for the library; not run on a card yet.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

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
"""NVML's memory clock is half the transfers per second, for HBM as for GDDR: an H200's 3,201 MHz and 6,144 bits make
4.92e12 byte/s."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a GPU is, as a profile states it."""

    name: str | None
    driver: str | None
    memory_bytes: int | None
    memory_bus_bits: int | None
    memory_clock_hz: float | None
    datasheet_bytes_per_s: float | None
    ecc: bool | None
    power_limit_w: float | None
    mig: bool | None


@dataclass(frozen=True, slots=True)
class State:
    """A GPU at one moment. `energy_j` counts from when the driver was loaded."""

    clock_hz: float | None
    memory_clock_hz: float | None
    temperature_c: float | None
    power_w: float | None
    throttle: tuple[str, ...]
    energy_j: float | None


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
        names = _full(uuid)
        for name in names:
            try:
                self._handle = pynvml.nvmlDeviceGetHandleByUUID(name)
            except pynvml.NVMLError as error:
                if name != names[-1]:
                    continue
                there = self._read("nvmlDeviceGetCount")
                raise Unavailable(
                    f"NVML does not know the GPU that CUDA uses, of {there} that it knows: {error}"
                ) from error
            self._is_slice = name.startswith("MIG-")
            return

    def card(self) -> Card:
        """What it is."""
        n, handle = self._nvml, self._handle
        bits = self._read("nvmlDeviceGetMemoryBusWidth", handle)
        megahertz = self._read("nvmlDeviceGetMaxClockInfo", handle, n.NVML_CLOCK_MEM)
        mig = self._read("nvmlDeviceGetMigMode", handle)
        ecc = self._read("nvmlDeviceGetEccMode", handle)
        memory = self._read("nvmlDeviceGetMemoryInfo", handle)
        in_slices = True if self._is_slice else None if mig is None else bool(mig[0])
        known = (
            bits and megahertz and not in_slices
        )  # a slice has a share of the bus that NVML does not tell
        return Card(
            name=_text(self._read("nvmlDeviceGetName", handle)),
            driver=_text(self._read("nvmlSystemGetDriverVersion")),
            memory_bytes=None if memory is None else int(memory.total),
            memory_bus_bits=bits,
            memory_clock_hz=None if megahertz is None else megahertz * 1e6,
            datasheet_bytes_per_s=TRANSFERS_PER_CLOCK * megahertz * 1e6 * bits / 8
            if known
            else None,
            ecc=None if ecc is None else bool(ecc[0]),
            power_limit_w=_scaled(self._read("nvmlDeviceGetEnforcedPowerLimit", handle), 1e-3),
            mig=in_slices,
        )

    def throttle(self) -> tuple[str, ...]:
        """What holds its clock down now."""
        handle = self._handle
        reasons = self._read("nvmlDeviceGetCurrentClocksEventReasons", handle)
        if reasons is None:  # older drivers and libraries: as throttle
            reasons = self._read("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
        return tuple(word for bit, word in SLOWED.items() if (reasons or 0) & bit)

    def energy_j(self) -> float | None:
        """What it has spent since the driver was loaded; None where it does not count."""
        return _scaled(self._read("nvmlDeviceGetTotalEnergyConsumption", self._handle), 1e-3)

    def state(self) -> State:
        """How it is now."""
        n, handle = self._nvml, self._handle
        return State(
            clock_hz=_scaled(self._read("nvmlDeviceGetClockInfo", handle, n.NVML_CLOCK_SM), 1e6),
            memory_clock_hz=_scaled(
                self._read("nvmlDeviceGetClockInfo", handle, n.NVML_CLOCK_MEM), 1e6
            ),
            temperature_c=_scaled(
                self._read("nvmlDeviceGetTemperature", handle, n.NVML_TEMPERATURE_GPU), 1
            ),
            power_w=_scaled(self._read("nvmlDeviceGetPowerUsage", handle), 1e-3),
            throttle=self.throttle(),
            energy_j=self.energy_j(),
        )

    def _read(self, name: str, *arguments: Any) -> Any:
        """What the function of that name answers; None where this library, driver or GPU does not tell."""
        with suppress(Exception):
            return getattr(self._nvml, name)(*arguments)
        return None


def processes_of_others() -> int:
    """How many processes but this one compute on the GPUs here."""
    found: set[int] = set()
    with suppress(
        Exception
    ):  # not installed, half installed, no driver, not allowed: there is nothing to tell
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
    found = []
    if count > 1:
        found.append(
            f"{count} GPUs are visible and the first is measured: choose another by CUDA_VISIBLE_DEVICES"
        )
    if card is not None and card.mig:
        found.append(
            "the GPU is divided (MIG): roofs and steps are of one slice, which others' work may disturb"
        )
    return found


def _full(uuid: str) -> list[str]:
    """As NVML writes it, a whole GPU's first: CUDA's lacks the kind before the number, and names a slice by its own."""
    return [uuid] if uuid.startswith(("GPU-", "MIG-")) else [f"GPU-{uuid}", f"MIG-{uuid}"]


def _text(value: str | bytes | None) -> str | None:
    """Older libraries answer in bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
