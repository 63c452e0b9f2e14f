"""What is compiled for several threads, on one of them."""

from __future__ import annotations

from contextlib import contextmanager

import numba


@contextmanager
def one_thread():
    """Whatever is compiled for several threads runs on one, one share after the other."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)
