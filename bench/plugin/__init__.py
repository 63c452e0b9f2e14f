"""What stands between pytest and a run: our options, whose configuration holds, and what pytest's other plugins may do.

No figure and no report. Loaded whenever pytest starts here, so it imports little: `profile`'s errors and `timing`'s
interrupts.
"""
