"""The minutes on a card: `make card SECONDS=270 OUT=folder`, or `python -m tests.card SECONDS FOLDER`.

What is run there, in order of worth, each step under its own limit and with its results kept when the next one is cut
short; and the tools that share no line with what they check: probes in CUDA C++, Triton's own clock, ncu's counters.
Needs nothing but the checkout and what it imports. What is not installed, or finds no GPU, says so and ends.
"""
