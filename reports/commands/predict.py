"""`python -m reports predict`: the steps of one profile on the roofs of another."""

from __future__ import annotations

import argparse

from reports.commands import _arguments

HELP = "what one profile's steps would take on another's roofs, with the error where both are known"
EXAMPLE = '"NVIDIA TitanXp" --on "NVIDIA P100"'


def add_options(parser: argparse.ArgumentParser) -> None:
    """Whose steps, on whose roofs, and where to."""
    parser.add_argument("profile", metavar="PROFILE", help=_arguments.ONE_OF)
    parser.add_argument("--on", required=True, metavar="PROFILE", help="whose roofs")
    _arguments.add_out(parser, "write predict.csv")


def run(given: argparse.Namespace) -> int:
    """Print predictions, and write them as CSV where `out` is given."""
    from reports.compare import predict
    from reports.page.terminal import say, show
    from reports.tables import predictions as tables

    found = predict.predict(_arguments.system(given.profile), _arguments.system(given.on))
    title = f"Steps of {found.source.name} on the roofs of {found.target.name}"
    show(title, tables.predictions(found))
    say(*tables.notes(found))
    if given.out is not None:
        say(_arguments.written(given.out, "predict.csv", tables.predictions_csv(found)))
    return 0
