"""What METHODOLOGY promises of its intervals, verdicts and gates, simulated with truths that are planted and known.

`python -m tests.statistics [PART OF A NAME] [--trials N]` simulates every promise at its full size, seeded, and writes
the figures into figures.json, of which bench/PROMISES.md is made. tests/test_statistics.py simulates each one small and
holds it to its bar. What is simulated are machines; what is asked are the suite's own functions.
"""
