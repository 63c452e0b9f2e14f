"""Computes with all threads where its case says one."""

from __future__ import annotations

import torch

from tests.cheats import honest

caught = "threads"


def prepare(case, sets, inputs):
    """And leaves it so."""
    torch.set_num_threads(case.threads + 1)
    return honest(case, sets, inputs)
