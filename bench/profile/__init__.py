"""The profile: what is recorded, how it is written and read, the suite that orders its points, which of them
make an experiment, and statistics.

Nothing that measures or reports. Imports msgspec and the torch-free words of `kernels`: reports reads with it.
"""
