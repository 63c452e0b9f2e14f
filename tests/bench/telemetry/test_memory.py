"""Pages on which memory lies."""

from __future__ import annotations

import mmap
import os
from ctypes import addressof, c_char

import pytest

from bench.session import machine_warnings
from bench.telemetry import memory
from kernels.reference.inputs import HUGE_PAGE


def codes(found):
    return [warning.code for warning in found]


@pytest.mark.skipif(not hasattr(mmap, "MADV_NOHUGEPAGE"), reason="no way to ask for small pages")
def test_small_pages_are_told_and_large_ones_are_not():
    small = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    small.madvise(mmap.MADV_NOHUGEPAGE)
    small.write(b"\1" * (8 << 20))
    view = c_char.from_buffer(small)
    size = memory.page_bytes(addressof(view))
    del view
    assert size == os.sysconf("SC_PAGE_SIZE")
    assert codes(machine_warnings.of_machine({}, {}, size)) == ["small pages"]
    assert not list(machine_warnings.of_machine({}, {}, HUGE_PAGE))
