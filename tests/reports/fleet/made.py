"""Fleets of made-up nodes: a real profile, its times and rates moved by known factors, written as nodes write them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np

from bench.profile import reader

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "reports" / "gallery" / "2026-11-28-cascade-lake-2-cores" / "profile.json"
STEPS = "steps"
RATES = {"byte/s", "flop/s"}


@dataclass(frozen=True)
class Slow:
    """What a node is slower in, as ratios of time: by level `L1`, `L2`, `DRAM`, `products`, `call`, `clock`, `steps`.

    `library` slows the steps of one implementation: its name, and the ratio.
    """

    by: dict[str, float] = field(default_factory=dict)
    library: tuple[str, float] = ("", 1.0)


def model(points=68):
    """A measured profile as plain data, of so many of its points, evenly chosen."""
    data = msgspec.json.decode(MODEL.read_bytes())
    every = [one for one in data["points"] if one["status"] == "ok"]
    data["points"] = [every[i * len(every) // points] for i in range(points)]
    data["warnings"] = []
    return data


def moved(data, random, noise=0.01, slow=None, common=0.0, created="2026-11-28T08:00:00+00:00"):
    """The profile of another pass: every figure moved by noise of its own, all by a common one, and by what is slow."""
    slow = slow or Slow()
    all_of = common * random.standard_normal()

    def factor(*what):
        found = np.exp(noise * random.standard_normal() + all_of)
        for name in what:
            found *= slow.by.get(name, 1.0)
        return float(found)

    levels = [
        level | {"bytes_per_s": level["bytes_per_s"] / factor(level["name"])}
        for level in data["levels"]
    ]
    memory = data["levels"][-1]["name"]
    roofs = []
    for roof in data["roofs"]:
        what = {"matmul": "products", "call": "call"}.get(roof["kind"])
        if roof["kind"] in ("write", "copy", "triad"):
            what = memory
        by = factor(what or "")
        samples = [one / by if roof["unit"] in RATES else one * by for one in roof["samples"]]
        roofs.append(roof | {"samples": samples})
    steps, by_library, clock = factor(STEPS), {}, factor("clock")
    points = []
    for point in data["points"]:
        name = point["implementation"]
        by = by_library.setdefault(name, slow.library[1] if name == slow.library[0] else 1.0)
        times = [
            one * steps * by * float(np.exp(noise / 5 * random.standard_normal()))
            for one in point["seconds"]
        ]
        state = dict(point["state"] or {})
        if state.get("clock_hz"):
            state["clock_hz"] /= clock
        points.append(point | {"seconds": times, "state": state})
    return data | {"levels": levels, "roofs": roofs, "points": points, "created": created}


def write(folder, node, name, data):
    """A pass as a node leaves it."""
    there = Path(folder) / node / name
    there.mkdir(parents=True, exist_ok=True)
    (there / "profile.json").write_text(json.dumps(data), encoding="utf-8")
    return there


def passes(nodes, random, data=None, slow=None, **moves):
    """Passes of so many nodes, two each, as they are read; `slow` by node."""
    from reports.fleet import figures

    data = data or model()
    for node in range(nodes):
        for name in "12":
            of = moved(data, random, slow=(slow or {}).get(node), **moves)
            yield figures.read(reader.from_dict(of, "made"), f"n{node:04}", name)
