"""Recurrent cells, what a step costs, which limit bounds it, and implementations of it. Knows arrays.

No clock, no file and no plot belongs here. `case`, `cost` and `roofline_model` load no torch; nothing of bench or
reports is imported.
"""
