"""Crossings between torsion wells per CPU second: exact torsion moves against MD.

    python validation/torsions.py tyk2 taf12 hsp90_kung mcl1

Each complex is one of reference set 'rigid': a ligand in a protein that stands still.  Samplers
take turns on one thread; a sample of each ends with 0.1 ps of Langevin MD (4 fs, hydrogens
constrained):

* MD alone: the competitor;
* before each stretch of MD ten torsion moves, to any angle or to the wells that NeuralMD-OU knows;
* before each stretch one nonequilibrium turn.

A crossing is a turn by more than 90° from where the last one ended, seen once in a sample; the
reference set has a snapshot every 2 ps, which misses those that come back, so that its rate is no
competitor's.  Reported are crossings of all
torsions and independent samples of the slowest one per CPU second, and what shows that the moves
are exact: mean energy less MD's, and torsion distributions beside the 2 ns of the reference set.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import torch
from openmm import unit
from openmmtools import cache, states
from rdkit import Chem

from efficiency import THREAD, single_thread
from intervals import mean_difference, memory_clusters
from kept import Part, kept
from openmm_neuralmd.analysis.ensemble import torsion_divergence, torsions
from openmm_neuralmd.analysis.memory import memory
from openmm_neuralmd.dynamics.ou_prediction import predict_complex
from openmm_neuralmd.hybrid import Torsion, TorsionMove, TorsionNCMCMove, ligand_torsions
from openmm_neuralmd.hybrid.contexts import kilojoules
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.units import nanometers, to_angstrom, to_nm
from preconditioned import SET, ligand_alone
from result_files import save

STEPS, TIMESTEP = 25, 0.004
"""Steps and ps of MD in a sample."""
MD, DRIVEN = "MD", "NCMC turns"
UNIFORM, LEARNED = "torsion moves, uniform", "torsion moves, learned"
SAMPLERS = (MD, UNIFORM, LEARNED, DRIVEN)
TURN = 90.0
"""Degrees; a crossing."""
PROPOSALS = 10
BURN_IN = 0.1


class Samplers:
    """The samplers of one complex.

    Parameters
    ----------
    name : str
        In reference set 'rigid'.
    arguments : Namespace
        Of the command line.
    """

    def __init__(self, name: str, arguments: argparse.Namespace) -> None:
        self.arguments, self.run = arguments, LabelledRun.open(SET / name)
        self.folder = arguments.work / name
        self.system = ligand_alone(self.run)
        molecule = Chem.MolFromMolFile(str(SET / name / "ligand.sdf"), removeHs=False)
        complex = self.run.complex.with_molecule(molecule)
        self.heavy = np.searchsorted(complex.ligand, complex.ligand_heavy)
        prediction = predict_complex(load(arguments.model), complex)
        self.quadruples = prediction.quadruples
        place = {atom: row for row, atom in enumerate(complex.ligand.tolist())}

        def local(torsion: Torsion) -> Torsion:
            quadruple, moving = (
                np.array([place[atom] for atom in atoms.tolist()])
                for atoms in (torsion.quadruple, torsion.moving)
            )
            return replace(torsion, quadruple=quadruple, moving=moving)

        uniform = [local(torsion) for torsion in ligand_torsions(complex)]
        learned = [local(torsion) for torsion in ligand_torsions(complex, prediction)]
        seed = arguments.seed
        self.moves = {
            UNIFORM: TorsionMove(uniform, n_proposals=PROPOSALS, seed=seed),
            LEARNED: TorsionMove(learned, n_proposals=PROPOSALS, seed=seed),
            DRIVEN: TorsionNCMCMove(uniform, n_turns=40, n_steps=2, seed=seed),
        }
        self.thermodynamic = states.ThermodynamicState(self.system, 300.0 * unit.kelvin)
        self.shared = cache.ContextCache(single_thread(), dict(THREAD))
        integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, TIMESTEP)
        integrator.setRandomNumberSeed(seed)
        self.context = openmm.Context(self.system, integrator, single_thread(), dict(THREAD))

    def rounds(self) -> dict[str, Part]:
        """All samples of each sampler, made in turn."""
        start = {"positions": to_nm(self.run.labels.x[0]), "velocities": np.zeros(0)}
        parts: dict[str, list[Part]] = {name: [] for name in self.arguments.samplers}
        for number in range(self.arguments.rounds):
            for name in self.arguments.samplers:
                last = parts[name][-1] if number else start

                def part(name: str = name, last: Part = last, number: int = number) -> Part:
                    return self.one(name, last, number)

                decisive = {
                    "sampler": name, "round": number, "samples": self.arguments.samples,
                    "seed": self.arguments.seed, "proposals": PROPOSALS,
                }  # fmt: skip
                parts[name].append(kept(self.folder / f"{name}-{number}.npz", decisive, part))
            print(f"{self.folder.name}: round {number + 1}", flush=True)
        names = ("x", "energies", "seconds", "accepted")
        return {
            name: {key: np.concatenate([np.atleast_1d(one[key]) for one in of]) for key in names}
            for name, of in parts.items()
        }

    def one(self, name: str, last: Part, number: int) -> Part:
        """One round, from where the last one ended."""
        state = states.SamplerState(last["positions"] * unit.nanometer)
        nm_per_ps = unit.nanometer / unit.picosecond
        self.context.setPositions(state.positions)
        if last["velocities"].size:
            state.velocities = last["velocities"] * nm_per_ps
        else:
            self.context.setVelocitiesToTemperature(300.0, self.arguments.seed)
            state.velocities = self.context.getState(velocities=True).getVelocities(asNumpy=True)
        move = self.moves.get(name)
        if move is not None:
            per_sample = PROPOSALS if isinstance(move, TorsionMove) else 1
            move.n_proposed = number * self.arguments.samples * per_sample
            move.n_accepted = 0
            move.apply(self.thermodynamic, state, self.shared)  # makes its Contexts
            move.n_accepted = 0
        x, energies, seconds = [], [], 0.0
        for _ in range(self.arguments.samples):
            began = time.process_time()
            if move is not None:
                move.apply(self.thermodynamic, state, self.shared)
            self.context.setPositions(state.positions)
            self.context.setVelocities(state.velocities)
            self.context.getIntegrator().step(STEPS)
            now = self.context.getState(positions=True, velocities=True)
            state.positions = now.getPositions(asNumpy=True)
            state.velocities = now.getVelocities(asNumpy=True)
            seconds += time.process_time() - began
            x.append(to_angstrom(nanometers(state.positions)))
            energies.append(kilojoules(self.context.getState(energy=True).getPotentialEnergy()))
        proposals = self.arguments.samples * (PROPOSALS if name in (UNIFORM, LEARNED) else 1)
        return {
            "positions": nanometers(state.positions),
            "velocities": np.array(state.velocities.value_in_unit(nm_per_ps)),
            "x": np.array(x),
            "energies": np.array(energies),
            "seconds": np.array(seconds),
            "accepted": np.array(np.nan if move is None else move.n_accepted / proposals),
        }


def crossings(angles: np.ndarray) -> int:
    """Crossings of torsions (S, K) in degrees, of all of them together."""
    count = 0
    for series in angles.T:
        anchor = series[0]
        for angle in series[1:]:
            if abs((angle - anchor + 180.0) % 360.0 - 180.0) > TURN:
                count, anchor = count + 1, angle
    return count


def slowest(angles: np.ndarray) -> float:
    """τ in samples of the slowest torsion, of its sine and cosine."""
    radians = np.radians(angles)
    return max(memory(np.stack([np.cos(a), np.sin(a)], axis=-1)) for a in radians.T)


def measure(name: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """All samplers of one complex."""
    samplers = Samplers(name, arguments)
    parts = samplers.rounds()
    quadruples = samplers.quadruples
    truth = samplers.run.labels.x[:, samplers.heavy]
    of_truth = torsions(truth, quadruples)
    rows = {}
    first = {key: round(BURN_IN * len(part["energies"])) for key, part in parts.items()}
    of_md = parts[MD]["energies"][first[MD] :]
    for key, part in parts.items():
        x, seconds = part["x"][:, samplers.heavy], float(part["seconds"].sum())
        angles, energies = torsions(x, quadruples), part["energies"][first[key] :]
        difference = mean_difference(
            energies, of_md, clusters=memory_clusters([energies]),
            baseline_clusters=memory_clusters([of_md]),
        )  # fmt: skip
        tau = max(slowest(angles[first[key] :]), 0.5)
        rows[key] = {
            "samples": len(x),
            "cpu_seconds": seconds,
            "accepted": None
            if np.isnan(part["accepted"]).any()
            else float(part["accepted"].mean()),
            "crossings": crossings(angles),
            "crossings_per_cpu_second": crossings(angles) / seconds,
            "slowest_torsion_samples_per_cpu_second": len(x) / (2 * tau) / seconds,
            "coordinates_samples_per_cpu_second": len(x)
            / (2 * max(memory(x[first[key] :].reshape(-1, x[0].size)), 0.5))
            / seconds,
            "energy_less_md": [difference.mean, difference.low, difference.high],
            "torsion_divergence": torsion_divergence(truth, x, quadruples),
        }
    cost = rows[MD]["cpu_seconds"] / (rows[MD]["samples"] * STEPS * TIMESTEP)
    halves = np.array_split(truth, 2)
    length = samplers.run.labels.interval_ps * (len(truth) - 1)
    return {
        "atoms": samplers.system.getNumParticles(),
        "rotatable_bonds": len(quadruples),
        "samplers": rows,
        "reference": {
            "picoseconds": length,
            "interval_ps": samplers.run.labels.interval_ps,
            "cpu_seconds": length * cost,
            "crossings": crossings(of_truth),
            "crossings_per_cpu_second": crossings(of_truth) / length / cost,
            "slowest_torsion_samples_per_cpu_second": 1
            / (2 * slowest(of_truth) * samplers.run.labels.interval_ps * cost),
            "coordinates_samples_per_cpu_second": 1
            / (2 * memory(truth.reshape(len(truth), -1)) * samplers.run.labels.interval_ps * cost),
            "torsion_divergence_of_its_halves": torsion_divergence(*halves, quadruples),
        },
    }


def main() -> None:
    """Sample, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("complexes", nargs="+", help="names in reference set rigid")
    parser.add_argument("--model", type=Path, default=bundled_models()["neuralmd-ou"])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--samples", type=int, default=500, help="in a round, of each sampler")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/torsions"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    complexes = {name: measure(name, arguments) for name in arguments.complexes}
    result = {
        "what": "torsion moves of a ligand alone in a rigid protein, one thread, CPU seconds",
        "model": arguments.model.name,
        "rounds": arguments.rounds,
        "samples": arguments.samples,
        "complexes": complexes,
    }
    save("torsions", result, arguments.json)
    for name, measured in complexes.items():
        for key, row in measured["samplers"].items():
            print(
                f"{name:12s} {key:24s} crossings per CPU s {row['crossings_per_cpu_second']:.3g}, "
                f"slowest torsion {row['slowest_torsion_samples_per_cpu_second']:.3g}, energy less "
                "MD's {:.1f} ({:.1f} to {:.1f})".format(*row["energy_less_md"])
            )


if __name__ == "__main__":
    main()
