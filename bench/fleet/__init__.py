"""A fleet, which Ray measures: its plan and folder, nodes and their workers, who measures when, what arrives.

Nothing that times or judges. Imports `bench.profile`, `bench.session` and `bench.timing`; Ray only where it is used.
"""
