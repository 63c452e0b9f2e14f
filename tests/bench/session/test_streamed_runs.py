"""Whole runs on machines whose last cache is not the one reported: every streamed point is measured all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.device import cpu_sweep
from bench.measure import point as points
from bench.profile import records
from bench.profile.journal import from_journal
from bench.profile.suite import Planned, Suite
from bench.session.run import Run
from bench.telemetry import memory as machine_memory
from kernels import implementations
from kernels.case import Case
from kernels.reference import inputs
from tests.bench import cheap_roofs

MIB = 1 << 20
REPORTED = 256 << 10
POINTS = tuple(
    Planned(Case("lstm", 64, 64, batch, residency=residency), "torch_cell")
    for batch in (1, 4)
    for residency in ("resident", "streamed")
)
PLAN = Suite(
    "planted",
    "",
    {"precision": 0.5, "budget_seconds": 0.01, "curve_seconds": 0.01, "longest_call_seconds": 1.0},
    POINTS,
    "why = 1",
)


@pytest.fixture
def measured(short_runs, monkeypatch, tmp_path):  # noqa: ARG001 - for what it patches
    """A function that runs the plan where caches end at `last_level` bytes; the profile, and the arena at its end."""

    def measure(last_level):
        def rate(size):
            return cheap_roofs.RATE / (1 if size <= last_level else 4)

        def curve(_address, largest, _page_bytes, counts, _thorough, _limit):
            sizes = cpu_sweep.sizes(largest, thorough=True)
            return [
                cheap_roofs.roof("read", size, sample=rate(size), count=count)
                for count in counts
                for size in sizes
            ]

        def memory(arena, sizes, _page_bytes, count, _fast, _rounds, sweep, _limit):
            arena.grow(max(sizes))
            return [
                replace(cheap_roofs.roof("read", size, sample=rate(size), count=count), sweep=sweep)
                for size in sizes
            ]

        monkeypatch.setattr(cpu_sweep, "read_curve", curve)
        monkeypatch.setattr(cpu_sweep, "memory", memory)
        monkeypatch.setattr(cpu_sweep, "LEAST_MEMORY", 64 * MIB)
        monkeypatch.setattr(machine_memory, "available", lambda: 512 * MIB)
        run = Run(PLAN, 0, tmp_path / "run")
        run.begin()
        for planned in POINTS:
            run.measure(planned)
        arena = run.context().arena
        return run.finish(POINTS), arena

    return measure


@pytest.mark.parametrize("last_level", [REPORTED // 2, REPORTED, MIB, 4 * MIB, 16 * MIB])
def test_every_streamed_point_is_measured_whatever_cache_the_curve_finds(measured, last_level):
    profile, arena = measured(last_level)
    assert profile.complete
    assert [(point.status, point.reason) for point in profile.points] == [("ok", None)] * 4
    *_, cache, memory = profile.levels
    assert (cache.up_to_bytes, memory.name) == (last_level, "DRAM")
    for point in profile.points:
        if point.case.residency == "streamed":
            assert point.working_set_bytes >= 4 * last_level
            assert point.working_set_bytes <= arena.size_bytes
    assert "not streamed for sure" not in {warning.code for warning in profile.warnings}


def test_a_curve_that_unsure_where_memory_ends_is_measured_and_warned_of(measured):
    """A quarter of the memory that is free holds the cache and one doubling more."""
    profile, arena = measured(32 * MIB)
    assert {point.status for point in profile.points} == {"ok"}
    assert profile.levels[-1].name == "largest set"
    assert "memory not reached" in {warning.code for warning in profile.warnings}
    assert arena.size_bytes <= 128 * MIB


def test_a_limit_on_addresses_makes_a_smaller_arena_and_no_lost_run(measured, monkeypatch):
    reserve = inputs._huge_pages

    def limited(size):
        if size > 48 * MIB:
            raise OSError(12, "Cannot allocate memory")
        return reserve(size)

    monkeypatch.setattr(inputs, "_huge_pages", limited)
    profile, arena = measured(MIB)
    assert arena.most_bytes == 32 * MIB
    assert {point.status for point in profile.points} == {"ok"}


def test_a_sentinel_is_stored_and_no_read_of_the_curve(measured):
    profile, _ = measured(MIB)
    sentinels = [roof for roof in profile.roofs if roof.kind == records.SENTINEL]
    assert len(sentinels) == 2


@pytest.mark.usefixtures("short_runs")
def test_rounds_of_a_survey_that_was_cut_short_pair_with_none_of_the_one_that_followed(
    monkeypatch, tmp_path
):
    """Both are in the profile, and of one sweep only rates of one round are compared."""

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cpu_sweep, "within_levels", killed)
        run = Run(PLAN, 0, tmp_path)
        with pytest.raises(KeyboardInterrupt):
            run.begin()
        run.finish(POINTS)
    run = Run(PLAN, 0, tmp_path, from_journal(tmp_path))
    run.begin()
    for planned in POINTS:
        run.measure(planned)
    profile = run.finish(POINTS)
    swept = [
        (roof.sweep, roof.threads, roof.working_set_bytes)
        for roof in profile.roofs
        if roof.sweep is not None
    ]
    assert len(swept) == len(set(swept)) > 0
    assert profile.complete


def test_blocks_of_earlier_points_are_given_back_before_others_are_blamed(context, monkeypatch):
    kept = context.memory(4 * MIB, packed=True).size_bytes
    left = {True: 1 << 10, False: 4 << 30}
    monkeypatch.setattr(
        machine_memory, "available", lambda: left[context.cache.stand_in is not None]
    )
    planned = Case("lstm", 64, 64, 1, threads=1)
    found = points.point(context, planned, "torch_cell", implementations.load("torch_cell"), 0)
    assert kept == 4 * MIB
    assert (found.status, found.reason) == ("ok", None)
