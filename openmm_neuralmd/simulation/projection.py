"""The projection on bonds and angles as a native OpenMM force: x + F is one sweep.

`dynamics.projection.project` moves the two atoms of a pair by ∓ r (1 − s(L)/s(d)) × the vector
between them, with s(d) = sqrt(d² + ε) and r = ω/(c_i + c_j), c the number of pairs of an atom.
That displacement is the force of the energy r (d²/2 − s(L) s(d)), so a CustomBondForce computes
it on every platform, and the integrator adds it to x once for every sweep.
"""

from __future__ import annotations

import numpy as np
import openmm

from ..dynamics import projection
from ..structure.complex import Complex
from ..structure.pairs import bonded_pairs
from ..units import to_nm

NAME = "NeuralMDProjection"
SOFTENING = to_nm(to_nm(np.array(projection.SOFTENING))).item()  # Å² in nm²


def projection_force(complex: Complex, lengths: np.ndarray, forceGroup: int) -> openmm.Force:
    """The force whose value is the displacement (nm) of one sweep.

    Parameters
    ----------
    lengths : (q,) float64, Å
        Target distance of each of the ligand's bonded pairs.
    """
    pairs = bonded_pairs(complex.site_bonds, len(complex.sites))
    count = np.bincount(pairs.ravel(), minlength=len(complex.sites))
    force = openmm.CustomBondForce("relaxation*(0.5*r^2-target*sqrt(r^2+softening))")
    force.setName(NAME)
    force.setForceGroup(forceGroup)
    force.setUsesPeriodicBoundaryConditions(complex.box is not None)
    force.addGlobalParameter("softening", SOFTENING)
    force.addPerBondParameter("relaxation")
    force.addPerBondParameter("target")
    for (i, j), target in zip(pairs, targets(lengths), strict=True):
        particles = complex.ligand_sites[[i, j]].tolist()
        force.addBond(*particles, [projection.OMEGA / (count[i] + count[j]), target])
    return force


def targets(lengths: np.ndarray) -> list[float]:
    """Softened target distances s(L) in nm."""
    return np.sqrt(to_nm(np.asarray(lengths, dtype=np.float64)) ** 2 + SOFTENING).tolist()


def set_lengths(context: openmm.Context, lengths: np.ndarray) -> None:
    """Give the projection of a Context, and of its System, other lengths (q,) in Å.

    A System without a projection stays as it is.
    """
    for force in context.getSystem().getForces():
        if force.getName() == NAME:
            for bond, target in enumerate(targets(lengths)):
                i, j, (relaxation, _) = force.getBondParameters(bond)
                force.setBondParameters(bond, i, j, [relaxation, target])
            force.updateParametersInContext(context)
