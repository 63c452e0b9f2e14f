"""How a call is timed: clocks, rounds that take turns, timeouts and interrupts.

No roof, no point, no device. Imports `profile`.
"""
