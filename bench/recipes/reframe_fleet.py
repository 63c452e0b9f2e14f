"""A ReFrame test that measures one node of a fleet in one pass. It needs reframe-hpc and a site's configuration.

reframe -c bench/recipes/reframe_fleet.py --distribute=all -S fleet=DIR -r                      every node, first pass
reframe -c bench/recipes/reframe_fleet.py --distribute=all -S fleet=DIR -S fleet_pass=2 -r      the second

DIR is a folder that every node sees, as the checkout with its .venv is; by default `fleet`, where reframe starts. Then
`python -m reports fleet DIR --out DIR` says which node is slow, and `-S previous=DIR` holds a later fleet against the
medians of its own class in this one. Other settings, with their defaults, are the variables of the class.
"""

import csv
import json
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import reframe as rfm
import reframe.utility.sanity as sn
from reframe.core.backends import getlauncher
from reframe.core.builtins import run_after, run_before, sanity_function, variable

UNITS = {"dram_read": "GB/s", "lstm_step": "us"}
"""Of a performance variable, behind its device: cpu_dram_read."""


@rfm.simple_test
class RnnRoofline(rfm.RunOnlyRegressionTest):
    """Passes where the node measured all of the suite, and no slower than its class in the previous fleet if given."""

    fleet = variable(str, value="fleet")
    fleet_pass = variable(str, value="1")
    previous = variable(str, value="")
    tolerance = variable(float, value=0.1)
    suite = variable(str, value="quick")
    checkout = variable(str, value=str(Path(__file__).resolve().parents[2]))
    command = variable(str, value="python -m pytest -c pyproject.toml --benchmark-only --wait=1800")

    sourcesdir = None
    num_tasks = 1
    exclusive_access = True
    time_limit = "45m"

    @run_after("init")
    def measure(self) -> None:
        """Write the run into DIR/NODE/PASS, or go on with the one that is there."""
        self.valid_systems, self.valid_prog_environs = ["*"], ["*"]
        if self.previous:
            self.previous = str(Path(self.previous).resolve())
        fleet = shlex.quote(str(Path(self.fleet).resolve()))
        self.prerun_cmds = [
            f"folder={fleet}/${{SLURMD_NODENAME:-$(hostname -s)}}/{shlex.quote(self.fleet_pass)}",
            'echo "folder: $folder"',
            f'set -- {shlex.quote("--suite=" + self.suite)} "--out=$folder"',
            'if [ -s "$folder/journal.jsonl" ]; then set -- "--resume=$folder"; fi',
            f"cd {shlex.quote(self.checkout)}",
            "if [ -f .venv/bin/activate ]; then . .venv/bin/activate; fi",
        ]
        self.executable = self.command
        self.executable_opts = ['"$@"']

    @run_before("run")
    def take_the_whole_node(self) -> None:
        """No launcher, for a step of its own might be granted one processor only."""
        self.job.launcher = getlauncher("local")()

    @sanity_function
    def is_complete(self) -> Any:
        """Whether all of the suite is in the profile."""
        path = self.folder() / "profile.json"
        return sn.and_(
            sn.assert_true(path.is_file(), f"{path}: not there"),
            sn.assert_true(path.is_file() and read(path)["complete"], f"{path}: not complete"),
        )

    @run_before("performance")
    def hold_against_its_class(self) -> None:
        """Performance variables from the profile; references from the nodes of its class, where it is known."""
        folder = self.folder()
        expected = {}
        if self.previous:
            expected = medians_of_class(Path(self.previous), folder.parent.name)
        references = {}
        for name, value in figures(folder / "profile.json").items():
            unit = next(unit for end, unit in UNITS.items() if name.endswith(end))
            self.perf_variables[name] = sn.make_performance_function(sn.defer(value), unit)
            if name in expected:
                slower = (-self.tolerance, None) if unit == "GB/s" else (None, self.tolerance)
                references[name] = (expected[name], *slower, unit)
        if references:
            self.reference = {"*": references}

    def folder(self) -> Path:
        """Of this node and pass, as the job named it."""
        printed = Path(self.stagedir) / str(self.stdout)
        return Path(str(sn.evaluate(sn.extractsingle(r"^folder: (.+)$", str(printed), 1))))


def read(path: Path) -> Any:
    """A profile."""
    return json.loads(path.read_text(encoding="utf-8"))


def figures(path: Path) -> dict[str, float]:
    """By device the read roof of memory, and the fastest step of the largest LSTM at batch 1 with streamed weights.

    Weights are float32 on a CPU and bfloat16 on a GPU. A suite without such a step gives the roof alone.
    """
    profile, found = read(path), {}
    for level in profile["levels"]:
        if level["name"] == "DRAM":
            found[f"{level['device']}_dram_read"] = level["bytes_per_s"] / 1e9
    for device in {point["case"]["device"] for point in profile["points"]}:
        steps = list(lstm_steps(profile["points"], device))
        if steps:
            largest = max(hidden for hidden, _ in steps)
            seconds = min(seconds for hidden, seconds in steps if hidden == largest)
            found[f"{device}_lstm_step"] = seconds * 1e6
    return found


def lstm_steps(points: list[dict[str, Any]], device: str) -> Iterator[tuple[int, float]]:
    """Hidden size and median seconds of each."""
    wanted = {"cell": "lstm", "part": "cell", "phase": "step", "batch": 1, "steps": 1}
    dtype = "float32" if device == "cpu" else "bfloat16"
    wanted |= {"dtype": dtype, "residency": "streamed", "device": device}
    for point in points:
        case = point["case"]
        if point["status"] == "ok" and all(case[key] == value for key, value in wanted.items()):
            yield case["hidden"], median(point["seconds"])


@cache
def earlier(path: Path) -> dict[str, float]:
    """The figures of a profile that changes no more: every node of its class asks for them."""
    return figures(path)


def medians_of_class(previous: Path, node: str) -> dict[str, float]:
    """The medians of the nodes of its class that were not slow; nothing where fleet.csv does not know the node."""
    with (previous / "fleet.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kind = next((row["class"] for row in rows if row["node"] == node), None)
    peers = [row["node"] for row in rows if row["class"] == kind and row["verdict"] != "slow"]
    values: dict[str, list[float]] = {}
    for peer in peers:
        for path in sorted((previous / peer).glob("*/profile.json")):
            for name, value in earlier(path).items():
                values.setdefault(name, []).append(value)
    return {name: median(each) for name, each in values.items()}
