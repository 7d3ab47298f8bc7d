"""Write the tables of README.md and of pages in docs/ from result files and manifests.

python validation/render.py           # rewrites what stands between the markers
python validation/render.py --check   # exit 1 if that would change anything
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Callable

from accuracy_tables import ACCURACY
from energy_tables import ENERGIES
from force_tables import FORCE
from goal_tables import GOAL_TABLES
from hybrid_tables import HYBRID
from mechanics_tables import MECHANICS
from one_structure_tables import ONE_STRUCTURE
from openmm_neuralmd.analysis.markdown import table
from platform_tables import PLATFORM_TABLES
from result_files import ROOT
from scale_tables import SCALE
from speed.tables import SPEED
from summary_tables import SUMMARY
from training_tables import TRAINING

SETS = ROOT / "validation" / "reference_sets"
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "results.md",
    ROOT / "docs" / "energy.md",
    ROOT / "docs" / "hybrid.md",
    ROOT / "docs" / "mechanics.md",
    ROOT / "docs" / "one-structure.md",
    ROOT / "docs" / "platforms.md",
    ROOT / "docs" / "reference.md",
    ROOT / "docs" / "reference-sets.md",
    ROOT / "docs" / "scale.md",
    ROOT / "docs" / "training.md",
)
MARKER = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def reference_set(name: str) -> str:
    """Table of a reference set: its complexes, and the motion of their ligands."""
    path = SETS / name / "manifest.json"
    if not path.is_file():
        return f"Not made yet: `neuralmd campaign validation/reference_sets/{name}.yaml`.\n"
    content = json.loads(path.read_text(encoding="utf-8"))
    complexes = content["complexes"].values()
    names = {lag for entry in complexes for lag in entry["motion"]["autocorrelation"]}
    lags = sorted(names, key=lambda lag: float(lag.split()[0]))
    rows = []
    for target, entry in content["complexes"].items():
        motion = entry["motion"]
        rows.append(
            [
                f"{target}, {entry['ligand']['molecule']} ({entry['ligand']['charge']:+d})",
                str(entry["ligand_heavy_atoms"]),
                f"{entry['atoms']['moving']:,}",
                f"{entry['snapshots'] * entry['interval_ps'] / 1000:g}",
                f"{motion['spread_angstrom']:.2f}",
                f"{motion['from_start_angstrom'][-1]:.1f}",
                *(f"{motion['autocorrelation'].get(lag, math.nan):.2f}" for lag in lags),
            ]
        )
    header = ["complex", "heavy atoms", "that move", "ns", "spread, Å", "from start, Å"]
    body = table([*header, *(f"after {lag}" for lag in lags)], rows)
    return f"{content['about']}\n\n{body}"


TABLES: dict[str, Callable[[], str]] = {
    **ACCURACY,
    **SPEED,
    **MECHANICS,
    **ENERGIES,
    **FORCE,
    **HYBRID,
    **GOAL_TABLES,
    **TRAINING,
    **SUMMARY,
    **PLATFORM_TABLES,
    **SCALE,
    **ONE_STRUCTURE,
    "set-pocket": lambda: reference_set("pocket"),
    "set-fine": lambda: reference_set("fine"),
    "set-dry": lambda: reference_set("dry"),
    "set-rigid": lambda: reference_set("rigid"),
    "set-flexible": lambda: reference_set("flexible"),
}


def rendered(text: str) -> str:
    """The text with every table between markers made anew."""
    return MARKER.sub(lambda m: m[1] + "\n" + TABLES[m[2]]() + "\n" + m[3], text)


def main() -> None:
    """Rewrite the pages, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if rendered(text) != text:
            stale.append(page.name)
            if not check:
                page.write_text(rendered(text), encoding="utf-8")
    if check and stale:
        sys.exit(f"stale tables in {', '.join(stale)}: run python validation/render.py")


if __name__ == "__main__":
    main()
