"""`python -m bench list`: what there is to measure, and by what."""

import argparse
from pathlib import Path

HELP = "suites with their number of points, implementations, probes"


def add_options(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_given: argparse.Namespace) -> int:
    """Print them."""
    from bench import roofs
    from bench.device import threads
    from bench.profile import suite
    from bench.session.folder import RUNS
    from kernels import implementations
    from kernels.case import ALL, Unavailable

    for name in suite.names():
        plan = suite.load(name, ALL, threads.available(), 0)
        on_cpu = sum(point.case.device == "cpu" for point in plan.points)
        count = f"{on_cpu} points" if on_cpu else f"{len(plan.points)} points of a GPU"
        default = " (default)" if name == suite.DEFAULT else ""
        print(f"suite {name}{default}: {count}. {plan.why}")
    for name in implementations.names():
        try:
            module = implementations.load(name)
            print(f"implementation {name}: {module.label}; {module.version()}")
        except Unavailable as reason:
            print(f"implementation {name}: unavailable: {reason}")
    probes = sorted(path.stem for path in Path(roofs.__path__[0]).glob("[a-z]*.py"))
    print("probes: " + ", ".join(probes))
    print(f"runs land in {RUNS.relative_to(RUNS.parents[1])}/")
    return 0
