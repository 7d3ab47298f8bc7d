"""Exact HMC with a stiffness as mass matrix, against MD of the same ligand in its rigid protein.

    python validation/preconditioned.py tyk2 hsp90_kung mcl1 --model neuralmd-ou.safetensors

Each complex is one of reference set 'rigid'.  Samplers, one thread each, every chain from another
snapshot of the labelled run:

* Langevin MD of 4 fs, hydrogens constrained: the competitor;
* Langevin MD of 1 fs without constraints: the truth of energies and torsions;
* `PreconditionedHMCMove`, whose metric is the bonded terms and, beside them, nothing but an
  isotropic anchor ('anchor') or the stiffness of NeuralMD-OU at the start pose ('learned').

Reported are effective samples per CPU second, mean energies less the truth's, and how far the
torsions' distributions differ (bits), beside two chains of the truth.  Finished chains stay in
--work: an interrupted program continues after them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import torch
from rdkit import Chem

from efficiency import (
    THREAD,
    Chain,
    efficiency,
    energy_difference,
    hmc_chain,
    md_chain,
    single_thread,
)
from kept import Part, kept
from openmm_neuralmd.analysis.ensemble import rotatable_torsions, torsion_divergence
from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
from openmm_neuralmd.bindingnet.pocket import pocket_atoms
from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.dynamics.springs import springs
from openmm_neuralmd.hybrid import PreconditionedHMCMove, metric, without_constraints
from openmm_neuralmd.md.field import interaction_field
from openmm_neuralmd.md.subsystem import BONDED, terms_on
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.training.ou_files import load
from openmm_neuralmd.units import BOLTZMANN, nanometers, to_angstrom, to_nm
from openmm_neuralmd.utils.platforms import minimise_energy
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save

SET = Path(__file__).parent / "reference_sets" / "rigid"
KT = BOLTZMANN * 300.0
NM2_PER_A2 = 100.0
MD, TRUTH = "MD, 4 fs, constrained", "MD, 1 fs, no constraints"
Tell = Callable[[int, str], None]


class Samplers:
    """Chains of one complex."""

    def __init__(self, name: str, model: NeuralOU, arguments: argparse.Namespace) -> None:
        self.run, self.model, self.arguments = LabelledRun.open(SET / name), model, arguments
        self.folder = arguments.work / name
        self.ligand = list(range(len(self.run.complex.ligand)))
        self.constrained = ligand_alone(self.run)
        self.free = without_constraints(self.constrained, self.ligand)

    def chains(self, name: str) -> list[Chain]:
        """Chains of one sampler, made now or read back."""
        count, labels = self.arguments.chains, self.run.labels
        chains = []
        for number, row in enumerate(np.linspace(0, len(labels) - 1, count).astype(int), 1):
            start = to_nm(labels.x[row])

            def part(start: np.ndarray = start, seed: int = number) -> Part:
                with progress_bar(f"{name}, {seed} of {count}", self.samples(name), "") as tell:
                    chain = self.one(name, start, seed, tell)
                return {key: np.asarray(value) for key, value in chain._asdict().items()}

            decisive = {"settings": self.settings(name), "start": int(row), "seed": number}
            saved = kept(self.folder / f"{name}-{number}.npz", decisive, part)
            seconds, accepted = float(saved["seconds"]), float(saved["accepted"])
            chains.append(Chain(saved["energies"], saved["x"], seconds, accepted))
        return chains

    def settings(self, name: str) -> dict[str, Any]:
        """Settings that decide a chain."""
        names = ("picoseconds", "truth_picoseconds", "interval_ps", "proposals", "steps")
        return {"sampler": name, "timestep": self.arguments.timestep} | {
            key: getattr(self.arguments, key) for key in names
        }

    def samples(self, name: str) -> int:
        """Samples of a chain."""
        a = self.arguments
        length = {MD: a.picoseconds, TRUTH: a.truth_picoseconds}.get(name)
        return a.proposals if length is None else round(length / a.interval_ps)

    def one(self, name: str, start: np.ndarray, seed: int, tell: Tell) -> Chain:
        """A chain from a start."""
        a = self.arguments
        if name in (MD, TRUTH):
            system, step, length = (
                (self.constrained, 4.0, a.picoseconds)
                if name == MD
                else (self.free, 1.0, a.truth_picoseconds)
            )
            return md_chain(
                system, start, self.ligand, picoseconds=length, timestep_fs=step,
                interval_ps=a.interval_ps, seed=seed, advance=tell,
            )  # fmt: skip
        matrix = self.metric(start, learned=name.endswith("learned"))
        move = PreconditionedHMCMove(
            matrix, self.ligand, n_steps=a.steps, timestep=a.timestep, seed=seed
        )
        return hmc_chain(self.free, start, move, a.proposals, advance=tell)

    def metric(self, start: np.ndarray, learned: bool) -> np.ndarray:
        """The mass matrix, at the minimum next to a start."""
        context = openmm.Context(self.free, openmm.VerletIntegrator(0.001), single_thread(), THREAD)
        context.setPositions(start)
        minimise_energy(context, 1.0, 0)
        pose = nanometers(context.getState(positions=True).getPositions(asNumpy=True))
        if not learned:
            anchor = self.arguments.anchor * KT * NM2_PER_A2
            return metric(self.free, self.ligand, pose, anchor=anchor)
        complex = self.run.complex
        molecule = Chem.MolFromMolFile(str(self.run.path / "ligand.sdf"), removeHs=False)
        chemistry = ligand_chemistry(molecule)
        heavy = np.asarray(chemistry.atoms)
        x = to_angstrom(pose[heavy])
        pocket = pocket_atoms(complex.topology, to_angstrom(complex.positions), x)
        with torch.no_grad():
            h = self.model(springs(chemistry, x, pocket)).stiffness.double().numpy()
        return metric(
            self.free, self.ligand, pose, learned=h * KT * NM2_PER_A2, learned_atoms=heavy.tolist()
        )


def ligand_alone(run: LabelledRun) -> openmm.System:
    """The ligand's particles alone, the field of the rigid protein in matrix form (`md.field`)."""
    complex, source = run.complex, run.system
    place = np.full(source.getNumParticles(), -1)
    place[complex.ligand] = np.arange(len(complex.ligand))
    system = openmm.System()
    for atom in complex.ligand.tolist():
        system.addParticle(source.getParticleMass(atom))
    for n in range(source.getNumConstraints()):
        i, j, length = source.getConstraintParameters(n)
        system.addConstraint(int(place[i]), int(place[j]), length)
    every = np.ones(len(complex.ligand), dtype=bool)
    for force in source.getForces():
        if type(force) in BONDED:
            system.addForce(terms_on(force, place, every))
        elif isinstance(force, openmm.CustomNonbondedForce):
            system.addForce(openmm.PythonForce(interaction_field(complex.positions, force)))
        elif isinstance(force, openmm.CustomBondForce):
            pairs = openmm.XmlSerializer.clone(force)
            for n in range(pairs.getNumBonds()):
                i, j, values = pairs.getBondParameters(n)
                pairs.setBondParameters(n, int(place[i]), int(place[j]), values)
            system.addForce(pairs)
    return system


