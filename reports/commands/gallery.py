"""`python -m reports gallery`: the site of all profiles in the gallery."""

from __future__ import annotations

import argparse
from pathlib import Path

from reports.commands import _arguments

HELP = "a static site of every profile in reports/gallery, ready to publish"
EXAMPLE = "--out site"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to."""
    _arguments.add_out(parser, "where to write (default: site)", Path("site"))


def run(given: argparse.Namespace) -> int:
    """Write the site of all profiles in the gallery."""
    from reports.page import site

    print(site.build_site(given.out))
    return 0
