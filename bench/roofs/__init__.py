"""One file = one probe of a limit of the machine, each stating its bytes and FLOPs, and what several of them share.

When and over which sizes they run stands in `device`. Imports `kernels` alone.
"""

import hashlib
import os
from pathlib import Path

# Compiled probes and steps are cached on disk. numba renews a cache when the file of the function changes, not when the
# intrinsics it calls do; so the folder's name carries a digest of all of them. Set before numba is imported.
_HERE = Path(__file__).parent
_VECTOR = _HERE.parents[1] / "kernels" / "vector"
_FILES = (*sorted(_HERE.glob("*.py")), *sorted(_VECTOR.glob("*.py")))
_DIGEST = hashlib.sha256(b"".join(path.read_bytes() for path in _FILES)).hexdigest()[:12]
_BASE = os.environ.get("NUMBA_CACHE_DIR", str(_HERE.parents[1] / ".cache" / "numba"))
if not _BASE.endswith(_DIGEST):
    os.environ["NUMBA_CACHE_DIR"] = str(Path(_BASE) / _DIGEST)
