"""Step kernels of a CPU, emitted as LLVM vectors through numba: products, gates, and the step made of them.

One kernel's parts, not its contract: that is `implementations`. Imports the words and `reference`.
"""
