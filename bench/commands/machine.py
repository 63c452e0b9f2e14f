"""`python -m bench machine`: what a machine is, as a profile states it."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

HELP = "what this machine is, as JSON, as a profile states it"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Another root folder, and the processors to count."""
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="read DIR/proc and DIR/sys as if they were the machine's, and nothing else",
    )
    parser.add_argument(
        "--cpus",
        metavar="LIST",
        help="processors that the process may use, as 0-1,4 (default: what the machine tells)",
    )


def run(given: argparse.Namespace) -> int:
    """Print it, with what its description holds against it."""
    from bench.machine import cpuinfo, describe, system, topology
    from bench.session import machine_warnings
    from bench.session.start import BadUsage

    of = system.THIS if given.root is None else system.System(given.root)
    if not any((of.root / name).is_dir() for name in ("proc", "sys")) and given.root is not None:
        raise BadUsage(
            f"--root {given.root}: it has no folder proc or sys: give one with copies of a machine's"
        )
    chosen = None if given.cpus is None else system.cpu_list(given.cpus)
    if chosen is not None:
        there = topology.online(of, cpuinfo.read(of))
        if not chosen or (there and not chosen <= there):
            of_those = f" of {system.as_list(there)}" if there else ""
            raise BadUsage(f"--cpus {given.cpus}: use processors{of_those}, as a list like 0-1,4")
    described = describe.machine(given.root, chosen)
    found = [asdict(warning) for warning in machine_warnings.of_description(described)]
    print(json.dumps({**described, "warnings": found}, indent=2))
    return 0
