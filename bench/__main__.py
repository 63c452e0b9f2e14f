"""`python -m bench`: list, machine, roofs, doctor, step, verify."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.device import threads
from bench.profile.records import Point
from bench.profile.suite import Planned, Suite
from bench.timing import interrupts
from bench.verify.checks import Check
from kernels.case import (
    ACTIVATIONS,
    CELLS,
    DTYPES,
    PARTS,
    PHASES,
    RESIDENCIES,
    InvalidCase,
    Unavailable,
)

if TYPE_CHECKING:
    from bench.session.run import Run

GOOD, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130
LONG_SECONDS = 1.0
"""Compiling and packing that took so long is told with the point."""

OWN_CALL_SECONDS = 60.0
"""Longest call of a sequence that is asked for by name: who asks may wait, or interrupt."""

EXAMPLES = """examples:
  python -m bench list                              suites, implementations, and what they would measure
  python -m bench doctor                            what will spoil a measurement here, and what to do about it
  python -m bench step lstm 1500 --batch 8          one case of your own, at once
  python -m bench verify                            is the instrument right? planted steps of known truth
"""


class BadUsage(Exception):
    """An argument that means nothing here; the message is one line with the mend."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code; every foreseen error is one line on standard error."""
    given = _parser().parse_args(arguments)
    threads.settle()
    try:
        threads.libraries()
    except Unavailable as error:
        print(f"bench: {error}", file=sys.stderr)
        return BAD_USAGE
    from bench.profile.errors import BadFile
    from bench.session.folder import BadOutput
    from bench.session.lock import Busy

    try:
        code: int = given.verb(given)
    except (BadUsage, BadFile, BadOutput, Busy, InvalidCase, Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return GOOD
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What one step of a recurrent cell costs here, and the roofs it is held against.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(
            name, help=text, description=text, epilog=f"example: python -m bench {name}"
        )
        one.set_defaults(verb=run)
        return one

    verb("list", _list, "suites with their number of points, implementations, probes")
    machine = verb("machine", _machine, "what this machine is, as JSON, as a profile states it")
    machine.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="read DIR/proc and DIR/sys as if they were the machine's, and nothing else",
    )
    machine.add_argument(
        "--cpus",
        metavar="LIST",
        help="processors that the process may use, as 0-1,4 (default: what the machine tells)",
    )
    verb("doctor", _doctor, "what will spoil a measurement here, and what to do about it")
    roofs = verb("roofs", _roofs, "measure this machine's roofs and levels")
    roofs.add_argument("--seconds", type=float, default=5.0, help="for the read curve (default 5)")
    command = verb(
        "verify", _verify, "is the instrument right? known truths, C probes, counted bytes"
    )
    command.epilog = (
        "examples: python -m bench verify    python -m bench verify --all --only counted\n"
        "          python -m bench verify --counts reports/runs/latest --out counted"
    )
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument(
        "--times", type=int, default=1, help="plant known truths so many times in a row (default 1)"
    )
    command.add_argument(
        "--all",
        action="store_true",
        help="everything, and to the last percent; takes some ten minutes",
    )
    command.add_argument(
        "--only",
        choices=("planted", "probes", "counted"),
        help="planted steps of known truth, roofs against C, or counted bytes (default: all three)",
    )
    command.add_argument(
        "--counts",
        type=Path,
        metavar="PROFILE",
        help="count the steps of this profile or run folder alone, and write it with its counts to --out",
    )
    command.add_argument("--implementation", help="count by this one alone (default: by every one)")
    command.add_argument("--out", type=Path, help="new folder for the profile that --counts makes")
    step = verb("step", _step, "measure one case of your own, by every implementation that can")
    step.epilog = "example: python -m bench step lstm 1500 --batch 8 --residency streamed"
    step.add_argument("cell", help=", ".join(CELLS))
    step.add_argument("hidden", type=int, help="units of the state")
    step.add_argument("--input", type=int, help="units of the input (default: as hidden)")
    step.add_argument(
        "--batch", type=int, default=1, help="sequences that share one step (default 1)"
    )
    step.add_argument(
        "--steps", type=int, default=1, help="time steps per call; beyond 1 a sequence (default 1)"
    )
    step.add_argument("--part", default="cell", help=", ".join(PARTS))
    step.add_argument(
        "--phase", default="step", help=", ".join(PHASES) + ": forward alone, or backward too"
    )
    step.add_argument("--dtype", default="float32", help="of the weights: " + ", ".join(DTYPES))
    step.add_argument(
        "--activations", help="float32, bfloat16 (default: as the weights; float32 for int8)"
    )
    step.add_argument("--residency", default="resident", help=", ".join(RESIDENCIES))
    step.add_argument("--threads", type=int, help="threads (default: one per core)")
    step.add_argument(
        "--implementation",
        action="append",
        metavar="NAME|FILE",
        help="these only: a name, or a .py file of your own, which is run (repeatable; default: every one there is)",
    )
    step.add_argument("--device", default="cpu", help="cpu, or cuda where there is one")
    step.add_argument(
        "--out",
        type=Path,
        help="keep the run in this folder (default: a new one under reports/runs)",
    )
    return parser


