"""Step kernels of a GPU, in Triton and as CUDA graphs: one step, one sequence of it, many steps in one launch.

One kernel's parts, not its contract: that is `implementations`. Imports the words and `reference`.
"""
