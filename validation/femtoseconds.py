"""Femtosecond runs with a learned force: the energy without a thermostat, the molecule with one.

    python validation/femtoseconds.py MODEL --run validation/reference_sets/rigid/tyk2

* NVE at 0.5 and 1 fs by velocity Verlet: drift, as validation/conservation.py has it.
* NVT at 300 K by OpenMM's LangevinMiddleIntegrator and by openmmtools' BAOABIntegrator: how far a
  bond is ever from its mean in all-atom MD, and the distributions of bonds and angles against it,
  beside those of a second all-atom run.

All-atom MD is of the same setting: same System but for the force, start, step, thermostat.  Bonds
to hydrogen are free on both sides, whatever the labelled run constrained; masses are the run's.
Finished parts stay in --work, so that an interrupted program goes on after them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import openmm
import torch

from kept import Part, kept
from nvt import (
    THERMOSTATS,
    NVTSettings,
    run_nvt,
    shape,
)
from openmm_neuralmd import NeuralMDForce
from openmm_neuralmd.assessment.mechanics.nve import NVESettings, nve
from openmm_neuralmd.dynamics.energy import EnergyModel
from openmm_neuralmd.errors import ModelError, SimulationError
from openmm_neuralmd.hybrid.hmc import proposal_system
from openmm_neuralmd.md.masses import without_constraints
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.units import to_nm
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save

ALL_ATOM, AGAIN = "all-atom", "all-atom, another seed"
MIDDLE = "LangevinMiddleIntegrator"


class Measurement:
    """One model and one run, and where finished parts are kept."""

    def __init__(self, model: Model, run: LabelledRun, arguments: argparse.Namespace) -> None:
        self.model = model
        self.run = replace(run, system=without_constraints(run.system))
        self.arguments = arguments
        self.folder = arguments.work / model.card.name
        self.decisive = {
            "model": model.sha256,
            "labels": run.labels.identity,
            "picoseconds": arguments.picoseconds,
            "platform": arguments.platform,
            "precision": arguments.precision,
        }

    def without_thermostat(self, timestep_fs: float) -> dict[str, Any]:
        """Checks and drifts of both forces at one step."""
        chosen = NVESettings(
            picoseconds=self.arguments.picoseconds,
            timestep_fs=timestep_fs,
            platform=self.arguments.platform,
            precision=self.arguments.precision,
        )

        def make() -> Part:
            with progress_bar(f"NVE, {timestep_fs:g} fs", 2 * chosen.energies, "energies") as tell:
                checks, drifts = nve(self.model, self.run, chosen, tell)
            content = {
                "checks": [check.as_dict() for check in checks],
                "drift": {name: result.as_dict() for name, result in drifts.items()},
            }
            return {"told": np.array(json.dumps(content))}

        name = f"nve-{timestep_fs:g}fs.npz"
        part = kept(self.folder / name, {**self.decisive, **asdict(chosen)}, make)
        result: dict[str, Any] = json.loads(str(part["told"]))
        return {"timestep_fs": timestep_fs, **result}

    def with_thermostat(self, settings: NVTSettings) -> dict[str, Any]:
        """Measure the ligand's shape for each thermostat and for a second all-atom run."""
        truth = self._snapshots(ALL_ATOM, MIDDLE, settings, 1)
        bonds = self.run.complex.ligand_bonds
        rows: dict[str, Any] = {}
        runs = [(name, name, 1) for name in THERMOSTATS] + [(AGAIN, MIDDLE, 2)]
        for name, thermostat, seed in runs:
            snapshots = self._snapshots(name, thermostat, settings, seed)
            failed = str(snapshots["failed"])
            rows[name] = {"failed": failed} if failed else shape(snapshots["x"], truth["x"], bonds)
        return rows

    def _snapshots(self, name: str, thermostat: str, settings: NVTSettings, seed: int) -> Part:
        def make() -> Part:
            title = f"NVT, {name}"
            with progress_bar(title, settings.snapshots, "snapshots") as tell:
                return self._run(self._system(name), thermostat, settings, seed, tell)

        path = self.folder / f"nvt-{name.replace(',', '').replace(' ', '-')}.npz"
        decisive = {**self.decisive, **asdict(settings), "thermostat": thermostat, "seed": seed}
        return kept(path, decisive, make)

    def _run(
        self,
        system: openmm.System,
        thermostat: str,
        settings: NVTSettings,
        seed: int,
        tell: Callable[[int, str], None],
    ) -> Part:
        run = self.run
        start = np.array(run.complex.positions)
        start[run.complex.ligand] = to_nm(run.labels.x[-1])
        try:
            x = run_nvt(system, start, run.complex.ligand, thermostat, settings, seed, tell)
        except SimulationError as error:
            return {"x": np.zeros(0), "failed": np.array(str(error))}
        return {"x": x, "failed": np.array("")}

    def _system(self, name: str) -> openmm.System:
        if name in (ALL_ATOM, AGAIN):
            return self.run.system
        force = NeuralMDForce(self.model, self.run.complex, precision=self.arguments.precision)
        return proposal_system(self.run.system, force, self.run.complex.ligand.tolist())


def report(result: dict[str, Any]) -> None:
    """The numbers in words."""
    for row in result["nve"]:
        for name, drift in row["drift"].items():
            print(
                f"NVE {row['timestep_fs']:g} fs, {name}: {drift['slope']:.2g} ± "
                f"{drift['resolution']:.1g} kT/ns/dof, {drift['share']:.2g} of σ(K)"
            )
    for name, row in result["nvt"].items():
        line = row.get("failed") or (
            f"bonds within {row['largest_bond_deviation']:.3f} Å of their means; divergence "
            f"{row['bonds']:.4f} (bonds), {row['angles']:.4f} bits (angles)"
        )
        print(f"NVT {name}: {line}")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="file of an energy model")
    parser.add_argument("--run", type=Path, required=True, help="a labelled run of mode rigid")
    parser.add_argument(
        "--picoseconds", type=float, default=100.0, help="simulated time of each run"
    )
    parser.add_argument(
        "--timesteps-fs",
        type=float,
        nargs="+",
        default=[0.5, 1.0],
        help="time steps of the NVE runs",
    )
    parser.add_argument("--nvt-timestep-fs", type=float, default=1.0)
    parser.add_argument("--platform", default="CPU")
    parser.add_argument("--precision", choices=["single", "double"], default="single")
    parser.add_argument("--work", type=Path, default=Path("runs/femtoseconds"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, run = load_model(arguments.model), LabelledRun.open(arguments.run)
    if not isinstance(model.dynamics, EnergyModel):
        raise ModelError(
            f"{arguments.model}: '{model.card.kind}' jumps whole snapshots; give an energy model"
        )
    settings = NVTSettings(
        picoseconds=arguments.picoseconds,
        timestep_fs=arguments.nvt_timestep_fs,
        platform=arguments.platform,
    )
    measurement = Measurement(model, run, arguments)
    result = {
        "what": "femtosecond runs of a ligand under a learned force",
        "model": {"name": model.card.name, "kind": model.card.kind, "sha256": model.sha256},
        "complex": run.labels.identity,
        "precision": arguments.precision,
        "settings": asdict(settings),
        "nve": [measurement.without_thermostat(step) for step in arguments.timesteps_fs],
        "nvt": measurement.with_thermostat(settings),
    }
    save(f"femtoseconds-{model.card.name}", result, arguments.json)
    report(result)


if __name__ == "__main__":
    main()
