"""What speedup.py and engines.py share: contestants, parts of a jump, samples, tables."""
