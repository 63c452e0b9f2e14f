"""PyTorch's cells in plain tensors, their gradients, seeded inputs, and the check that every answer is held against.

No kernel and no clock belongs here. Imports `case` and torch.
"""
