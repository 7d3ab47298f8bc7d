"""The bill of materials names what is installed, and what needs what."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "sbom.py"


def test_the_bill_of_materials_is_complete() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    bill = json.loads(done.stdout)
    assert bill["bomFormat"] == "CycloneDX"
    versions = {one["name"]: one["version"] for one in bill["components"]}
    for name in ("openmm", "torch", "mdtraj", "rdkit", "typer"):
        assert versions[name] == metadata.version(name)
    known = {*versions, "openmm-neuralmd"}
    for line in bill["dependencies"]:
        assert {line["ref"], *line["dependsOn"]} <= known
