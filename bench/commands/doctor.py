"""`python -m bench doctor`: what will spoil a measurement here."""

from __future__ import annotations

import argparse

HELP = "what will spoil a measurement here, and what to do about it"


def add_options(_parser: argparse.ArgumentParser) -> None:
    """It has none."""


def run(_given: argparse.Namespace) -> int:
    """Look for some seconds, and print what was found."""
    from bench.session import doctor

    found = doctor.examine()
    for warning in found:
        print(f"{warning.code}: {warning.message}\n    {warning.advice}")
    told = f"{len(found)} things to know before measuring here"
    print(told if found else "nothing here spoils a measurement")
    return 0
