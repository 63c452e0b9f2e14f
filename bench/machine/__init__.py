"""What a machine is: a pure function of the files under a root folder, beside what NVML and torch tell of its GPUs.

Its state while something is measured stands in `telemetry`. Imports the words of `kernels` and the standard library.
"""
