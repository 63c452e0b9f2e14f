"""The paper's claims as a table: each with what this machine says, the figures, and the experiment."""

from __future__ import annotations

from bench.profile.records import Profile
from reports.analysis import claims
from reports.tables.points import Cell, Table


def table(profile: Profile) -> Table:
    """A row per claim and device: what the paper says, what this machine says, and by which experiment."""
    found = claims.of(profile)
    several = len({claim.device for claim in found}) > 1
    lines = []
    for claim in found:
        here = f"{claim.device}: {claim.text}" if several else claim.text
        words = (claim.statement, here, claim.experiment)
        lines.append((Cell(str(claim.number)), *(Cell(word) for word in words)))
    return Table(("", "claim", "here", "experiment"), tuple(lines))


def figures(profile: Profile) -> Table:
    """What each claim's verdict rests on, or what is missing: a row per figure."""
    found = claims.of(profile)
    several = len({claim.device for claim in found}) > 1
    lines = [
        (Cell(f"{claim.number}, {claim.device}" if several else str(claim.number)), Cell(figure))
        for claim in found
        for figure in claim.figures
    ]
    return Table(("claim", "figure"), tuple(lines))
