"""This machine's state while something is measured: memory, load, heat, core frequency, energy.

What a machine is stands in `machine`. Imports `machine`, and `roofs` for where compiled code is kept.
"""
