"""What an implementation declares decides which cases it takes, and a refusal is one line that says what it takes."""

from __future__ import annotations

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest

from kernels import implementations
from kernels.case import Case, Unavailable
from kernels.contract import ONE_DTYPE, Support, checked, limit_sets, reads_of

CASE = Case("lstm", 8, 6, 1)
SUPPORTS = Support(
    device=("cpu",),
    part=("cell", "linear"),
    weights_x_activations=ONE_DTYPE[:2],
    residency=("resident",),
    instead={"device": "another has it"},
)


def test_a_case_of_declared_words_is_taken():
    assert SUPPORTS.unavailable(CASE) is None
    assert SUPPORTS.unavailable(replace(CASE, part="linear", threads=9, batch=1 << 20)) is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"device": "cuda"}, "it computes device cpu, not cuda: another has it"),
        ({"phase": "train"}, "it computes phase step, not train"),
        ({"part": "pointwise"}, "it computes part cell or linear, not pointwise"),
        ({"steps": 3}, "it computes steps 1, not 3"),
        ({"residency": "streamed"}, "it computes residency resident, not streamed"),
        (
            {"dtype": "int8"},
            "it computes weights x activations float32 x float32 or bfloat16 x bfloat16, not int8 x float32",
        ),
    ],
)
def test_a_word_that_is_not_declared_is_refused_with_those_that_are(words, says):
    assert SUPPORTS.unavailable(replace(CASE, **words)) == says


def test_a_sequence_is_taken_where_it_is_declared():
    assert replace(SUPPORTS, sequences=True).unavailable(replace(CASE, steps=3)) is None


def test_what_words_cannot_tell_is_asked_last():
    asked = []
    more = replace(SUPPORTS, also=lambda case: asked.append(case) or "too old")
    assert "not cuda" in more.unavailable(replace(CASE, device="cuda"))
    assert not asked
    assert more.unavailable(CASE) == "too old"
    assert asked == [CASE]


def test_more_sets_of_weights_than_are_compiled_are_a_reason():
    limit_sets([()] * 3, 3, "sessions")
    with pytest.raises(Unavailable, match="4 sessions, more than 3"):
        limit_sets([()] * 4, 3, "sessions")


def test_how_often_weights_are_read_may_depend_on_what_a_core_holds():
    asked = []

    def reads(case, own_bytes):
        asked.append((case, own_bytes))
        return {"W": "per_call", "U": "own_cache"}

    found = checked(provided(reads=reads), "it")
    assert reads_of(found, CASE, 5) == {"W": "per_call", "U": "own_cache"}
    assert asked == [(CASE, 5)]
    assert reads_of(checked(provided(), "it"), CASE, None) == {"W": "per_step", "U": "per_step"}


def provided(**instead):
    """What PyTorch's cell provides, as a file of one's own would, but for these."""
    found = implementations.load("torch_cell")
    return SimpleNamespace(
        **{one.name: getattr(found, one.name) for one in fields(found)} | instead
    )


@pytest.mark.parametrize(
    "wrong",
    [{"rounds_to": False}, {"rounds_to": "fp3"}, {"SUPPORTS": {}}, {"packs": True}, {"label": ""}],
)
def test_what_no_record_could_hold_is_refused_when_a_file_is_read(wrong):
    checked(provided(), "mine.py")
    with pytest.raises(Unavailable, match=f"mine.py.*{next(iter(wrong))}"):
        checked(provided(**wrong), "mine.py")
