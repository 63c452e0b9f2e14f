"""A training step on a CPU: forward, backward, and what lies between, as LLVM vectors through numba.

The parts of `numba_fused` in phase train, not its contract. Imports `case` and `vector` alone, beside numba.
"""
