"""Mechanics of a model: symmetry, derivatives, solvers, and energy conservation.

    python validation/conservation.py gpcr-ergotamine --example gpcr-ergotamine
    python validation/conservation.py MODEL --set validation/reference_sets/pocket/tyk2
    python validation/conservation.py MODEL --run validation/reference_sets/rigid/tyk2

Each check is a value held against a threshold (openmm_neuralmd/data/thresholds.yaml).  With the
folder of a labelled run (`neuralmd reference --mode rigid --labels`, or of a set) an energy model
is also run without a thermostat, and the all-atom force beside it from the same start.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from openmm_neuralmd.assessment.check import Check
from openmm_neuralmd.assessment.mechanics.conservation import PARTS, conservation
from openmm_neuralmd.assessment.mechanics.nve import NVESettings, nve
from openmm_neuralmd.examples import example
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.training.labelled import LabelledRun
from openmm_neuralmd.trajectory.history import History
from openmm_neuralmd.utils.progress import progress_bar
from result_files import save
from runs import read_run

KNOWN = 30
"""Snapshots that a forecast starts from."""


def checked(
    model: Model, history: History, run: LabelledRun | None, chosen: NVESettings
) -> dict[str, Any]:
    """All checks, and the drift of both forces where there is an energy."""
    with progress_bar("checks", len(PARTS), "parts") as advance:
        checks = conservation(model, history, advance)
    if run is None:
        more, drifts = nve(model, None, chosen)
    else:
        with progress_bar("without a thermostat", 2 * chosen.energies, "energies") as advance:
            more, drifts = nve(model, run, chosen, advance)
    return {
        "checks": [check.model_dump() for check in (*checks, *more)],
        "drift": {name: drift.as_dict() for name, drift in drifts.items()},
        "nve": vars(chosen),
    }


def report(result: dict[str, Any]) -> None:
    """The checks in words."""
    for check in map(Check.model_validate, result["checks"]):
        value = f"{check.value[0]:.2g} {check.unit}" if check.value else ""
        print(f"{check.name:24s} {check.outcome:12s} {value:24s} {check.note}")
    for name, drift in result["drift"].items():
        print(
            f"{name}: {drift['slope']:.2g} ± {drift['resolution']:.1g} kT/ns/dof, "
            f"{drift['share']:.2g} of σ(K) in {drift['picoseconds']:.0f} ps, "
            f"{drift['temperature']:.0f} K"
        )


def main() -> None:
    """Check, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="bundled name, or model file")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--example", help="a packaged complex with a trajectory")
    where.add_argument("--set", type=Path, help="a complex of a reference set, or a run's folder")
    where.add_argument("--run", type=Path, help="a labelled run of mode rigid")
    defaults = NVESettings()
    parser.add_argument("--picoseconds", type=float, default=defaults.picoseconds)
    parser.add_argument("--timestep-fs", type=float, default=defaults.timestep_fs)
    parser.add_argument("--platform", default=defaults.platform)
    parser.add_argument("--precision", choices=["single", "double"], default=defaults.precision)
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    model = load_model(arguments.model, torch.float64)
    if arguments.run is not None:
        run = LabelledRun.open(arguments.run)
        complex = model.fitted(run.complex)
        history = History.of(run.labels.x[-KNOWN:, complex.sites], complex)
    else:
        run, hydrogens = None, model.hydrogens
        snapshots = (
            read_run(arguments.set, hydrogens)
            if arguments.set
            else example(arguments.example, hydrogens=hydrogens)
        )
        history = History.of(snapshots.ligand[:KNOWN], snapshots.complex)
    chosen = NVESettings(
        picoseconds=arguments.picoseconds,
        timestep_fs=arguments.timestep_fs,
        platform=arguments.platform,
        precision=arguments.precision,
    )
    result = {
        "what": "mechanics of a model: symmetry, derivatives, solvers, energy",
        "model": {"name": model.card.name, "kind": model.card.kind, "sha256": model.sha256},
        "complex": history.complex.name,
        **checked(model, history, run, chosen),
    }
    save(f"conservation-{model.card.name}", result, arguments.json)
    report(result)


if __name__ == "__main__":
    main()
