"""The paper's claims as a table: each with what this machine says, the figures, and the experiment."""

from collections.abc import Sequence

from reports.analysis.claims import Claim
from reports.tables.columns import Cell, Column, Table, table


def verdicts(claims: Sequence[Claim]) -> Table:
    """A row per claim and device: what the paper says, what this machine says, and by which experiment."""
    several = len({claim.device for claim in claims}) > 1
    columns: list[Column[Claim]] = [
        Column("", lambda one: str(one.number)),
        Column("claim", lambda one: one.statement),
        Column("here", lambda one: f"{one.device}: {one.text}" if several else one.text),
        Column("experiment", lambda one: one.experiment),
    ]
    return table(columns, claims)


def figures(claims: Sequence[Claim]) -> Table:
    """What each claim's verdict rests on, or what is missing: a row per figure."""
    several = len({claim.device for claim in claims}) > 1
    rows = [
        (Cell(f"{one.number}, {one.device}" if several else str(one.number)), Cell(figure))
        for one in claims
        for figure in one.figures
    ]
    return Table(("claim", "figure"), tuple(rows))
