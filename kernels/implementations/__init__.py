"""One file = one implementation: its name is the file's, and listing the folder is the registry. Loads them by name.

What several share is in files that begin with _; what a file must provide is `kernels.contract`. Imports every room.
"""

import hashlib
import re
import sys
from dataclasses import replace
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from kernels.case import Unavailable
from kernels.contract import Implementation, checked

_ADOPTED: dict[str, tuple[Path, Implementation]] = {}
"""Files of the user's own, by name: see `adopt`."""


def names() -> list[str]:
    """Every implementation's name in this folder, sorted."""
    return sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))


def load(name: str) -> Implementation:
    """The implementation of that name, of this folder or adopted.

    Raises Unavailable for an unknown name, one that cannot be imported, or one that lacks what the contract asks for.
    """
    if name in _ADOPTED:
        return _ADOPTED[name][1]
    if name not in names():
        raise Unavailable(f"implementation {name!r} is unknown: use one of {', '.join(names())}")
    try:
        module = import_module(f"kernels.implementations.{name}")
    except Exception as error:  # whatever a library does on import is why it cannot be had
        raise Unavailable(f"implementation {name} cannot be loaded: {_reason(error)}") from error
    return checked(module, f"implementation {name}")


def named(given: str) -> str:
    """The name of an implementation as a user gives it: a name of this folder, or a .py file, which is adopted.

    Raises Unavailable for an unknown name, and for a file that cannot be one.
    """
    if given.endswith(".py"):
        return adopt(given)
    if given not in names():
        raise Unavailable(
            f"implementation {given!r} is unknown: use one of {', '.join(names())}, or a .py file"
        )
    return given


def adopt(path: str) -> str:
    """Take a file from outside this folder as an implementation; returns its name, the file's stem.

    The file is run as any program of its owner's. Its version tells its digest, because no commit of ours does. Raises
    Unavailable where there is no such file, where it cannot be run or lacks what the contract asks for, and where its
    name is taken.
    """
    file = Path(path).resolve()
    name = file.stem
    if name in _ADOPTED and _ADOPTED[name][0] == file:
        return name
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise Unavailable(
            f"{path}: its name names the points: rename it, letters, digits and underscores alone"
        )
    if name in names() or name in _ADOPTED:
        raise Unavailable(f"{path}: another implementation is called {name}: rename the file")
    _ADOPTED[name] = file, _from_file(file, path)
    return name


def file_of(name: str) -> Path | None:
    """Where the adopted file of that name lies; None for those of this folder."""
    return _ADOPTED[name][0] if name in _ADOPTED else None


def _from_file(file: Path, path: str) -> Implementation:
    """Run the file as a module of its own, leaving nothing beside it."""
    specification = spec_from_file_location(f"kernels.implementations.{file.stem}", file)
    if specification is None or specification.loader is None:
        raise Unavailable(f"{path}: an implementation is a .py file")
    try:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise Unavailable(f"{path}: cannot be read: {error.strerror}") from error
    module = module_from_spec(specification)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        sys.modules[specification.name] = module  # where decorators and pickles look for it
        specification.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(specification.name, None)
        raise Unavailable(f"{path}: cannot be loaded: {_reason(error)}") from error
    finally:
        sys.dont_write_bytecode = before
    implementation = checked(module, path)
    told = f"by a file from elsewhere, sha256 {digest}"
    return replace(implementation, version=lambda: f"{implementation.version()}, {told}")


def _reason(error: BaseException) -> str:
    """The first line of what an error says, and its kind where that does not say it already."""
    text, kind = str(error).strip().split("\n", 1)[0], type(error).__name__
    if not text:
        return kind
    return text if isinstance(error, ImportError | SyntaxError | OSError) else f"{kind}: {text}"
