"""What a machine is, a pure function of the files under a root folder; its GPUs, as NVML and torch know them; and on
what a run stands there. How a machine does at a moment is told by `telemetry`. Imports the words of `kernels` alone.
"""
