"""Common parts of speedup.py and engines.py: contestants, parts of a jump, samples, tables."""
