"""A case that means nothing is refused in one line; one that does has a name of its own."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from kernels.case import LARGEST_SIZE, Case, InvalidCase

GOOD = Case("lstm", hidden=8, input=6, batch=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, "other") for field in ("cell", "part", "phase", "dtype", "activations")),
        *((field, "other") for field in ("accumulate", "residency", "device")),
        ("dtype", "float64"),
        ("cell", None),
        *((field, value) for field in ("hidden", "input", "batch") for value in (0, -1, 1.5, True)),
        *((field, LARGEST_SIZE + 1) for field in ("hidden", "input", "batch")),
        ("hidden", "8"),
        ("threads", -1),
        *(("steps", value) for value in (0, -1, 1.5, True, LARGEST_SIZE + 1)),
    ],
)
def test_a_meaningless_value_is_refused_naming_field_and_value(field, value):
    with pytest.raises(InvalidCase) as caught:
        replace(GOOD, **{field: value})
    line = str(caught.value)
    assert line.startswith(f"{field} {value!r} ")
    assert "\n" not in line


def test_the_limits_themselves_are_accepted():
    assert replace(GOOD, hidden=1, input=LARGEST_SIZE, batch=1, threads=0).input == LARGEST_SIZE


def test_a_case_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        GOOD.hidden = 9


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cell", "gru"),
        ("hidden", 9),
        ("input", 8),
        ("batch", 3),
        ("part", "linear"),
        ("dtype", "bfloat16"),
        ("activations", "bfloat16"),
        ("residency", "streamed"),
        ("device", "cuda"),
        ("threads", 2),
        ("phase", "train"),
        ("steps", 2),
    ],
)
def test_cases_that_differ_have_different_names(field, value):
    assert replace(GOOD, **{field: value}).id != GOOD.id


def test_the_name_says_cell_part_sizes_batch_dtype_residency_device_and_threads():
    assert Case("lstm", 1024, 1024, 1, threads=2).id == "lstm-cell-h1024-b1-float32-resident-cpu-t2"
    assert GOOD.id == "lstm-cell-i6-h8-b2-float32-resident-cpu-t1"
    train = replace(GOOD, phase="train")
    assert train.id == "lstm-cell-train-i6-h8-b2-float32-resident-cpu-t1"


@pytest.mark.parametrize("part", ["linear", "pointwise"])
def test_a_part_is_not_trained_alone(part):
    with pytest.raises(InvalidCase, match=f"part '{part}' is not trained alone: use cell"):
        replace(GOOD, phase="train", part=part)


@pytest.mark.parametrize(
    ("dtype", "activations"),
    [
        ("int8", "float32"),
        ("bfloat16", "float32"),
        ("float32", "bfloat16"),
        ("float16", "float32"),
        ("float8", "bfloat16"),
    ],
)
def test_weights_are_trained_in_the_dtype_of_their_activations(dtype, activations):
    with pytest.raises(InvalidCase, match=f"dtype '{dtype}' is not trained with {activations}"):
        replace(GOOD, phase="train", dtype=dtype, activations=activations)


def test_a_name_says_activations_where_they_are_of_another_dtype():
    half = replace(GOOD, dtype="float16", activations="float16")
    assert half.id == "lstm-cell-i6-h8-b2-float16-resident-cpu-t1"
    eighth = replace(GOOD, dtype="float8", activations="bfloat16")
    assert eighth.id == "lstm-cell-i6-h8-b2-float8xbfloat16-resident-cpu-t1"


def test_a_sequence_names_its_steps_behind_its_batch():
    assert replace(GOOD, steps=25).id == "lstm-cell-i6-h8-b2-s25-float32-resident-cpu-t1"


@pytest.mark.parametrize(
    ("field", "value"), [("part", "linear"), ("part", "pointwise"), ("residency", "streamed")]
)
def test_a_sequence_is_of_whole_steps_and_resident_and_says_what_to_use_instead(field, value):
    replace(GOOD, **{field: value}, steps=1)
    with pytest.raises(InvalidCase, match=f"^{field} '{value}' .*use '.*', or steps 1") as caught:
        replace(GOOD, **{field: value}, steps=2)
    assert "\n" not in str(caught.value)
