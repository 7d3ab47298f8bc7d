"""What has to be the same on every OpenMM platform: one function for each feature."""
