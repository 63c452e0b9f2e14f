"""The profile: what is recorded, how it is written and read, the suite that asks for it, and the statistics of samples.

Nothing that measures. Imports the words of `kernels` and the standard library: reports reads with it.
"""