def measure(name: str, model: NeuralOU, arguments: argparse.Namespace) -> dict[str, Any]:
    """All samplers of one complex."""
    samplers = Samplers(name, model, arguments)
    rows = {key: samplers.chains(key) for key in (TRUTH, MD, "HMC, anchor", "HMC, learned")}
    complex = samplers.run.complex
    bonds = complex.ligand_bonds
    quadruples = rotatable_torsions(bonds, len(complex.ligand))
    quadruples = quadruples[(complex.ligand_atomic_numbers[quadruples] > 1).all(axis=1)]
    merged = {key: np.concatenate([c.settled().x for c in chains]) for key, chains in rows.items()}
    halves = [np.concatenate([c.settled().x for c in rows[TRUTH][k::2]]) for k in (0, 1)]
    best = efficiency(rows[MD])
    figures = {}
    for key, chains in rows.items():
        sampler = efficiency(chains)
        energy, coordinates = (
            float(np.mean(a) / np.mean(b))
            for a, b in (
                (sampler.samples_energy, best.samples_energy),
                (sampler.samples_coordinates, best.samples_coordinates),
            )
        )
        figures[key] = {
            **sampler._asdict(),
            "accepted": None if np.isnan(sampler.accepted) else sampler.accepted,
            "ratio_energy": energy,
            "ratio_coordinates": coordinates,
            "energy_less_truth": list(energy_difference(chains, rows[TRUTH])),
            "torsion_divergence": torsion_divergence(merged[TRUTH], merged[key], quadruples),
        }
    return {
        "atoms": len(complex.ligand),
        "samplers": figures,
        "torsion_divergence_of_the_truths_halves": torsion_divergence(*halves, quadruples),
    }


def main() -> None:
    """Sample, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("complexes", nargs="+", help="names in reference set rigid")
    parser.add_argument("--model", type=Path, help="NeuralMD-OU; default: its class constants")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--proposals", type=int, default=1500)
    parser.add_argument("--steps", type=int, default=5, help="mean leapfrog steps of a proposal")
    parser.add_argument("--timestep", type=float, default=0.3, help="see PreconditionedHMCMove")
    parser.add_argument("--anchor", type=float, default=5.0, help="kT/Å²; row 'anchor'")
    parser.add_argument("--picoseconds", type=float, default=150.0, help="MD of 4 fs, per chain")
    parser.add_argument("--truth-picoseconds", type=float, default=75.0, help="MD of 1 fs")
    parser.add_argument("--interval-ps", type=float, default=0.1)
    parser.add_argument("--work", type=Path, default=Path("runs/preconditioned"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load(arguments.model) if arguments.model else NeuralOU(NeuralOUSettings(members=0))
    complexes = {name: measure(name, model, arguments) for name in arguments.complexes}
    result = {
        "what": "samplers of a ligand alone in a rigid protein, one thread, CPU seconds",
        "model": arguments.model.name if arguments.model else "class constants, no network",
        "chains": arguments.chains,
        "complexes": complexes,
    }
    save("preconditioned", result, arguments.json)
    for name, measured in complexes.items():
        for key, row in measured["samplers"].items():
            print(
                f"{name:12s} {key:26s} effective samples per CPU second, over MD's of 4 fs: "
                f"{row['ratio_coordinates']:.1f} (coordinates) {row['ratio_energy']:.1f} (energy)"
            )


if __name__ == "__main__":
    main()
