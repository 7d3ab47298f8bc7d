"""Compare a model's forecasts with naive baselines, from many origins.

    python examples/baselines.py --ahead 20 --every 4

A learned model is useful where it beats persistence and the mean of the last few snapshots.
`neuralmd validate` writes the same numbers and a report.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import openmm_neuralmd as nmd
from openmm_neuralmd.analysis.statistics import autocorrelation
from openmm_neuralmd.assessment.run import assess_all
from openmm_neuralmd.assessment.stretch import Stretch
from openmm_neuralmd.report.outputs import markdown

EXAMPLE = "gpcr-ergotamine"


def main(arguments: Sequence[str] | None = None) -> None:
    """Forecast from every origin, score, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=EXAMPLE, help="bundled name, or a .safetensors file")
    parser.add_argument("--ahead", type=int, default=20, help="snapshots to forecast")
    parser.add_argument("--every", type=int, default=4, help="snapshots between origins")
    options = parser.parse_args(arguments)

    model = nmd.load_model(options.model)
    trajectory = nmd.example(EXAMPLE)
    learned = model.card.data[0]["training_snapshots"][1]  # seen in training
    replica = next(part for part in trajectory.segments if learned in part)
    own = trajectory[replica.start : replica.stop]
    stretch = Stretch(own, range(learned - replica.start, len(own)), options.ahead, options.every)
    print(markdown(assess_all(model, [stretch]).result))

    print("Autocorrelation: the upper limit of what can be forecast")
    for lag in (1, 2, 5, 10):
        memory = autocorrelation(trajectory.ligand, lag, trajectory.segments)
        print(f"  after {lag * trajectory.interval_ps / 1000:g} ns: {memory:.2f}")


if __name__ == "__main__":
    main()
