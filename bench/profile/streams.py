"""Standard output and error as they may be: closed, on a full disk, read by nobody, or of an encoding that lacks signs.

What is printed is never worth what was measured: it is dropped where it cannot be written.
"""

import io
import os
import sys
from collections.abc import Callable
from select import select
from typing import Any

DESCRIPTORS = {"stdin": 0, "stdout": 1, "stderr": 2}


class _State:
    """Of this process, as its streams are."""

    lost: str | None = None


class _Forgiving(io.RawIOBase):
    """What writes to a descriptor, or drops what that does not take."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        while True:
            try:
                return os.write(self._descriptor, view)
            except BlockingIOError:  # a pipe that is read more slowly, and does not wait by itself
                select([], [self._descriptor], [])
            except BrokenPipeError:  # whoever read has read enough
                return view.nbytes
            except OSError as error:
                _State.lost = _State.lost or error.strerror
                return view.nbytes


def open_closed() -> None:
    """Give this process the streams that it lacks: the next file opened would take their place, and what is printed."""
    for name, descriptor in DESCRIPTORS.items():
        if getattr(sys, name) is None:
            file = os.open(os.devnull, os.O_RDWR)
            if file != descriptor:
                os.dup2(file, descriptor)
                os.close(file)
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def forgive() -> Callable[[], None]:
    """Let this process print whatever it likes from here on, until what is returned is called."""
    open_closed()
    before = sys.stdout, sys.stderr
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if type(stream) is io.TextIOWrapper and stream is getattr(sys, f"__{name}__"):
            stream.flush()
            setattr(sys, name, _forgiving(stream, DESCRIPTORS[name]))

    def restore() -> None:
        lost()
        sys.stdout, sys.stderr = before

    return restore


def lost() -> str | None:
    """Why something that was printed could not be written, if so; that nobody reads it is no such reason."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return _State.lost


def _forgiving(stream: io.TextIOWrapper, descriptor: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(
        io.BufferedWriter(_Forgiving(descriptor)),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering or descriptor == DESCRIPTORS["stderr"],
        write_through=stream.write_through,
    )
