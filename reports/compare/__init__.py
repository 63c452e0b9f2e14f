"""Several machines, several runs: which points match, ratios with intervals, the gate, the prediction.

No table and no page. Imports `analysis`.
"""
