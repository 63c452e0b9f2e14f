"""Which of several ways is chosen, that all meet their weights alike, and what is remembered of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from bench.measure import choice
from kernels.case import Case
from kernels.contract import checked
from kernels.implementations import torch_cell
from kernels.reference.inputs import Arena, draw, set_bytes

CASE = Case("rnn", 8, 8, 1, residency="streamed")
WAYS = tuple(SimpleNamespace(name=name) for name in ("slow", "fast", "slower"))
SECONDS = {"slow": 3e-3, "fast": 1e-3, "slower": 5e-3}


@pytest.fixture
def times(monkeypatch):
    """A clock that calls move on."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(choice, "perf_counter", lambda: now.seconds)
    return now


@pytest.fixture
def several(times, monkeypatch, tmp_path):
    """PyTorch's cell in three ways, and the calls made: way, set, inputs."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "new"))
    calls = []

    def prepare(case, sets, inputs, way=None):
        bind = torch_cell.prepare(case, sets, inputs)

        def bound(w, i):
            step = bind(w, i)

            def call():
                times.seconds += SECONDS[way.name]
                calls.append((way.name, w, i))
                return step()

            return call

        return bound

    implementation = replace(
        checked(torch_cell, "here"), prepare=prepare, choices=lambda _case: WAYS
    )
    layout = implementation.layout(CASE)
    sets = Arena(3 * set_bytes(layout, "float32"), "cpu", 0).sets(layout, "float32", 3)
    inputs = draw(CASE, torch.Generator().manual_seed(0))
    return lambda known=None: choice.made(implementation, CASE, sets, inputs, known), calls


def test_the_fastest_is_chosen(several):
    make, _calls = several
    assert make().name == "fast"


def test_ways_take_turns_at_the_sets(several):
    """Whatever stands in a cache, no way finds there what another one brought."""
    make, calls = several
    make()
    for (_, before, _), (_, after, _) in pairwise(calls):
        assert after == (before + 1) % 3


def test_ways_that_are_far_behind_are_left_out(several):
    make, calls = several
    make()
    made = Counter(name for name, _, _ in calls)
    assert made["slower"] < made["fast"]
    assert made["slow"] < made["fast"]


def test_what_was_found_is_remembered_by_machine_and_case(several, monkeypatch):
    make, calls = several
    make()
    calls.clear()
    assert make().name == "fast"
    assert not calls
    monkeypatch.setattr(choice, "_machine", lambda: "another")
    make()
    assert calls


def test_what_was_found_while_others_had_the_machine_is_not_remembered(several, times, monkeypatch):
    """Every call takes longer than the one before."""
    make, calls = several
    for name in SECONDS:
        monkeypatch.setitem(SECONDS, name, 0.0)
    monkeypatch.setattr(choice, "perf_counter", lambda: times.seconds + 1e-6 * len(calls) ** 3)
    make()
    calls.clear()
    make()
    assert calls


def test_what_the_kernels_are_compiled_for_is_part_of_the_machine(monkeypatch):
    here = choice._machine.__wrapped__()
    monkeypatch.setenv("NUMBA_CPU_NAME", "haswell")
    assert choice._machine.__wrapped__() == f"{here}, haswell"


def test_what_an_earlier_visit_took_is_taken_again(several):
    make, calls = several
    assert make("slower").name == "slower"
    assert not calls


@pytest.mark.parametrize("text", ["", "{", '{"id": 3}', "[]"])
def test_a_broken_memory_is_none(several, text):
    make, calls = several
    make()
    path = choice._file()
    path.write_text(text)
    calls.clear()
    assert make().name == "fast"
    assert calls
    assert path.read_text() != text


def test_a_way_that_is_no_longer_offered_is_chosen_anew(several):
    make, calls = several
    assert make("gone").name == "fast"
    assert calls


def test_where_nothing_can_be_written_it_is_chosen_all_the_same(several, tmp_path):
    (tmp_path / "new").write_text("a file where a folder would be")
    make, _calls = several
    assert make().name == "fast"


def test_an_implementation_without_choices_is_prepared_as_it_is(several):
    _make, calls = several
    assert choice.made(checked(torch_cell, "here"), CASE, (), (), None) is None
    assert not calls
