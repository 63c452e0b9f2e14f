"""What `python -m bench` does, one file a verb: its help, its options, and what it prints.

Measures nothing itself; what is loaded for a verb is loaded when that runs. Imports every room below it.
"""
