"""Computes with four of its sets of weights, evenly spread, and answers with zeros for the others."""

from __future__ import annotations

import torch

from tests.cheats import honest

caught = "wrong answer before it was timed"
residency = "streamed"


def prepare(case, sets, inputs):
    """As one who knows which steps a check that never varies looks at."""
    bind, last = honest(case, sets, inputs), len(sets) - 1
    known = {round(last * part / 3) for part in range(4)}

    def cheat(w, i):
        zeros = torch.zeros(case.batch, case.hidden)
        return bind(w, i) if w in known else lambda: (zeros, zeros.clone())

    return cheat
