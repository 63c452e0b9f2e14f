"""Bandwidth against working set: a curve per thread count, levels and caches by name."""

from __future__ import annotations

from tests.reports import synthetic
from tests.reports.plots import bandwidth_against_working_set, texts
from tests.reports.synthetic import profile


def test_the_bandwidth_plot_has_a_curve_per_thread_count_and_the_systems_caches(made):
    ax = bandwidth_against_working_set(made)
    labels = ax.get_legend_handles_labels()[1]
    assert labels[:2] == ["read, 2 threads", "read, 1 thread"]
    assert {"write, 2 threads", "copy, 2 threads", "triad, 2 threads"} <= set(labels)
    assert {"L1 64 KiB", "L2 2 MiB", "L3 32 MiB", "DRAM\n52 GB/s"} <= set(texts(ax))


def test_the_bandwidth_plot_names_the_levels_though_points_had_fewer_threads():
    ax = bandwidth_against_working_set(profile([synthetic.point(threads=1)]))
    assert {"L1\n330 GB/s", "DRAM\n52 GB/s"} <= set(texts(ax))
