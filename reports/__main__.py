"""The command line: report on profiles, compare and check them.

Exit codes: 0 good, 1 failed, 2 bad input, 3 a question that what was measured cannot answer.
"""

import argparse
import gc
import sys
from collections.abc import Sequence
from importlib import import_module

from bench.profile import streams
from bench.profile.errors import OneLine, absent

VERBS = ("build", "headline", "check", "compare", "repeatability", "predict", "fleet", "gallery")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code. Errors are one line on stderr."""
    streams.forgive()
    given = _parser().parse_args(arguments)
    try:
        code: int = given.run(given)
    except ModuleNotFoundError as error:
        print(f"error: {absent(error)}", file=sys.stderr)
        return 2
    except OneLine as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if reason := streams.lost():
        print(f"error: what is printed cannot be written: {reason}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reports",
        description="Read profiles: report on one, compare several, predict, check. Nothing is measured.",
        epilog="example: python -m reports build latest",
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name in VERBS:
        verb = import_module(f"reports.commands.{name}")
        example = f"example: python -m reports {name} {verb.EXAMPLE}"
        one = verbs.add_parser(name, help=verb.HELP, epilog=example)
        verb.add_options(one)
        one.set_defaults(run=verb.run)
    return parser


if __name__ == "__main__":
    # One command, then the process ends: looking for cycles among a million samples, again and again, takes a sixth of
    # a report's time.
    gc.disable()
    sys.exit(main())
