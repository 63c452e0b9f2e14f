"""One run: its folder, its lock, its progress, what ends it, and what it warns of.

Puts devices and points together; measures nothing itself. Imports every room below it.
"""
