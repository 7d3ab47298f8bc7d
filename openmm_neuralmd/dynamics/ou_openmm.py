"""NeuralMD-OU inside OpenMM: its exact step at any stride, with native forces alone.

A ligand of n heavy atoms has 3n modes, and each of its coordinates carries one of them.  One step:

1. components   a_k ← a_k e^(−Δ/τ_k) + s σ_k sqrt(1 − e^(−2Δ/τ_k)) ξ,  x ← Σ_k a_k
2. coordinates  rigid-body motion and torsions q, as sums over the modes; hops add to torsions
3. remainder    x ← A B C x by three native forces, see `linear_maps`
4. rotations    finite turns of the pose with its remainder, outermost bond first, so that every
                axis is that of the pose; then of the whole ligand
5. repair       distances inside rigid parts, by a native force whose value is the displacement

This is `ou_process` followed by `ou_snapshots`, with other random numbers.  The pose is the given
one, or the last known snapshot; all that depends on it is set by `openmm_start`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import openmm
from numpy.typing import NDArray

from ..errors import ModelError
from ..units import to_nm
from .distance_repair import RELAXATION, SWEEPS
from .in_openmm import OpenMMStart
from .linear_maps import map_forces, symmetric_factors
from .ou_wells import ANGLES, hop

if TYPE_CHECKING:
    from ..structure.complex import Complex
    from .ou_prediction import Prediction

Array = NDArray[np.float64]

BLOCK = 10
"""Sweeps of the repair between two looks at what is left of it."""
ENOUGH = 5e-5
"""nm; the repair ends once no atom would be moved by more, as in `SnapshotMaker.repair`."""
RIGID = 6
"""Rigid-body coordinates come before the torsions."""


@dataclass(frozen=True, eq=False)
class OUInOpenMM:
    """Forces, step and start of one ligand; an `in_openmm.InOpenMM`.

    Attributes
    ----------
    prediction : Prediction
        What the network wrote down.
    """

    prediction: Prediction
    fields = ()
    native = ("right", "middle", "left", "repair")
    steps = 1
    sweeps = 0

    @cached_property
    def hopping(self) -> NDArray[np.int64]:
        """Torsions that can hop to another well."""
        return np.flatnonzero(self.prediction.small)

    def native_forces(self, particles: Sequence[int], group: int) -> list[openmm.Force]:
        """See `in_openmm.InOpenMM`."""
        p = self.prediction
        left, middle, right = symmetric_factors(p.maker.rest.T @ p.process.modes)
        forces: list[openmm.Force] = []
        for place, matrix in enumerate((right, middle, left)):
            forces += map_forces(particles, matrix, group + place)
        repair = openmm.CustomBondForce(
            "0.25*(step(low-r)*(low-r)^2+step(r-high)*(r-high)^2)"  # force: half of the excess
        )
        repair.addPerBondParameter("low")
        repair.addPerBondParameter("high")
        maker = p.maker
        for (i, j), length, share in zip(maker.pairs, to_nm(maker.lengths), maker.tolerances):
            low, high = length * (1 - share), length * (1 + share)
            repair.addBond(particles[i], particles[j], [low, high])
        repair.setForceGroup(group + len(self.native) - 1)
        for number, force in enumerate([*forces, repair]):
            force.setName(f"NeuralMDOU{number}")
        return [*forces, repair]

    def write_step(
        self, integrator: Any, interval: float, fields: dict[str, str], solver: str | None
    ) -> None:
        """See `Dynamics.write_step`; the stride is the integrator's step, which may be changed.

        Raises
        ------
        ModelError
            If a solver was chosen: every step is exact.
        """
        if solver is not None:
            raise ModelError(f"the steps of NeuralMD-OU are exact; leave solver='{solver}' out")
        self._write_variables(integrator)
        self._write_components(integrator)
        for name in ("right", "middle", "left"):
            integrator.addComputePerDof("x", fields[name])
        integrator.addComputePerDof("rest", "x+shift")
        integrator.addComputePerDof("x", "pose")
        self._write_hops(integrator)
        self._write_rotations(integrator)
        _write_repair(integrator, fields["repair"])

    def _write_variables(self, integrator: Any) -> None:
        p = self.prediction
        integrator.addGlobalVariable("scale", 1.0)
        for q in range(p.maker.project.shape[1]):
            integrator.addGlobalVariable(f"q{q}", 0.0)
            integrator.addGlobalVariable(f"offset{q}", 0.0)
            integrator.addPerDofVariable(f"weight{q}", 0.0)
        for k in range(len(p.process.times)):
            integrator.addPerDofVariable(f"a{k}", 0.0)
            integrator.addPerDofVariable(f"sigma{k}", 0.0)
        for name in self._vectors():
            integrator.addGlobalVariable(name, 0.0)
        for r in range(len(p.quadruples)):
            integrator.addPerDofVariable(f"turns{r}", 0.0)
        for r in self.hopping:
            for name in ("well", "known", "chance", "drawn"):
                integrator.addGlobalVariable(f"{name}{r}", 0.0)
        for name in ("pose", "rest", "shift", "share"):
            integrator.addPerDofVariable(name, 0.0)
        integrator.addGlobalVariable("sweep", 0.0)
        integrator.addGlobalVariable("excess", 0.0)

    def _write_components(self, integrator: Any) -> None:
        """Write steps 1 and 2: relax the modes, and add their noise."""
        p = self.prediction
        for k, tau in enumerate(p.process.times.tolist()):
            noise = f"scale*sigma{k}*sqrt(1-exp(-2*dt/{tau!r}))*gaussian"
            integrator.addComputePerDof(f"a{k}", f"a{k}*exp(-dt/{tau!r})+{noise}")
        total = "+".join(f"a{k}" for k in range(len(p.process.times)))
        integrator.addComputePerDof("x", total)
        for q in range(p.maker.project.shape[1]):
            integrator.addComputeSum(f"q{q}", f"weight{q}*x")
            moved = f"q{q}+offset{q}"
            limited = f"min({np.pi!r},max({-np.pi!r},{moved}))"
            integrator.addComputeGlobal(f"q{q}", moved if q < RIGID else limited)

    def _write_hops(self, integrator: Any) -> None:
        """Write step 3: a torsion that leaves its well draws a new one, see `ou_wells.hop`."""
        p = self.prediction
        for r in self.hopping:
            steps = zip(np.diff(ANGLES).tolist(), np.cumsum(p.wells[r])[:-1].tolist())
            angle = "+".join(f"({turn!r})*step(drawn{r}-{level!r})" for turn, level in steps)
            integrator.addComputeGlobal(f"chance{r}", "uniform")
            integrator.addComputeGlobal(f"drawn{r}", "uniform")
            stays = f"step(exp({-p.hop_rate!r}*dt)-chance{r})"
            integrator.addComputeGlobal(f"well{r}", f"select({stays},well{r},{angle})")
            # The process already stands in the known wells: only turns from there are added.
            torsion = f"q{RIGID + r}"
            integrator.addComputeGlobal(torsion, f"{torsion}+well{r}-known{r}")

    def _write_rotations(self, integrator: Any) -> None:
        """Write step 4; `x` is the pose at first, and `rest` turns with it."""
        for r in reversed(range(len(self.prediction.quadruples))):
            axis, pivot, angle = _vector(f"axis{r}"), _vector(f"pivot{r}"), f"q{RIGID + r}"
            moved = f"{pivot}+{_turned(f'(x-{pivot})', axis, angle)}-x"
            integrator.addComputePerDof("x", f"x+turns{r}*({moved})")
            moved = f"{_turned('rest', axis, angle)}-rest"
            integrator.addComputePerDof("rest", f"rest+turns{r}*({moved})")
        centre, angle = _vector("centre"), "sqrt(q3^2+q4^2+q5^2+1e-24)"
        axis = f"vector(q3/{angle},q4/{angle},q5/{angle})"
        turned = _turned(f"(x+rest-{centre})", axis, angle)
        integrator.addComputePerDof("x", f"{centre}+vector(q0,q1,q2)+{turned}")

    def openmm_start(
        self, complex: Complex, known: np.ndarray, interval: float, seed: int
    ) -> OpenMMStart:
        """See `in_openmm.InOpenMM`; the scale and what is not known of the start are drawn."""
        generator = np.random.default_rng(seed)
        p = self.prediction.given(known, interval)
        scale = p.process.scales(1, generator)
        components = p.process.components(scale, generator)[0]
        moved = (p.process.centre - p.maker.pose).reshape(-1)
        states = hop([0.0], p.wells, p.hop_rate, 1, generator, p.now)[0, 0] * p.small
        before = np.zeros_like(states) if p.now is None else p.now
        drawn = moved + p.process.modes @ components.sum(1)
        x = p.maker(drawn[None], (ANGLES[states] - ANGLES[before])[None])[0]
        offsets = moved @ p.maker.project
        offsets[:3] = to_nm(offsets[:3])
        now = OUInOpenMM(p)
        scalars = {"scale": float(scale[0]), **now._vectors()}
        scalars |= {f"offset{q}": float(value) for q, value in enumerate(offsets)}
        for r in self.hopping:
            scalars |= {f"well{r}": float(ANGLES[states[r]]), f"known{r}": float(ANGLES[before[r]])}
        return OpenMMStart(
            x,
            np.zeros_like(x),
            np.zeros(0),
            now._per_dof(components),
            scalars,
            tuple(now.native_forces(complex.ligand_sites.tolist(), 0)),
        )

    def _vectors(self) -> dict[str, float]:
        """Axes and pivots of the torsions, and the centre of the pose: components by name, nm."""
        maker = self.prediction.maker
        pose = to_nm(maker.pose)
        vectors = {"centre": pose.mean(axis=0)}
        for r, (i, j) in enumerate(maker.rotatable.bonds):
            vectors[f"pivot{r}"] = pose[j]
            vectors[f"axis{r}"] = (pose[j] - pose[i]) / np.linalg.norm(pose[j] - pose[i])
        return {
            f"{name}{axis}": float(value)
            for name, vector in vectors.items()
            for axis, value in zip("xyz", vector)
        }

    def _per_dof(self, components: Array) -> dict[str, Array]:
        """Per-DOF variables (n, 3) in nm; mode m belongs to the coordinate m of the ligand."""
        p = self.prediction
        n = len(p.pose)
        weights = p.process.modes.T @ p.maker.project
        weights[:, 3:] /= to_nm(np.ones(1))  # rad/Å in rad/nm
        spread = to_nm(np.sqrt(p.process.variances()))
        values = {f"weight{q}": column for q, column in enumerate(weights.T)}
        values |= {f"a{k}": column for k, column in enumerate(to_nm(components).T)}
        values |= {f"sigma{k}": column for k, column in enumerate(spread.T)}
        values["shift"] = to_nm((p.process.centre - p.maker.pose).reshape(-1) @ p.maker.rest)
        values["pose"] = to_nm(p.maker.pose).reshape(-1)
        count = np.bincount(p.maker.pairs.ravel(), minlength=n)
        atoms = {f"turns{r}": moving for r, moving in enumerate(p.maker.rotatable.moving)}
        atoms["share"] = RELAXATION / np.sqrt(np.maximum(count, 1.0))
        values |= {name: np.repeat(one.astype(np.float64), 3) for name, one in atoms.items()}
        return {name: value.reshape(n, 3) for name, value in values.items()}


def _vector(name: str) -> str:
    """A vector whose components are global variables."""
    return f"vector({name}x,{name}y,{name}z)"


def _turned(vector: str, axis: str, angle: str) -> str:
    """A vector turned about a unit axis by an angle in rad (Rodrigues)."""
    along = f"{axis}*(dot({axis},{vector})*(1-cos({angle})))"
    return f"({vector}*cos({angle})+cross({axis},{vector})*sin({angle})+{along})"


def _write_repair(integrator: Any, displacement: str) -> None:
    """Write step 5: the sweeps of `SnapshotMaker.repair`."""
    integrator.addComputeGlobal("sweep", "0")
    integrator.beginWhileBlock(f"sweep < {SWEEPS}")
    for _ in range(BLOCK):
        integrator.addComputePerDof("x", f"x+share*{displacement}")
    integrator.addComputeSum("excess", f"{displacement}^2")
    left = f"step(excess-{ENOUGH**2!r})"
    integrator.addComputeGlobal("sweep", f"select({left},sweep+{BLOCK},{SWEEPS})")
    integrator.endBlock()
