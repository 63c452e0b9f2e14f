"""Memory as compiled code wants it, aligned to its vectors, with a guard on both sides that tells of a stray store."""

from __future__ import annotations

import numpy as np

GUARD_BYTES = 256
PATTERN = 0xA5


class Guarded:
    """`size` bytes aligned to 64, filled with the pattern, and as many guard bytes before and behind."""

    def __init__(self, size):
        whole = np.full(size + 2 * GUARD_BYTES + 64, PATTERN, np.uint8)
        start = -(whole.ctypes.data + GUARD_BYTES) % 64 + GUARD_BYTES
        self._before, self._behind = whole[:start], whole[start + size :]
        self.bytes = whole[start : start + size]

    @classmethod
    def of(cls, array):
        """A copy of this array."""
        memory = cls(array.nbytes)
        memory.bytes[:] = np.ascontiguousarray(array).view(np.uint8).reshape(-1)
        return memory

    @property
    def address(self):
        """Of the first byte between the guards."""
        return np.uintp(self.bytes.ctypes.data)

    def as_(self, dtype, *shape):
        """What lies between the guards."""
        return self.bytes.view(dtype).reshape(shape)

    def guards_hold(self):
        """Whether nothing was stored before or behind."""
        return bool((self._before == PATTERN).all() and (self._behind == PATTERN).all())


def untouched(array):
    """Whether every byte still holds the pattern."""
    return bool((np.ascontiguousarray(array).view(np.uint8) == PATTERN).all())
