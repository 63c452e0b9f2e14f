"""Rounds its weights to half their bytes when it prepares, and computes in float32."""

from __future__ import annotations

import torch

from tests.cheats import honest

caught = "wrong answer before it was timed"


def prepare(case, sets, inputs):
    """As a quantised implementation that does not say so."""
    return honest(case, [[t.to(torch.bfloat16).float() for t in one] for one in sets], inputs)
