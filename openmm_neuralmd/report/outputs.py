"""Files that `neuralmd validate` writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..analysis.markdown import ENSEMBLES, metric_table
from ..analysis.metrics import error_columns
from ..analysis.summaries import FEW
from ..utils.files import complete
from .card import validity_card
from .evidence import Evidence
from .names import title
from .page import render


def write_outputs(evidence: Evidence, folder: Path) -> None:
    """Write validation.json, .md and .csv, validity.json and report.html into a folder.

    Examples
    --------
    >>> from openmm_neuralmd.report import write_outputs
    >>> write_outputs(evidence, scratch)
    >>> sorted(path.name for path in scratch.iterdir())
    ['report.html', 'validation.csv', 'validation.json', 'validation.md', 'validity.json']
    """
    result = evidence.result
    texts = {
        "validation.csv": _csv(result),
        "validation.md": markdown(result),
        "validation.json": _json(result),
        "validity.json": _json(validity_card(evidence)),
        "report.html": render(evidence),
    }
    for name, text in texts.items():
        with complete(folder / name) as path:
            path.write_text(text, encoding="utf-8", newline="")


def markdown(result: Mapping[str, Any]) -> str:
    """Tables of errors and ensembles in Markdown.

    Examples
    --------
    >>> from openmm_neuralmd.report import markdown
    >>> print(markdown(evidence.result).splitlines()[0])
    # small on gpcr-ergotamine
    """
    caution = ", too narrow with so few of them" if result["clusters"] < FEW else ""
    return (
        f"# {result['model']['name']} on {result['complex']}\n\n"
        f"{result['origins']} forecasts of {result['ahead']} snapshots, in {result['clusters']} "
        f"clusters that do not overlap; means with 95 % intervals{caution}.\n\n"
        f"{metric_table(result['errors'], error_columns(), names(result['errors']))}\n"
        f"{metric_table(result['ensembles'], ENSEMBLES, names(result['ensembles']))}"
    )


def names(methods: Iterable[str]) -> dict[str, str]:
    """Display names of methods, by the names that results have for them."""
    return {method: title(method) for method in methods}


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _csv(result: Mapping[str, Any]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(["table", "method", "metric", "mean", "low", "high"])
    for table in ("errors", "ensembles"):
        for method, metrics in result[table].items():
            rows.writerows([table, method, key, *values] for key, values in metrics.items())
    return text.getvalue()
