"""Step kernels of a GPU, and what their tests have in common."""

NO_SEQUENCE_ON_CHIP = [
    ({"device": "cpu", "threads": 1}, "not cpu"),
    ({"phase": "train", "steps": 1}, "not train"),
    ({"activations": "float32"}, "not bfloat16 x float32"),
]
"""Words of a case that no sequence with its weights on chip can be, and of the reason."""
