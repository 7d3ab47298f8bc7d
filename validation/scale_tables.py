"""Tables of benchmarks/scale.py, for render.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import ROOT, missing, origin

RESULT = ROOT / "benchmarks" / "results" / "scale.json"
UNITS = {
    "gigaflops": "10⁹ floating-point operations in products",
    "operations": "operations of torch",
    "megabytes": "MB of results",
    "ms": "CPU ms, one thread",
}
CALLS = {
    "gradient": "gradient of a window",
    "encoding": "encoding of the protein",
    "forecast": "forecast",
}


def _of_result(text: Callable[[dict[str, Any]], str]) -> Callable[[], str]:
    """A table of the result file, or what to do where there is none."""

    def rendered() -> str:
        if not RESULT.is_file():
            return missing("python benchmarks/scale.py")
        return text(json.loads(RESULT.read_text(encoding="utf-8")))

    return rendered


def costs(content: dict[str, Any]) -> str:
    """Coefficients of the cost models of the network, and their error on complexes left out."""
    network = content["network"]
    rows = [
        [f"{CALLS[kind]}: {UNITS[cost]}", *_model(model)]
        for kind, models in network["models"].items()
        for cost, model in models.items()
    ]
    sizes = list(network["complexes"][0]["sizes"])
    header = ["", *(f"per {_singular(name)}" for name in sizes), "error, left out"]
    cases = network["complexes"]
    atoms = [int(case["sizes"]["atoms"]) for case in cases]
    residues = [int(case["sizes"]["residues"]) for case in cases]
    return (
        f"{table(header, rows)}\n"
        f"{len(cases)} complexes of {min(atoms)} to {max(atoms)} ligand atoms and {min(residues)} "
        f"to {max(residues)} residues; network of the {content['size']} size; a window is "
        f"{network['window']} snapshots, a forecast {network['forecast']}. The error is that of a "
        f"complex left out of the fit: median, greatest. {origin(content['provenance'])}"
    )


def pose(content: dict[str, Any]) -> str:
    """The cost model of a prediction from one structure."""
    poses = content["poses"]
    names = list(poses["model"]["coefficients"])
    header = ["", *(f"per {_singular(name)}" for name in names), "error, left out"]
    body = table(header, [["prediction: CPU ms, one thread", *_model(poses["model"])]])
    write = _range([row["write_ms"] for row in poses["poses"]])
    size = _range([row["written_mb"] for row in poses["poses"]])
    return (
        f"{body}\n{len(poses['poses'])} poses with 200 snapshots each. A pose's files take "
        f"{write} CPU ms of a worker and {size} MB; its lines in table and record take "
        f"{rounded(poses['record_ms'])} CPU ms of the process that collects them.\n"
    )


def scheduler(content: dict[str, Any]) -> str:
    """Dask's overhead."""
    result = content["scheduler"]
    memory = [result["mb_before"], *result["mb_after"]]
    rounds = len(result["mb_after"])
    names = ["before", *(f"after {k + 1} of {rounds}" for k in range(rounds))]
    return (
        f"{result['tasks']:,} tasks that do nothing, {result['at_once']} at once, two workers "
        f"on this machine. The process with client and scheduler takes "
        f"{_range(result['ms_per_task'])} CPU ms a task, {rounded(result['kb_per_future'])} kB "
        f"for each that waits, {rounded(max(0.0, result['kb_per_task_kept']))} kB for each that "
        "is done. Its memory, MB:\n\n"
        f"{table(names, [[f'{value:.0f}' for value in memory]])}"
    )


def misato(content: dict[str, Any]) -> str:
    """Hours of training on all of MISATO."""
    result = content["follows"]["misato"]
    rows = [[gpus, _range(hours)] for gpus, hours in result["hours"].items()]
    return (
        f"{table(['GPUs', 'hours, from favourable to unfavourable'], rows)}\n"
        f"{result['windows']:,} windows of {result['snapshots_per_window']} snapshots, "
        f"{_range(result['windows_per_second'])} windows/s on one GPU.\n\n"
        f"{_assumptions(result['assumed'])}"
    )


def million(content: dict[str, Any]) -> str:
    """Hours of a million docked poses."""
    result = content["follows"]["poses"]
    rows = [[part, _range(hours)] for part, hours in result["hours"].items()]
    return (
        f"{table(['part', 'hours, from favourable to unfavourable'], rows)}\n"
        f"{result['tasks']:,} tasks; {_range(result['scheduler_mb'])} MB for tasks that wait; "
        f"{_range(result['stored_gb'])} GB between, "
        f"{_range(result['written_gb'])} GB of output.\n\n"
        f"{_assumptions(result['assumed'])}"
    )


def _assumptions(assumed: dict[str, Any]) -> str:
    rows = [[name.replace("_", " "), _value(value)] for name, value in assumed.items()]
    return table(["assumption", "value, or favourable to unfavourable"], rows)


def _value(value: Any) -> str:
    if isinstance(value, list) and isinstance(value[0], list):
        return "; ".join(f"{count}: {ends[0]:g} to {ends[1]:g}" for count, ends in value)
    if isinstance(value, list):
        return f"{value[0]:g} to {value[1]:g}"
    return f"{value:,}"


def _model(model: dict[str, Any]) -> list[str]:
    error = f"{_percent(model['left_out_median'])}, {_percent(model['left_out_greatest'])}"
    return [*(_coefficient(value) for value in model["coefficients"].values()), error]


def _coefficient(value: float) -> str:
    return "0" if value < 1e-9 else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return "0 %" if share < 1e-9 else f"{100 * share:.2g} %"


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{rounded(low)} to {rounded(high)}"


def _singular(name: str) -> str:
    return name.removesuffix("s")


SCALE: dict[str, Callable[[], str]] = {
    "scale-costs": _of_result(costs),
    "scale-pose": _of_result(pose),
    "scale-scheduler": _of_result(scheduler),
    "scale-misato": _of_result(misato),
    "scale-million": _of_result(million),
}
"""Tables by their markers."""
