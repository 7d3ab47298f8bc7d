"""Trajectories: snapshots of a complex, their readers and timestamps."""
