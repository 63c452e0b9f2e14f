"""Is the instrument right? Known-answer steps, roofs against probes in C and likwid-bench, bytes counted by simulation.

Nothing that a run needs. Imports every room of bench but `session`'s runs.
"""
