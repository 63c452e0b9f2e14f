"""What goes wrong with a file, in its structure and in its bytes. Strategies: a good one in, a spoilt one out."""

from __future__ import annotations

import copy
import json
import math

from hypothesis import strategies as st

MOST_CHANGES = 3
DEEP = (5, 40, 300, 2000)

numbers = st.one_of(
    st.sampled_from([0, -1, 1, 2, 3, 1 << 20, 1 << 60, 2**63, -(2**63), 10**30, -(10**400), 10**400]),
    st.sampled_from([0.0, -0.0, 5e-324, 1e-12, 1e-300, 0.5, 1e24, 1e300, -1e300]),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.integers(),
    st.floats(),
)  # fmt: skip
words = st.sampled_from(
    [
        *("", " ", "cpu", "cuda", "read", "write", "copy", "matmul", "call", "floor", "datasheet"),
        *("lstm", "gru", "rnn", "cell", "linear", "pointwise", "step", "train", "int8", "bfloat16"),
        *("ok", "failed", "skipped", "resident", "streamed", "L1", "DRAM", "cache 4", "all", "run"),
        *("per_call", "published", "rnn-roofline/1", "rnn-roofline/2", "2026-11-22", "torch_cell"),
        *("\ud800", "a\udfff", "\x00", "\x1b[31m\r\n", "\u2028", "<script>", "=1+1", "a|b`c`", "{}"),
        *("x" * 300, "x\n" * 50, "\u00e4" * 9999, "../../x", "{0}", "%s", "\\", '"', "[/bold]", "$x^2$"),
    ]
)  # fmt: skip
texts = words | st.text(max_size=8)
empty = st.sampled_from([None, True, False, [], {}, [[]], [None], {"a": 1}])
plain = numbers | texts | empty.map(copy.deepcopy)


@st.composite
def structure(draw, good):
    """A copy of a JSON object with one to three changes, each at a place found by walking down at random."""
    made = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        holder, key = _place(draw, made)
        if holder is not None:
            _change(draw, holder, key)
    if draw(st.integers(0, 19)) == 0:  # the last change: nothing walks down there again
        holder, key = _place(draw, made)
        if holder is not None:
            holder[key] = _nested(holder[key], draw(st.sampled_from(DEEP)), draw(st.booleans()))
    return made


@st.composite
def spoilt(draw, good):
    """A text's bytes: cut off, flipped, with something put in or left out, or not UTF-8 at all."""
    raw = good.encode()
    for _ in range(draw(st.integers(1, MOST_CHANGES))):
        at = draw(st.integers(0, len(raw)))
        end = min(len(raw), at + draw(st.integers(1, 40)))
        piece = draw(
            st.sampled_from([b"\xff\xfe", b"\x00", b"\xed\xa0\x80", b"[" * 5000, b'{"a":' * 3000])
            | st.sampled_from([b"1" * 5000, b"1e999", b'"', b"\\u", b"\n", b"NaN", b",,", b"\xc3"])
            | st.binary(max_size=4)
        )
        way = draw(st.sampled_from(["cut", "flip", "insert", "leave out", "repeat"]))
        if way == "cut":
            raw = raw[:at]
        elif way == "flip" and at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ (1 << draw(st.integers(0, 7)))]) + raw[at + 1 :]
        elif way == "insert":
            raw = raw[:at] + piece + raw[at:]
        elif way == "leave out":
            raw = raw[:at] + raw[end:]
        else:
            raw = raw[:end] + raw[at:end] * draw(st.sampled_from([1, 2, 1000])) + raw[end:]
    return raw


def as_bytes(made):
    """JSON of an object that may hold what JSON has not: NaN, infinities, surrogates."""
    try:
        return json.dumps(made).encode()
    except RecursionError:
        return b"[" * 100_000


def _place(draw, made):
    """A key within a list or an object, found by walking down from the root."""
    holder, key, inner = None, None, made
    while isinstance(inner, dict | list) and inner:
        holder = inner
        keys = sorted(inner, key=str) if isinstance(inner, dict) else range(len(inner))
        key = draw(st.sampled_from(keys))
        inner = inner[key]
        if draw(st.integers(0, 9)) == 0:
            break
    return holder, key


def _change(draw, holder, key):
    old = holder[key]
    way = draw(st.sampled_from(["alike", "alike", "alike", "other", "drop", "rename", "twice"]))
    if way == "alike" and not isinstance(old, dict | list | None):
        number = isinstance(old, int | float) and not isinstance(old, bool)
        holder[key] = draw(numbers if number else texts)
    elif way in ("alike", "other"):
        holder[key] = draw(plain)
    elif way == "drop":
        del holder[key]
    elif isinstance(holder, list):
        holder[key:key] = [copy.deepcopy(old) for _ in range(draw(st.sampled_from([1, 2, 40])))]
    else:
        holder[draw(texts | st.sampled_from(sorted(holder, key=str)))] = copy.deepcopy(old)
        if way == "rename":
            holder.pop(key, None)


def _nested(inner, depth, in_lists):
    for _ in range(depth):
        inner = [inner] if in_lists else {"a": inner}
    return inner
