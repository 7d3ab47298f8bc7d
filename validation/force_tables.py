"""The table of benchmarks/force.py."""

from __future__ import annotations

import json
from collections.abc import Callable

from openmm_neuralmd.analysis.markdown import rounded, table
from result_files import ROOT, missing, origin

RESULT = ROOT / "benchmarks" / "results" / "force.json"
HEADS = {"force": "direct force", "energy": "energy and gradient"}


def force_speed() -> str:
    """Time of one evaluation of the network at the published size, over the published code's."""
    if not RESULT.is_file():
        return missing("python benchmarks/force.py")
    content = json.loads(RESULT.read_text(encoding="utf-8"))
    rows = [row for row in content["rows"] if row["network"] == "default"]
    ways = list(dict.fromkeys(row["way"] for row in rows))
    lines: dict[tuple[str, str, int], dict[str, float]] = {}
    for row in rows:
        line = lines.setdefault((row["complex"], row["head"], row["threads"]), {})
        line[row["way"]] = row["over_published_default_size"]
    cells = [
        [name, HEADS[head], str(threads), *(rounded(line[w]) if w in line else "" for w in ways)]
        for (name, head, threads), line in lines.items()
    ]
    return f"{table(['complex', 'what', 'threads', *ways], cells)}\n{origin(content['provenance'])}"


FORCE: dict[str, Callable[[], str]] = {"force-speed": force_speed}
"""The table by its marker."""
