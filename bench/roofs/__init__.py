"""One file = one probe of a limit of the machine, each stating its bytes and FLOPs, and what several of them share.

A probe's file is named after its kind, a GPU's with `gpu_` before it, and says how it is swept. `device` sweeps
whatever lies here; the curve is that of `read` alone. Imports `kernels` alone.

    SWEPT   how: `CURVE`, `LEVELS`, `PRODUCTS` or `CALLS`
    TURN    when, of those that are swept alike: the least first
    KIND    as a profile states it, and UNIT of its samples

Over memory (`CURVE`: every size, from which levels are read off; `LEVELS`: a size within each) go `VARIANTS`, with
`bytes_per_pass` and `prepare`. `PRODUCTS` are of `DTYPES` and of `variants(dtype)`, with `flops` and `prepare`. `CALLS`
are `VARIANTS`: by name, what makes a function of the number of calls. See `read`, `matmul`, `call` and the GPU's.
"""

import hashlib
import os
from importlib import import_module
from pathlib import Path
from typing import Any

# Compiled probes and steps are cached on disk. numba renews a cache when the file of the function changes, not when the
# intrinsics it calls do; so the folder's name carries a digest of all of them. Set before numba is imported.
_HERE = Path(__file__).parent
_KERNELS = (_HERE.parents[1] / "kernels" / room for room in ("training", "vector"))
_FILES = [
    path for room in (_HERE, *_KERNELS) for path in sorted(room.glob("[a-z_]*.py"))
]  # no editor's
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()[:12]
_BASE = os.environ.get("NUMBA_CACHE_DIR", str(_HERE.parents[1] / ".cache" / "numba"))
if not _BASE.endswith(_DIGEST):
    os.environ["NUMBA_CACHE_DIR"] = str(Path(_BASE) / _DIGEST)

CURVE, LEVELS, PRODUCTS, CALLS = "curve", "levels", "products", "calls"
_GPU = "gpu_"
_NAMES = [path.stem for path in sorted(_HERE.glob("[a-z]*.py"))]


def kinds() -> list[str]:
    """Every kind of probe, whichever device has it."""
    return sorted({name.removeprefix(_GPU) for name in _NAMES})


def load(device: str, kind: str) -> Any:
    """The module of a device's probe of that kind. Raises Unavailable where it needs what is not installed."""
    return import_module(f"{__name__}.{_GPU if device == 'cuda' else ''}{kind}")


def probes(device: str, swept: str) -> list[Any]:
    """A device's probes that are swept so, in their turns. Raises Unavailable where one needs what is not installed."""
    on_gpu = device == "cuda"
    names = (name for name in _NAMES if name.startswith(_GPU) == on_gpu)
    found = [load(device, name.removeprefix(_GPU)) for name in names]
    assert all(one.SWEPT in (CURVE, LEVELS, PRODUCTS, CALLS) for one in found)
    return sorted((one for one in found if swept == one.SWEPT), key=lambda one: one.TURN)
