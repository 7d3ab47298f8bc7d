"""The former place of `openmm_neuralmd.simulation`; kept for Systems that were stored with it."""
