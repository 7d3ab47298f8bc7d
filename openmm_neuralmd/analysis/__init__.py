"""Metrics of trajectories in pure NumPy; they read coordinates and know no model."""
