"""A fleet: nodes that should be equal, each measured in several passes: which is slow, in what, and how sure that is.

No page and no picture. Imports `analysis`, `compare` for the facts of a run, and what tables are made of.
"""
