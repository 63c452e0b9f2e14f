"""`python -m bench list`, `doctor`, `step` and the like: one file a verb, with its help, its options and what it says.

Measures nothing itself; what is loaded for a verb is loaded when that runs. Imports every room below it.
"""
