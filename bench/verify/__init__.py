"""Is the instrument right? Steps whose truth is known, probes in C, bytes counted by a cache simulator.

Nothing that a run needs. Imports every room of bench but `session`'s runs.
"""
