"""A device that measures, CPU or GPU: its threads, clock and probes, and the sweeps that find its roofs and levels.

No points and no files. Imports `roofs`, `timing`, `telemetry`, `machine`, `profile`.
"""
