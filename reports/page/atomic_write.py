"""A folder's files appear whole or not at all: they are written to a draft beside it, and moved when all are there."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reports.locate import BadInput

PREFIX = ".report-"
DEAD_SECONDS = 3600.0
"""A draft so old belongs to nobody: its process was killed."""


@contextmanager
def draft(out: Path, last: str) -> Iterator[Path]:
    """A folder to write into; what it holds at the end is moved to `out`, the file named `last` as the last.

    What lay there under the same names is replaced, other files stay. Raises BadInput where `out` cannot be written;
    then nothing was moved. Drafts that killed processes left there are removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for left in out.glob(f"{PREFIX}*"):
            if time.time() - left.stat().st_mtime > DEAD_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out))
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        yield folder
        _move(folder, out, last)
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, out: Path, last: str) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in sorted(files, key=lambda path: path.name == last):
        target = out / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _unwritable(out: Path, error: OSError) -> BadInput:
    return BadInput(
        f"{out}: cannot be written: {error.strerror or error}: name another folder with --out"
    )
