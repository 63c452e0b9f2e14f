"""Reads profiles and says what they mean: tables, plots and pages. Never measures, never loads torch.

In a notebook, `load` gives every point as a table, and `plots.roofline` draws into axes of yours:

>>> import reports
>>> points = reports.load("2026-11-23-epyc-2-cores")
>>> steps = points[(points.cell == "lstm") & (points.part == "cell") & (points.residency == "streamed")]
>>> sorted(steps.batch.unique().tolist())
[1, 2, 4, 8, 16, 64]
>>> profile = reports.profile("2026-11-23-epyc-2-cores")
>>> import matplotlib.pyplot as plt
>>> from reports import plots
>>> figure, ax = plt.subplots()
>>> plots.roofline(profile, ax=ax) is ax
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from bench.profile.records import Profile


def load(*arguments: str) -> pd.DataFrame:
    """Every point of one or more profiles, in SI units, with the columns of points.csv and `profile` before them.

    An argument is a file, a run's folder, a name in the gallery, or `latest`. Missing figures are NaN. The table writes
    itself as CSV, and as Parquet where pyarrow is installed. Raises BadInput or BadFile.
    """
    import pandas as pd

    from reports.analysis.analysis import Analysis
    from reports.tables import csv

    tables = [
        pd.DataFrame(csv.lines(Analysis(profile(argument)))).assign(profile=argument)
        for argument in arguments
    ]
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"profile": []})
    return joined[["profile", *(name for name in joined.columns if name != "profile")]]


def profile(argument: str) -> Profile:
    """The profile that an argument stands for. Raises BadInput or BadFile."""
    from reports import locate

    return locate.load(argument)[0]
