"""The structure of a complex: readers, the ligand, bonds, checks and imaging."""
