"""Files as strangers may send them: good ones mutated, read by everything that reads them. `python -m tests.fuzz`.

`mutations` draws what is wrong, `targets` says who reads it and what a good answer is, `campaign` counts.
"""
