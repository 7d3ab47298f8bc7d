"""NeuralMD inside OpenMM: everything that touches a Force, an Integrator or a Context."""
