"""This machine's state while something is measured: memory, load, heat, clocks, energy.

What a machine is stands in `machine`. Imports `machine`.
"""
