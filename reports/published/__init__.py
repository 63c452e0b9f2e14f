"""Results of others, as data: each file in this folder is one set, with its source, its accounting and its defects.

A set is a TOML file with `name`, `source`, `licence`, `accounting`, `defects`, a table `results` as CSV in one text,
and a `[[device]]` per machine with its datasheet figures. Listing the folder is the registry. Times are of calls on
whole sequences; the products of the input are not in them. Datasheet figures are limits that nobody measured. Imports
`compare`, which reads a set as one of its systems.
"""

import csv
import io
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from bench.profile import reader
from bench.profile.errors import BadFile
from bench.profile.stats import Estimate
from kernels import roofline_model
from kernels.case import GATES
from reports.compare.system import ALL, Entry, Limits, System, Work

HERE = Path(__file__).resolve().parent
STATES = {"rnn": 1, "gru": 1, "lstm": 2}
ELEMENT_BYTES = {"float32": 4, "float16": 2}
WHOLE_BACKWARD = "inputs+weights"
"""What a backward pass covers that, with its forward pass, is a training step."""
ORIGIN = "published"
LARGEST_FILE_BYTES = 1 << 20

Positive = Annotated[float, Meta(ge=1e-12, le=1e24)]
Count = Annotated[int, Meta(ge=1, le=1 << 40)]


@dataclass(frozen=True, slots=True)
class Device:
    """A machine of a set: datasheet figures, and where they come from."""

    name: str
    memory: str
    bytes_per_s: Positive
    flop_per_s: Positive
    last_level_bytes: Count
    remark: str


@dataclass(frozen=True, slots=True)
class Result:
    """One published figure: a call of `steps` steps, forward (`forward_ms`) and backward, in milliseconds."""

    device: str
    library: str
    dtype: Literal["float32", "float16"]
    cell: Literal["rnn", "lstm", "gru"]
    mode: str
    hidden: Count
    batch: Count
    steps: Count
    forward_ms: Positive
    backward_ms: Positive | None
    backward_of: str | None


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """All that one file tells."""

    name: str
    source: str
    licence: str
    accounting: str
    defects: tuple[str, ...]
    device: tuple[Device, ...]
    results: tuple[Result, ...]


@cache
def sets(folder: Path = HERE) -> tuple[PublishedSet, ...]:
    """Every set of the folder, by its file's name. Raises BadFile."""
    return tuple(_read(path) for path in sorted(folder.glob("*.toml")))


def names(folder: Path = HERE) -> list[str]:
    """The machines of all sets, in order."""
    return [device.name for one in sets(folder) for device in one.device]


def find(name: str, folder: Path = HERE) -> System | None:
    """The published machine of that name, whatever its case; None where there is none."""
    for one in sets(folder):
        for device in one.device:
            if device.name.strip().casefold() == name.strip().casefold():
                return system(one, device)
    return None


def system(one: PublishedSet, device: Device) -> System:
    """A published machine as one side of a comparison: its datasheet for roofs, its results for points."""
    peaks = {(name, name): device.flop_per_s for name in ELEMENT_BYTES}
    limits = Limits(
        read=((1, device.bytes_per_s),),
        write=((1, device.bytes_per_s),),
        memory=device.bytes_per_s,
        peaks=peaks,
        products=peaks,
    )
    own = [result for result in one.results if result.device == device.name]
    remarks = [
        f"{device.name} as published by {one.name} ({one.source}; {one.licence}).",
        one.accounting,
        "Its roofs are datasheet figures: nobody measured them beside the steps.",
        *([f"Datasheet: {device.remark}."] if device.remark else []),
        *one.defects,
    ]
    return System(
        name=device.name,
        origin=ORIGIN,
        method=0,
        machine=None,
        entries=tuple(entry for result in own for entry in _entries(result, device)),
        roofs={ALL: limits},
        levels=((device.memory, device.bytes_per_s),),
        facts={
            "machine": device.name,
            "suite": one.name,
            "library": ", ".join(sorted({result.library for result in own})),
        },
        remarks=tuple(" ".join(remark.split()) for remark in remarks),
    )


def _entries(result: Result, device: Device) -> list[Entry]:
    """The forward pass; and the training step, where the backward pass is whole."""
    forward = result.forward_ms / 1e3
    found = [_entry(result, device, "step" if result.mode == "inference" else "forward", forward)]
    if result.backward_ms is not None and result.backward_of == WHOLE_BACKWARD:
        found.append(_entry(result, device, "train", forward + result.backward_ms / 1e3))
    return found


def _entry(result: Result, device: Device, phase: str, call_seconds: float) -> Entry:
    """Bytes are the compulsory ones of a step without its input's products.

    A training step does three products for one, reads its weights twice, and writes their gradients once a call.
    Weights that fit the last level are not held against the bandwidth of the memory behind it.
    """
    B, H, G = result.batch, result.hidden, GATES[result.cell]
    element, train = ELEMENT_BYTES[result.dtype], phase == "train"
    weights, states = G * H * H * element, STATES[result.cell] * B * H * element
    read = (2 if train else 1) * (weights + G * B * H * element + states)
    written = 2 * states + weights // result.steps if train else states
    recurrent = (3 if train else 1) * 2 * B * G * H * H
    seconds = call_seconds / result.steps
    t_flops = recurrent / device.flop_per_s
    cached = weights <= device.last_level_bytes
    t_bytes = None if cached else (read + written) / device.bytes_per_s
    fraction = None
    if t_bytes is not None:
        least = roofline_model.limit(t_bytes, 0.0, t_flops)
        fraction = Estimate(*(roofline_model.fraction(least, seconds),) * 3)
    words = [result.cell, f"H {H}", "resident", result.dtype]
    words += [phase] if phase != "step" else []
    words += [f"{result.steps} steps"] if result.steps > 1 else []
    line = device.bytes_per_s * recurrent / (read + written)
    return Entry(
        work=Work(
            cell=result.cell,
            part="recurrent",
            phase=phase,
            hidden=H,
            input=None,
            batch=B,
            dtype=result.dtype,
            activations=result.dtype,
            residency="resident",
            device=ORIGIN,
            threads=ALL,
            steps=result.steps,
        ),
        setting=", ".join(words),
        implementation=result.library,
        seconds=(seconds,),
        read=read,
        written=written,
        flops=recurrent,
        recurrent=recurrent,
        working_set=weights,
        t_bytes=t_bytes,
        t_flops=t_flops,
        fraction=fraction,
        level=None if cached else device.memory,
        roof=None if cached else min(line, device.flop_per_s),
    )


def _read(path: Path) -> PublishedSet:
    text = reader.text(path, LARGEST_FILE_BYTES)
    try:
        data = tomllib.loads(text)
        if isinstance(data.get("results"), str):
            lines = csv.DictReader(io.StringIO(data["results"].strip()))
            data["results"] = [
                {name: cell or None for name, cell in line.items()} for line in lines
            ]
    except (csv.Error, RecursionError, ValueError) as error:
        raise BadFile(f"{path.name}: not a published set ({error}): see deepbench.toml") from error
    return reader.typed(PublishedSet, data, path.name, strict=False)
