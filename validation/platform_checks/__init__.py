"""Checks that give the same on every OpenMM platform: one function for each feature."""
