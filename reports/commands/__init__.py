"""`python -m reports build`, `compare`, `fleet` and the like: one file a verb, with its help and its options.

Decides nothing; what is loaded for a verb is loaded when that runs. Imports every room of reports.
"""
