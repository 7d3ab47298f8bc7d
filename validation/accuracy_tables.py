"""Tables of validation/accuracy.py: errors, paired differences and ensembles of a comparison."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any

from openmm_neuralmd.analysis.markdown import (
    ENSEMBLES,
    interval,
    metric_table,
    table,
)
from openmm_neuralmd.analysis.metrics import error_columns
from result_files import machine, measured, missing, read

COMPARISONS = (
    "gpcr",
    "pocket",
    "pocket-left-out",
    "flexible",
    "fine",
    "rigid",
    "rigid-left-out",
)
ERRORS = error_columns()
COMMAND = "python validation/accuracy.py validation/accuracy/{}.yaml"
NAIVE = {
    "persistence": "persistence",
    "mean": "mean structure",
    "recent-mean": "recent mean",
    "projected-recent-mean": "projected recent mean",
    "ar1": "AR(1)",
}
LEARNED = {
    "neuralmd-ode": "**NeuralMD-ODE**",
    "neuralmd-ode, F = 0": "the same with F = 0",
    "neuralmd-sde": "**NeuralMD-SDE**, one future",
    "neuralmd-sde, F = 0": "the same with F = 0",
    "neuralmd-sde (mean of futures)": "**NeuralMD-SDE**, mean of futures",
    "verletmd": "VerletMD",
    "gnn-md": "GNN-MD",
    "denoising-ld": "DenoisingLD, one future",
    "denoising-ld (mean of futures)": "DenoisingLD, mean of futures",
    "cg-md": "CG-MD",
}
DRAWN = {
    "neuralmd-ode": "**NeuralMD-ODE**, its one forecast",
    "neuralmd-ode, F = 0": "the same with F = 0",
    "neuralmd-sde": "**NeuralMD-SDE**",
    "neuralmd-sde, F = 0": "the same with F = 0",
    "denoising-ld": "DenoisingLD",
    "ar1": "AR(1) with noise",
    "replay": "known stretches played again",
    "halves of the truth": "*one half of the truth for the other*",
}


def result_of(name: str) -> dict[str, Any] | None:
    """The result of a comparison, None where it was not run yet."""
    return read(f"accuracy-{name}") if measured(f"accuracy-{name}") else None


def errors(name: str) -> str:
    """Forecast errors of every method."""
    result = result_of(name)
    if result is None:
        return missing(COMMAND.format(name))
    body = metric_table(result["errors"], ERRORS, LEARNED | NAIVE, result["seed_spread"])
    lags = result["autocorrelation"].items()
    memory = [f"{fmean(values):.2f} after {lag}" for lag, values in lags]
    return (
        f"{result['what']}: {result['origins']} origins, {result['settings']['ahead']} snapshots "
        f"ahead, in {result['clusters']} stretches; seeds "
        f"{', '.join(map(str, result['settings']['seeds']))}. Autocorrelation, in snapshots: "
        f"{', '.join(memory)}.\n\n{body}\n{machine(f'accuracy-{name}')}"
    )


def differences(name: str) -> str:
    """Paired differences of NeuralMD-ODE to every other method."""
    result = result_of(name)
    if result is None:
        return missing(COMMAND.format(name))
    content = result["differences"]["neuralmd-ode"]
    keys = [key for key in ERRORS if key in next(iter(content.values()))]
    rows = [
        [title, *(interval(content[other][key], ERRORS[key][1] + 1) for key in keys)]
        for other, title in (NAIVE | LEARNED).items()
        if other in content
    ]
    return table(["NeuralMD-ODE minus", *(ERRORS[key][0] for key in keys)], rows)


def ensembles(name: str) -> str:
    """Ensemble metrics of every method that draws noise."""
    result = result_of(name)
    if result is None:
        return missing(COMMAND.format(name))
    return metric_table(result["ensembles"], ENSEMBLES, DRAWN)


ACCURACY: dict[str, Callable[[], str]] = {
    f"{rows.__name__}-{name}": partial(rows, name)
    for rows in (errors, differences, ensembles)
    for name in COMPARISONS
}
