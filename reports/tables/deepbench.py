"""Sequences as DeepBench prints them: a call's time, and its own count of FLOPs over that time.

Its count is the recurrent matrix's (baidu-research/DeepBench, its result books and issue 55): per step 8BH^2 for LSTM,
6BH^2 for GRU, 2BH^2 + BH for its vanilla cell. Each is 2BGH^2, which a point records as `flops.recurrent`; the BH are
the vanilla cell's activations.
"""

from __future__ import annotations

from bench.profile.records import Profile
from kernels.case import Case
from reports.analysis import points
from reports.tables.points import Cell, Table, contender, count, dtypes, scaled

SUITE = "deepbench"
NAMES = {"rnn": "vanilla", "lstm": "lstm", "gru": "gru"}


def table(profile: Profile) -> Table:
    """Every good sequence, and in the suite of that name its single steps too: one of its problems has one step."""
    header = ("cell", "H", "B", "T", "dtype", "implementation", "ms per sequence", "TFLOP/s")
    lines = []
    for row in points.rows(profile):
        case, point = row.case, row.point
        if case.part != "cell" or (case.steps == 1 and profile.suite != SUITE) or not point.flops:
            continue
        seconds = row.seconds.median * case.steps
        rate = flops(case, point.flops["recurrent"]) * case.steps / seconds
        words = (Cell(NAMES[case.cell]), count(case.hidden), count(case.batch), count(case.steps))
        name = (Cell(dtypes(case)), Cell(contender(point)))
        lines.append((*words, *name, scaled(seconds, 1e3), scaled(rate, 1e-12)))
    return Table(header, tuple(lines))


def flops(case: Case, recurrent: int) -> int:
    """DeepBench's FLOPs of one step."""
    return recurrent + (case.batch * case.hidden if case.cell == "rnn" else 0)
