"""Step kernels of a GPU, in Triton and as CUDA graphs: one step of one or many sequences, and many steps in one launch.

One kernel's parts, not its contract: that is `implementations`. Imports `case` and `reference`.
"""
