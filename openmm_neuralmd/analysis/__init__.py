"""How right a trajectory is: pure NumPy on coordinates, knowing nothing of models."""
