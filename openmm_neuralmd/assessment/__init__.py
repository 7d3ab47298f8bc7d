"""How a model is judged: stretches of trajectory, checks and thresholds."""
