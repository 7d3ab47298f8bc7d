"""Exact hybrid Monte Carlo with a learned force, against plain MD of the same ligand.

    python validation/hmc.py MODEL --run validation/reference_sets/rigid/tyk2

A ligand alone in a protein that stands still is sampled by `NeuralMDHMCMove` with proposals of
several lengths, and by Langevin MD of the same System with several time steps: one thread each,
every chain from another snapshot of the labelled run.  Reported are effective samples per CPU
second, and the mean energy less that of the MD with the shortest step, which an exact sampler has
to meet.  Memory is taken about the mean of each chain: motions slower than a chain are not seen.

Finished chains stay in --work, so that an interrupted program goes on after them.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from efficiency import (
    Chain,
    efficiency,
    energy_difference,
    hmc_chain,
    md_chain,
)
from kept import Part, kept
from openmm_neuralmd import NeuralMDForce
from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.units import to_nm
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save

Tell = Callable[[int, str], None]


class Samplers:
    """HMC and MD of one ligand, chain by chain."""

    def __init__(self, model: Model, run: LabelledRun, arguments: argparse.Namespace) -> None:
        self.run, self.arguments = run, arguments
        self.force = NeuralMDForce(model, run.complex)
        self.folder = arguments.work / model.card.name
        self.decisive = {"model": model.sha256, "labels": run.labels.identity}

    def proposals(self, steps: int) -> list[Chain]:
        """Chains of HMC with a number of steps per proposal, all with equally many force
        evaluations.
        """
        arguments = self.arguments
        count = max(1, arguments.evaluations // steps)
        chosen = {"steps": steps, "timestep_fs": arguments.timestep_fs, "proposals": count}

        def make(start: np.ndarray, seed: int, tell: Tell) -> Chain:
            ligand = self.run.complex.ligand.tolist()
            step = arguments.timestep_fs / 1000
            move = NeuralMDHMCMove(self.force, ligand, n_steps=steps, timestep=step, seed=seed)
            return hmc_chain(self.run.system, start, move, count, advance=tell)

        return self._chains(f"hmc-{steps}x{arguments.timestep_fs:g}fs", chosen, count, make)

    def dynamics(self, timestep_fs: float) -> list[Chain]:
        """Chains of MD with one time step."""
        arguments = self.arguments
        chosen = {"timestep_fs": timestep_fs, "picoseconds": arguments.picoseconds}
        interval = arguments.interval_ps

        def make(start: np.ndarray, seed: int, tell: Tell) -> Chain:
            return md_chain(
                self.run.system,
                start,
                self.run.complex.ligand.tolist(),
                picoseconds=arguments.picoseconds,
                timestep_fs=timestep_fs,
                interval_ps=interval,
                seed=seed,
                advance=tell,
            )

        count = round(arguments.picoseconds / interval)
        content = {**chosen, "interval_ps": interval}
        return self._chains(f"md-{timestep_fs:g}fs", content, count, make)

    def _chains(
        self,
        name: str,
        chosen: dict[str, Any],
        samples: int,
        make: Callable[[np.ndarray, int, Tell], Chain],
    ) -> list[Chain]:
        chains, count = [], self.arguments.chains
        labels = self.run.labels
        for number, row in enumerate(np.linspace(0, len(labels) - 1, count).astype(int), 1):
            start = np.array(self.run.complex.positions)
            start[self.run.complex.ligand] = to_nm(labels.x[row])

            def part(start: np.ndarray = start, seed: int = number) -> Part:
                with progress_bar(f"{name}, {seed} of {count}", samples, "samples") as tell:
                    chain = make(start, seed, tell)
                return {key: np.asarray(value) for key, value in chain._asdict().items()}

            decisive = {**self.decisive, **chosen, "start": int(row), "seed": number}
            saved = kept(self.folder / f"{name}-{number}.npz", decisive, part)
            seconds, accepted = float(saved["seconds"]), float(saved["accepted"])
            chains.append(Chain(saved["energies"], saved["x"], seconds, accepted))
        return chains


def told_of(chains: list[Chain]) -> dict[str, Any]:
    """The figures of one sampler, for the result file."""
    values = efficiency(chains)._asdict()
    return values | {"accepted": None if math.isnan(values["accepted"]) else values["accepted"]}


def measure(model: Model, run: LabelledRun, arguments: argparse.Namespace) -> dict[str, Any]:
    """Every sampler of one ligand."""
    samplers = Samplers(model, run, arguments)
    rows = {
        f"MD, {step:g} fs": samplers.dynamics(step) for step in sorted(arguments.md_timesteps_fs)
    }
    truth = next(iter(rows))
    for steps in arguments.steps:
        rows[f"HMC, {steps} steps of {arguments.timestep_fs:g} fs"] = samplers.proposals(steps)
    return {
        "truth": truth,
        "samplers": {name: told_of(chains) for name, chains in rows.items()},
        "energy_less_truth": {
            name: list(energy_difference(chains, rows[truth]))
            for name, chains in rows.items()
            if name != truth
        },
    }


def report(result: dict[str, Any]) -> None:
    """The numbers in words."""
    for name, row in result["samplers"].items():
        energy, coordinates = (
            np.mean(row[key]) for key in ("samples_energy", "samples_coordinates")
        )
        accepted = "" if row["accepted"] is None else f", {row['accepted']:.1%} accepted"
        print(
            f"{name:28s} mean energy {row['energy'][0]:.2f} kJ/mol; effective samples per CPU "
            f"second: {energy:.3g} (energy), {coordinates:.3g} (coordinates){accepted}"
        )
    for name, gap in result["energy_less_truth"].items():
        print(f"{name} less {result['truth']}: {gap[0]:.2f} ({gap[1]:.2f} to {gap[2]:.2f}) kJ/mol")


def main() -> None:
    """Sample, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="file of an energy model")
    parser.add_argument("--run", type=Path, required=True, help="a labelled run of mode rigid")
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--steps", type=int, nargs="+", default=[5, 20], help="in a proposal")
    parser.add_argument("--timestep-fs", type=float, default=2.0, help="time step of a proposal")
    parser.add_argument("--evaluations", type=int, default=20_000, help="learned forces in a chain")
    parser.add_argument("--md-timesteps-fs", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--picoseconds", type=float, default=250.0, help="length of an MD chain")
    parser.add_argument("--interval-ps", type=float, default=0.1, help="between samples of MD")
    parser.add_argument("--work", type=Path, default=Path("runs/hmc"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, run = load_model(arguments.model), LabelledRun.open(arguments.run)
    result = {
        "what": "samplers of a ligand alone in a rigid protein, one thread",
        "model": {"name": model.card.name, "sha256": model.sha256},
        "complex": run.labels.identity,
        "atoms": len(run.complex.ligand),
        "chains": arguments.chains,
        **measure(model, run, arguments),
    }
    save(f"hmc-{model.card.name}", result, arguments.json)
    report(result)


if __name__ == "__main__":
    main()
