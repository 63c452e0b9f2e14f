"""`python -m bench`: list, machine, roofs, doctor, step, repeat, fleet, verify; each a file in `bench/commands/`."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from bench.profile import streams
from bench.profile.errors import OneLine, absent
from bench.timing.interrupts import INTERRUPTED
from kernels.case import InvalidCase, Unavailable

BAD_USAGE = 2
VERBS = ("list", "machine", "doctor", "roofs", "verify", "step", "repeat", "fleet")
EXAMPLES = """examples:
  python -m bench list                              suites, implementations, and what they would measure
  python -m bench doctor                            what will spoil a measurement here, and what to do about it
  python -m bench step lstm 1500 --batch 8          one case of your own, at once
  python -m bench repeat 5                          five runs of the quick suite, and what moves between them
  python -m bench fleet --address auto --out DIR    a suite on every node of a Ray cluster, and which node is slow
  python -m bench verify                            is the instrument right? known answers, probes in C, counted bytes
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit code; every foreseen error is one line on standard error."""
    streams.forgive()
    try:
        given = _parser().parse_args(arguments)
        if given.measures_here:
            from bench.device import threads

            threads.settle()
            threads.libraries()
        code: int = given.run(given)
    except ModuleNotFoundError as error:
        print(f"bench: {absent(error)}", file=sys.stderr)
        return BAD_USAGE
    except (OneLine, InvalidCase, Unavailable) as error:
        print(f"bench: {error}", file=sys.stderr)
        return BAD_USAGE
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return INTERRUPTED
    if reason := streams.lost():
        print(f"bench: what is printed cannot be written: {reason}", file=sys.stderr)
        return BAD_USAGE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="What one step of a recurrent cell costs here, and the roofs it is held against.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name in VERBS:
        verb = import_module(f"bench.commands.{name}")
        one = verbs.add_parser(
            name,
            help=verb.HELP,
            description=verb.HELP,
            epilog=getattr(verb, "EXAMPLES", f"example: python -m bench {name}"),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.add_options(one)
        one.set_defaults(run=verb.run, measures_here=getattr(verb, "MEASURES_HERE", True))
    return parser


if __name__ == "__main__":
    sys.exit(main())
