"""Runs steps and probes and writes profiles. METHODOLOGY.md says how, FORMAT.md what is written."""
