"""The profile: what is recorded, how it is written and read, the suite that asks for it, and the statistics of samples.

Nothing that measures or reports. Imports msgspec and the torch-free words of `kernels`: reports reads with it.
"""
