"""Pictures: what is drawn is computed once (`chart_data`), and each module draws one picture.

Decides nothing. Imports `analysis` and `compare`.
"""