def _list(_given: argparse.Namespace) -> int:
    from bench.profile import suite
    from bench.session.folder import RUNS
    from kernels import implementations

    count = threads.available()
    for name in suite.names():
        device = "cuda" if name == suite.DEFAULT_CUDA else "cpu"
        plan = suite.load(name, device, count, 0)
        default = " (default)" if name == suite.DEFAULT else ""
        print(f"suite {name}{default}: {len(plan.points)} points. {plan.why}")
    for name in implementations.names():
        try:
            module = implementations.load(name)
            print(f"implementation {name}: {module.label}; {module.version()}")
        except Unavailable as reason:
            print(f"implementation {name}: unavailable: {reason}")
    probes = sorted(path.stem for path in (Path(__file__).parent / "roofs").glob("[a-z]*.py"))
    print(
        "probes: "
        + ", ".join(name for name in probes if name not in ("product", "shared", "vector"))
    )
    print(f"runs land in {RUNS.relative_to(RUNS.parents[1])}/")
    return GOOD


def _machine(given: argparse.Namespace) -> int:
    from bench.machine import cpuinfo, describe, system, topology
    from bench.machine.system import THIS, as_list, cpu_list
    from bench.session import warnings

    of = THIS if given.root is None else system.System(given.root)
    if not any((of.root / name).is_dir() for name in ("proc", "sys")) and given.root is not None:
        raise BadUsage(
            f"--root {given.root}: it has no folder proc or sys: give one with copies of a machine's"
        )
    chosen = None if given.cpus is None else cpu_list(given.cpus)
    if chosen is not None:
        there = topology.online(of, cpuinfo.read(of))
        if not chosen or (there and not chosen <= there):
            of_those = f" of {as_list(there)}" if there else ""
            raise BadUsage(f"--cpus {given.cpus}: use processors{of_those}, as a list like 0-1,4")
    described = describe.machine(given.root, chosen)
    found = [asdict(warning) for warning in warnings.of_description(described)]
    print(json.dumps({**described, "warnings": found}, indent=2))
    return GOOD


def _doctor(_given: argparse.Namespace) -> int:
    from bench.session import doctor

    found = doctor.examine()
    for warning in found:
        print(f"{warning.code}: {warning.message}\n    {warning.advice}")
    print(
        f"{len(found)} things to know before measuring here"
        if found
        else "nothing here spoils a measurement"
    )
    return GOOD


def _roofs(given: argparse.Namespace) -> int:
    from bench.session import roof_lines

    if not 0 < given.seconds <= 3600:
        raise BadUsage(f"--seconds {given.seconds} is out of range: use 0 to 3600")
    with _run(_one_suite([], curve_seconds=given.seconds), None) as run:
        run.begin()
        profile = run.finish([])
    print("\n".join(roof_lines.lines(profile)))
    return GOOD


def _verify(given: argparse.Namespace) -> int:
    from bench.verify import checks

    if not 1 <= given.times <= 1000:
        raise BadUsage(f"--times {given.times} is out of range: use 1 to 1000")
    if (given.counts is None) != (given.out is None):
        raise BadUsage(
            "--counts and --out belong together: the profile to count for, and a folder for the counted one"
        )
    if given.implementation:
        from kernels import implementations

        implementations.load(given.implementation)
    _refuse_what_does_nothing(given)
    found: list[Check] = []
    try:
        with interrupts.listening():
            for check in _verified(given):
                found.append(check)  # noqa: PERF402 - what was found is told if the rest is interrupted
    finally:
        for line in checks.table(found):
            print(line)
    if given.out:
        print(f"counted: {given.out / 'profile.json'}")
    bad = sum(not one.good for one in found)
    if bad:
        print(f"bench: {bad} of these came out wrong: trust no figure here now", file=sys.stderr)
    return FAILED if bad else GOOD


def _refuse_what_does_nothing(given: argparse.Namespace) -> None:
    """Raise BadUsage for an option that another one makes meaningless."""
    counts, only = given.counts is not None, given.only
    from_profile = "--counts counts the steps of a profile"
    for meaningless, option, why in (
        (counts and only not in (None, "counted"), f"--only {only}", from_profile),
        (counts and given.all, "--all", from_profile),
        (counts and given.implementation, "--implementation", from_profile),
        (only in ("planted", "probes") and given.implementation, "--implementation", f"--only {only} counts no bytes"),
        (given.times > 1 and counts, "--times", from_profile),
        (given.times > 1 and only in ("probes", "counted"), "--times", f"--only {only} plants no known truths"),
    ):  # fmt: skip
        if meaningless:
            raise BadUsage(f"{option} does nothing here: {why}: leave it out")


