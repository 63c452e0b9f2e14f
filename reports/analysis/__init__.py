"""What a profile says: roofs, points held against them, verdicts, experiments, series, claims, warnings.

Figures and words, no table, no picture, no page. Imports bench's profile room and the words of kernels.
"""
