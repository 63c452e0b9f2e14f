"""Which planned cases make an experiment, told by hand."""

from dataclasses import replace

from bench.profile.experiments import pairs
from kernels.case import Case

STREAMED = Case("lstm", 1024, 1024, 1, residency="streamed", threads=2)


def names(*cases):
    """Every experiment between these cases of one implementation, the points by their place."""
    planned = [(case, place) for place, case in enumerate(cases)]
    found = pairs(planned, lambda one: one[0], lambda _: "torch_cell")
    return [(name, one[1], other[1]) for name, one, other in found]


def test_cases_that_differ_in_one_thing_make_an_experiment():
    others = (
        replace(STREAMED, residency="resident"),
        replace(STREAMED, dtype="bfloat16", activations="bfloat16"),
        replace(STREAMED, batch=4),
        replace(STREAMED, threads=1),
    )
    assert names(STREAMED, *others) == [
        ("residency", 1, 0),
        ("bytes", 0, 2),
        ("batch", 0, 3),
        ("threads", 4, 0),
    ]


def test_cases_that_differ_in_two_things_make_none():
    assert names(STREAMED, replace(STREAMED, batch=2, threads=1)) == []
    assert names(STREAMED, replace(STREAMED, hidden=512, input=512)) == []


def test_neighbouring_batches_are_paired_and_no_others():
    batches = [replace(STREAMED, batch=batch) for batch in (16, 1, 4)]
    assert names(*batches) == [("batch", 1, 2), ("batch", 2, 0)]


def test_dtypes_of_as_many_bytes_are_no_experiment_and_the_wider_one_comes_first():
    narrow = [replace(STREAMED, dtype=d, activations=d) for d in ("float16", "bfloat16")]
    int8 = replace(STREAMED, dtype="int8")
    assert names(*narrow) == []
    assert names(int8, *narrow) == [("bytes", 1, 0), ("bytes", 2, 0)]


def test_another_implementation_is_no_partner():
    planned = [(STREAMED, "torch_cell"), (replace(STREAMED, batch=4), "numba_fused")]
    assert list(pairs(planned, lambda one: one[0], lambda one: one[1])) == []
