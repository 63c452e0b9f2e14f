"""Step kernels of a GPU in Triton, CUDA C++ and CUDA graphs: a step of one or many sequences, many steps in one launch.

One kernel's parts, not its contract: that is `implementations`. Imports `case` and `reference`.
"""
