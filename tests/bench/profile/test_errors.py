"""Whatever a stranger put into it, a message is one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.profile.errors import LONGEST_LINE, OneLine


@given(st.text())
def test_a_message_is_one_printable_line(text):
    line = str(OneLine(text))
    assert line.isprintable()
    assert len(line) <= LONGEST_LINE
    line.encode()
