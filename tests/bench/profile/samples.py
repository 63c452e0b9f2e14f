"""A small profile in which every record occurs, and ways to spoil it."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench.profile import reader
from bench.profile.errors import BadFile
from bench.profile.records import Level, Point, Profile, Roof, RunWarning
from kernels.case import Case

FIXTURES = Path(__file__).parents[1] / "fixtures"


CASE = Case("lstm", hidden=64, input=32, batch=4, threads=2)

ROOF = Roof(
    "cpu", "read", "measured", None, 32768, 4096, 2, "1x8x16", "byte/s", (1e9, 2e9), ("a", "b")
)

LEVEL = Level("cpu", "L1", 65536, 3e11)

WARNING = RunWarning("noisy", "run", "the interval is wide", "measure again")

POINT = Point(
    case=CASE,
    implementation="torch_cell",
    status="ok",
    version="torch 2",
    order=3,
    at="2025-01-02T03:04:05+00:00",
    seconds=(1e-5, 1.5e-5),
    steps_per_sample=7,
    single_step_seconds={"min": 1e-5, "p50": 1.1e-5},
    roof_bytes_per_s=(1e10, 2e10),
    roof_flop_per_s=(1e11, 1e11),
    floor_seconds=1e-6,
    flops={"linear": 10, "recurrent": 5, "pointwise": 1},
    bytes={"weights": 1, "activations": 2, "read": 2, "written": 1},
    reads={"W": "per_step", "U": "per_step"},
    weight_sets=1,
    working_set_bytes=100,
    page_bytes=4096,
    error=1e-7,
    tolerance=1e-5,
    state={"clock_hz": None, "throttle": [], "load": 0.5},
)

PROFILE = Profile(
    created="2025-01-02T03:04:05+00:00",
    suite="quick",
    seed=1,
    project={"version": "0.1.0", "commit": None, "dirty": None},
    machine={"id": "0123456789abcdef", "label": "a machine", "cpu": {"caches": []}},
    environment={"python": "3.11.0", "threads": 2},
    settings={"precision": 0.04},
    complete=True,
    roofs=(ROOF,),
    levels=(LEVEL,),
    points=(POINT, Point(replace(CASE, batch=8), "torch_gates", "skipped", reason="too large")),
    warnings=(WARNING,),
)

AS_JSON = json.loads(json.dumps(asdict(PROFILE)))


def changed(path, value):
    """The profile as JSON with one field replaced; `path` is like points.0.seconds.1."""
    data = json.loads(json.dumps(asdict(PROFILE)))
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place = data
    for step in way:
        place = place[step]
    place[last] = value
    return data


def refused(data):
    with pytest.raises(BadFile) as caught:
        reader.from_dict(data, "a.json")
    line = str(caught.value)
    assert line.startswith("a.json")
    assert "\n" not in line
    assert len(line) < 300
    return line
