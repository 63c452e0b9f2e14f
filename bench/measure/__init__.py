"""One point: built, checked, timed beside the probes of its roofs, checked again, and measured anew where impossible.

No run and no files. Imports `device` and what lies below it.
"""
