"""Tables: one module per table, each a list of columns over rows.

Decides nothing. Imports `analysis` and `compare`.
"""
