"""Kernels of a CPU as LLVM vectors through numba: activations, products, gates; steps and sequences made of them.

One kernel's parts, not its contract: that is `implementations`. Imports `case` alone, beside numba.
"""