def _verified(given: argparse.Namespace) -> Iterator[Check]:
    from bench.verify import command
    from kernels import implementations

    def say(what: str) -> None:
        print(f"bench: {what} ...", file=sys.stderr, flush=True)

    if given.counts:
        yield from command.profile(given.counts, given.out)
        return
    names = [given.implementation] if given.implementation else implementations.names()
    parts = command.PARTS if given.only is None else (given.only,)
    if parts != ("counted",):
        say("measuring roofs")
        with _run(_one_suite([], curve_seconds=1.0), None) as run:
            run.begin()
            if "planted" in parts:
                say("planting steps of known truth")
                yield from command.known(run, given.times, thorough=given.all)
            if "probes" in parts:
                say("holding the roofs against C and likwid-bench")
                yield from command.against_c(run, thorough=given.all)
                yield from command.against_likwid(run, thorough=given.all)
            run.close()
    if "counted" in parts:
        say("counting bytes")
        yield from command.bytes_counted(names, thorough=given.all)


def _step(given: argparse.Namespace) -> int:
    from bench.machine import gpus
    from bench.profile.suite import Planned
    from kernels import implementations
    from kernels.case import Case

    on_gpu = given.device == "cuda"
    if on_gpu and (reason := gpus.no_cuda_reason()):
        raise BadUsage(f"--device cuda: {reason}")
    count = threads.available() if given.threads is None else given.threads
    if not 1 <= count <= threads.available():
        raise BadUsage(
            f"--threads {count} is out of range: this process may use 1 to {threads.available()}"
        )
    case = Case(
        cell=given.cell,
        hidden=given.hidden,
        input=given.hidden if given.input is None else given.input,
        batch=given.batch,
        part=given.part,
        phase=given.phase,
        dtype=given.dtype,
        activations=given.activations or ACTIVATIONS.get(given.dtype, given.dtype),
        residency=given.residency,
        device=given.device,
        threads=0 if on_gpu else count,
        steps=given.steps,
    )
    names = [implementations.named(one) for one in given.implementation or ()]
    for name in names:
        implementations.load(name)
    planned = [Planned(case, name) for name in dict.fromkeys(names or implementations.names())]
    with _run(_one_suite(planned, curve_seconds=1.0), given.out) as run:
        run.begin()
        try:
            for order, one in enumerate(planned):
                print(_told(run, run.measure(one, order)), flush=True)
        finally:
            profile = run.finish(planned)
        print(f"verdict and pictures: python -m reports build {run.folder}")
    return FAILED if any(point.status == "failed" for point in profile.points) else GOOD


def _told(run: Run, point: Point) -> str:
    from bench.profile import fractions, stats

    if point.status != "ok" or point.bytes is None or point.flops is None:
        return f"{point.implementation}: {point.status}: {point.reason}"
    time, roof = stats.estimate(point.seconds), stats.median(point.roof_bytes_per_s)
    context = run.context(point.case.device)
    written = context.write_seconds(point.bytes["written"], point.case.threads)
    share = stats.estimate(fractions.of(point, written))
    moved = point.bytes["read"] + point.bytes["written"]
    long = (point.prepare_seconds or 0.0) >= LONG_SECONDS
    prepared = f"; prepared in {point.prepare_seconds:.1f} s" if long else ""
    return (
        f"{point.implementation}: {time.median * 1e6:.1f} us ({time.low * 1e6:.1f} to {time.high * 1e6:.1f}), "
        f"{moved / time.median / 1e9:.1f} GB/s, {point.flops['linear'] / time.median / 1e9:.1f} GFLOP/s, "
        f"{share.median:.0%} ({share.low:.0%} to {share.high:.0%}) of its paired roof; "
        f"reading here runs at {roof / 1e9:.1f} GB/s{prepared}"
    )


def _one_suite(planned: list[Planned], curve_seconds: float) -> Suite:
    from bench.profile.suite import Suite

    return Suite(
        "step",
        "",
        {
            "precision": 0.02,
            "budget_seconds": 2.0,
            "curve_seconds": curve_seconds,
            "longest_call_seconds": OWN_CALL_SECONDS,
        },
        tuple(planned),
    )


@contextmanager
def _run(plan: Suite, out: Path | None) -> Iterator[Run]:
    """A run in `out`, in a new folder if points are planned, else in a folder that goes when it is done."""
    from tempfile import TemporaryDirectory

    from bench.session.folder import new_folder
    from bench.session.run import Run

    with interrupts.listening():
        if out or plan.points:
            yield Run(plan, 0, out or new_folder(plan.name))
            return
        with TemporaryDirectory() as folder:
            yield Run(plan, 0, Path(folder) / "run")


if __name__ == "__main__":
    sys.exit(main())
