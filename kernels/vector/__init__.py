"""Step kernels of a CPU, emitted as LLVM vectors through numba: products, limbs, gates, and the step made of them.

One kernel's parts, not its contract: that is `implementations`. Imports `case` alone, beside numba.
"""
